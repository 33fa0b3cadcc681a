import { describe, expect, it } from 'vitest';
import { functions } from '../../lambdas/contract/functions.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import { tables } from '../../lambdas/contract/tables.ts';
import { stageNames } from '../../lambdas/contract/stage-names.ts';
import { logicalId, templates, type Resource } from '../support/templates.ts';

const { ofType, functionNamed, resourcesOf } = templates();
const consumers = Object.keys(topology.consumers).length;

describe('a scheduled function', () => {
  it('is not tried again, nor kept waiting beyond its next tick: ticks do not pile up', () => {
    const scheduled = ofType('AWS::Events::Rule').flatMap(([, { Properties }]) =>
      Properties.Targets.map((target: { Arn: unknown }) => logicalId(target.Arn)),
    );
    expect(scheduled.toSorted()).toEqual([functionNamed('order-sweep')[0], functionNamed('outbox-relay')[0]].toSorted());
    // The rule's own retry policy is about handing the event to Lambda; Lambda itself retries what it accepted.
    const configured = ofType('AWS::Lambda::EventInvokeConfig').map(([, { Properties }]) => ({
      function: logicalId(Properties.FunctionName),
      qualifier: Properties.Qualifier,
      retries: Properties.MaximumRetryAttempts,
      seconds: Properties.MaximumEventAgeInSeconds,
    }));
    const expected = scheduled.map((id) => ({ function: id, qualifier: '$LATEST', retries: 0, seconds: 60 }));
    expect(configured).toHaveLength(expected.length);
    expect(configured).toEqual(expect.arrayContaining(expected));
  });
});

describe('logs', () => {
  it.each(stageNames)('of %s keep what alarms and reports are made of', (stage) => {
    for (const name of Object.keys(functions)) {
      const { LoggingConfig, Environment } = functionNamed(name, stage)[1].Properties;
      // Metrics are log lines without a level, which Lambda takes for INFO; durations and cold starts are system lines of INFO.
      expect({ name, application: LoggingConfig.ApplicationLogLevel, system: LoggingConfig.SystemLogLevel }).toEqual({
        name,
        application: expect.stringMatching(/^(TRACE|DEBUG|INFO)$/),
        system: expect.stringMatching(/^(DEBUG|INFO)$/),
      });
      expect(Environment.Variables.POWERTOOLS_LOG_LEVEL).toBe(LoggingConfig.ApplicationLogLevel);
    }
  });
});

describe('dependencies', () => {
  it.each(stageNames)('of %s say what no reference says, and nothing else', (stage) => {
    const resources = resourcesOf(stage);
    for (const [id, { Properties, DependsOn = [] }] of Object.entries(resources)) {
      const referred = JSON.stringify(Properties ?? {});
      const redundant = [DependsOn].flat().filter((other) => referred.includes(`{"Ref":"${other}"}`) || referred.includes(`["${other}",`));
      expect({ id, redundant }).toEqual({ id, redundant: [] });
    }
  });

  it('make functions and event sources wait for what their role allows', () => {
    const policyOf = (role: string): string =>
      ofType('AWS::IAM::Policy').find(([, { Properties }]) => Properties.Roles.some((ref: unknown) => logicalId(ref) === role))![0];
    for (const [id, { Properties, DependsOn }] of ofType('AWS::Lambda::Function')) {
      expect({ id, waits: DependsOn }).toEqual({ id, waits: expect.arrayContaining([policyOf(logicalId(Properties.Role))]) });
    }
    const sources = ofType('AWS::Lambda::EventSourceMapping');
    // One for each queue, and the stream's.
    expect(sources.length).toBe(consumers + 1);
    for (const [id, { Properties, DependsOn }] of sources) {
      const target = resourcesOf('dev')[logicalId(Properties.FunctionName)]!;
      expect({ id, waits: DependsOn }).toEqual({ id, waits: expect.arrayContaining([policyOf(logicalId(target.Properties.Role))]) });
    }
  });
});

describe('what holds data', () => {
  it.each(stageNames)('outlives the stack and a changed logical id on prod, and goes with them elsewhere: %s', (stage) => {
    const policy = stage === 'prod' ? 'Retain' : 'Delete';
    for (const [type, count] of [
      // The sandboxes' ledger is not on prod.
      ['AWS::DynamoDB::Table', Object.keys(tables).length - (stage === 'prod' ? 1 : 0)],
      // Each has one for dead letters; where the stream puts what it gives up is one more.
      ['AWS::SQS::Queue', 2 * consumers + 1],
      // A queue that is kept still refuses calls without TLS.
      ['AWS::SQS::QueuePolicy', 2 * consumers + 1],
      // The last one is the API's.
      ['AWS::Logs::LogGroup', Object.keys(functions).length + 1],
    ] as const) {
      const all = ofType(type, stage);
      expect({ type, count: all.length }).toEqual({ type, count });
      for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of all) {
        expect({ id, DeletionPolicy, UpdateReplacePolicy }).toEqual({ id, DeletionPolicy: policy, UpdateReplacePolicy: policy });
      }
    }
  });
});

describe('the API', () => {
  it.each(stageNames)('throttles on %s each route that anybody may ask, and what no route matches, by itself', (stage) => {
    const [[, { Properties }]] = ofType('AWS::ApiGatewayV2::Stage', stage) as [[string, Resource]];
    const { ThrottlingRateLimit: rate, ThrottlingBurstLimit: burst } = Properties.DefaultRouteSettings;
    const open = ofType('AWS::ApiGatewayV2::Route', stage)
      .filter(([, route]) => route.Properties.AuthorizationType === 'NONE' || route.Properties.RouteKey === '$default')
      .map(([, route]) => route.Properties.RouteKey as string);
    expect(open).toEqual(expect.arrayContaining(['GET /health', 'GET /openapi.json', '$default']));
    expect(open.includes('OPTIONS /{proxy+}')).toBe(stage === 'dev');
    for (const route of open) {
      const own = Properties.RouteSettings[route];
      expect({ route, below: own?.ThrottlingRateLimit < rate && own?.ThrottlingBurstLimit < burst }).toEqual({ route, below: true });
    }
  });

  it('writes a line for each access that tells who came, what the authorizer and the function said, and no body or token', () => {
    const [[, { Properties }]] = ofType('AWS::ApiGatewayV2::Stage') as [[string, Resource]];
    expect(JSON.parse(Properties.AccessLogSettings.Format)).toEqual({
      requestId: '$context.requestId',
      at: '$context.requestTimeEpoch',
      route: '$context.routeKey',
      status: '$context.status',
      latencyMs: '$context.responseLatency',
      sourceIp: '$context.identity.sourceIp',
      error: '$context.error.message',
      authorizerError: '$context.authorizer.error',
      integrationStatus: '$context.integration.status',
      integrationError: '$context.integrationErrorMessage',
    });
  });

  it.each(stageNames)('writes them on %s to a group that deliveries need no policy of the account for', (stage) => {
    const [[, { Properties }]] = ofType('AWS::ApiGatewayV2::Stage', stage) as [[string, Resource]];
    const group = ofType('AWS::Logs::LogGroup', stage).find(([id]) => id === logicalId(Properties.AccessLogSettings.DestinationArn))![1];
    // The stack's own id keeps a second deployment after `cdk destroy` from meeting the group that prod retains.
    expect(JSON.stringify(group.Properties.LogGroupName)).toMatch(/^\{"Fn::Join":\["",\["\/aws\/vendedlogs\/.+AWS::StackId/);
  });
});
