import { statSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { operations } from '../../lambdas/contract/api.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import { stageNames, type StageName } from '../../lambdas/contract/stage-names.ts';
import { functions } from '../../lambdas/contract/functions.ts';
import { tables as definitions } from '../../lambdas/contract/tables.ts';
import { bundleFile } from '@outbox-saga/constructs/bundle';
import { orderApp } from '../../lib/app.ts';
import { nag } from '../../lib/nag.ts';
import { Outbox } from '@outbox-saga/constructs/outbox';
import { stages } from '../../lib/stage-config.ts';
import { logicalId, prodContext, templates, type Resource, type Resources } from '../support/templates.ts';

const { outdir, bundles, synthesize, resourcesOf, ofType, functionNamed } = templates();

const proofs = (resources: Resources): string[] =>
  Object.values(resources).flatMap(({ Properties }) => Properties?.Environment?.Variables?.AUTHENTICATION ?? []);

describe('the stack', () => {
  it.each(stageNames)('passes the offline validator and cdk-nag for %s', (stage) => {
    process.env['CDK_VALIDATION'] = 'true';
    try {
      expect(() => synthesize(stage, { ...(stage === 'prod' ? prodContext : {}), checked: 'yes' }, nag)).not.toThrow();
    } finally {
      process.env['CDK_VALIDATION'] = 'false';
    }
  });

  it('fails nag when a finding is not acknowledged', async () => {
    const { Topic } = await import('aws-cdk-lib/aws-sns');
    const { app, stack } = orderApp({ outdir: join(outdir, 'nagged'), checks: nag, bundles: () => bundles, context: { stage: 'dev' } });
    new Topic(stack, 'OpenTopic');
    process.env['CDK_VALIDATION'] = 'true';
    try {
      expect(() => app.synth()).toThrow();
    } finally {
      process.env['CDK_VALIDATION'] = 'false';
    }
  });

  it('explains every acknowledgement', () => {
    const { app, stack } = orderApp({ outdir: join(outdir, 'acks'), bundles: () => bundles, context: { stage: 'dev' } });
    app.synth();
    const reasons = stack.node.findAll().flatMap(({ node }) => node.metadata.filter(({ type }) => type === 'aws:cdk:acknowledged-rules'));
    expect(reasons.length).toBeGreaterThan(5);
    for (const { data } of reasons) expect(JSON.stringify(data).length).toBeGreaterThan(60);
  });

  it('refuses prod on the sandbox, and stages that it does not know', () => {
    expect(() => synthesize('prod')).toThrow(/paymentUrl=… and --context carrierUrl=…/);
    expect(() => synthesize('prod', { paymentUrl: 'https://pay.example' })).toThrow(/takes real money/);
    expect(() => synthesize('qa' as StageName)).toThrow(/unknown stage; known are dev, test, prod/);
    expect(() => synthesize('dev', { paymentUrl: 'nonsense' })).toThrow(/paymentUrl=nonsense: is not a URL/);
  });

  it('injects faults where it is told to, and never on prod', () => {
    const variables = (context: Record<string, unknown>) =>
      Object.values(synthesize('dev', context)).find(
        ({ Properties }) => Properties?.Environment?.Variables?.POWERTOOLS_SERVICE_NAME === 'payment',
      )!.Properties.Environment.Variables;
    expect(variables({ faults: 'payment.failRate=0.3,payment.delayMs=500' })).toMatchObject({
      FAULT_FAIL_RATE: '0.3',
      FAULT_DELAY_MS: '500',
    });
    expect(Object.keys(variables({})).filter((name) => name.startsWith('FAULT'))).toEqual([]);
    expect(() => synthesize('prod', { ...prodContext, faults: 'payment.failRate=0.3' })).toThrow(/prod takes no faults/);
    expect(() => synthesize('dev', { faults: 'payment.throttleRate=1' })).toThrow(/payment.throttleRate is made by the local runtime/);
    expect(() => synthesize('dev', { faults: 'nobody.failRate=1' })).toThrow(/faults.nobody: no such function/);
  });

  it('has its functions ask who calls everywhere but on a laptop', () => {
    for (const stage of stageNames)
      for (const name of ['place-order', 'query-orders', 'order-cancel', 'stock-admin'])
        expect(functionNamed(name, stage)[1].Properties.Environment.Variables.AUTHENTICATION).toBe('iam');
    expect(proofs(synthesize('dev', { local: 'auth' }))).toEqual(['iam', 'iam', 'iam', 'iam']);
    expect(proofs(synthesize('dev', { local: 'open' }))).toEqual(['none', 'none', 'none', 'none']);
    expect(() => synthesize('prod', { ...prodContext, local: 'open' })).toThrow(/local=open: prod is not for a laptop/);
  });
});

describe('an order that names no currency or payment', () => {
  it('gets the sandbox’s only where the sandbox charges', () => {
    const defaults = (resources: Resources): unknown =>
      Object.values(resources).flatMap(({ Properties }) => Properties?.Environment?.Variables?.SANDBOX_DEFAULTS ?? []);
    expect(defaults(resourcesOf('dev'))).toEqual(['true']);
    expect(defaults(resourcesOf('test'))).toEqual(['true']);
    expect(defaults(resourcesOf('prod'))).toEqual(['false']);
    expect(defaults(synthesize('dev', { paymentUrl: 'https://pay.example' }))).toEqual(['false']);
  });
});

describe('an outbox', () => {
  it('tells its senders whether pending rows are indexed', () => {
    const stack = new Stack(new App(), 'Outboxes');
    const outbox = (id: string, indexPending?: boolean) =>
      new Outbox(stack, id, {
        stage: 'dev',
        metricNamespace: 'Outboxes',
        ...(indexPending === undefined ? {} : { indexPending }),
      });
    expect(outbox('Watched').senderEnvironment.OUTBOX_INDEX_PENDING).toBe('');
    expect(outbox('Alone', true).senderEnvironment.OUTBOX_INDEX_PENDING).toBe('true');
    // Orders are watched by their sweep: no index write for each message.
    expect(functionNamed('inventory')[1].Properties.Environment.Variables.OUTBOX_INDEX_PENDING).toBe('');
  });
});

describe('tables', () => {
  it('have the keys and indexes of the contract, on demand, without physical names', () => {
    const shapes = ofType('AWS::DynamoDB::Table').map(([, { Properties }]) => {
      expect(Properties.BillingMode).toBe('PAY_PER_REQUEST');
      expect(Properties.TableName).toBeUndefined();
      return {
        keys: Properties.KeySchema.map(({ AttributeName }: { AttributeName: string }) => AttributeName),
        indexes: (Properties.GlobalSecondaryIndexes ?? []).map(
          (index: { IndexName: string; KeySchema: { AttributeName: string }[]; Projection: { ProjectionType: string } }) => [
            index.IndexName,
            ...index.KeySchema.map(({ AttributeName }) => AttributeName),
            index.Projection.ProjectionType,
          ],
        ),
        expiry: Properties.TimeToLiveSpecification?.AttributeName,
        stream: Properties.StreamSpecification?.StreamViewType,
      };
    });
    const expected = Object.values(definitions).map((definition) => {
      const {
        partitionKey,
        sortKey,
        indexes = [],
        expiryAttribute,
        stream,
      } = definition as import('@outbox-saga/kit/tables').TableDefinition;
      return {
        keys: [partitionKey.name, ...(sortKey ? [sortKey.name] : [])],
        indexes: indexes.map((index) => [index.name, index.partitionKey.name, index.sortKey?.name, index.projection]),
        expiry: expiryAttribute,
        stream: stream ? 'NEW_IMAGE' : undefined,
      };
    });
    const sorted = (list: unknown[]): string[] => list.map((entry) => JSON.stringify(entry)).toSorted();
    expect(sorted(shapes)).toEqual(sorted(expected));
  });

  it('are protected as their stage asks for', () => {
    for (const stage of stageNames) {
      for (const [, table] of ofType('AWS::DynamoDB::Table', stage)) {
        expect(table.DeletionPolicy).toBe(stage === 'prod' ? 'Retain' : 'Delete');
        expect(table.Properties.DeletionProtectionEnabled).toBe(stage === 'prod');
        expect(table.Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled).toBe(stage === 'prod');
        expect(JSON.stringify(table.Properties.ResourcePolicy)).toContain('aws:SecureTransport');
      }
    }
  });

  it('of the sandbox exist only where a sandbox is used', () => {
    const ledgers = (stage: StageName) => Object.keys(resourcesOf(stage)).filter((id) => id.startsWith('SandboxLedger'));
    expect(ledgers('dev')).toHaveLength(1);
    expect(ledgers('prod')).toHaveLength(0);
  });
});

describe('consumers', () => {
  it.each(Object.keys(topology.consumers))('%s has a queue, a dead-letter queue and an event source whose numbers fit', (name) => {
    const { durations } = stages.dev;
    const policy = topology.consumers[name as keyof typeof topology.consumers];
    const [functionId, fn] = functionNamed(name);
    const [, mapping] = ofType('AWS::Lambda::EventSourceMapping').find(
      ([, { Properties }]) => logicalId(Properties.FunctionName) === functionId,
    )!;
    const queue = resourcesOf('dev')[logicalId(mapping.Properties.EventSourceArn)]!;
    const dlq = resourcesOf('dev')[logicalId(queue.Properties.RedrivePolicy.deadLetterTargetArn)]!;
    expect(fn.Properties.Environment.Variables.QUEUE_URL).toEqual({ Ref: logicalId(mapping.Properties.EventSourceArn) });
    expect(queue.Properties.VisibilityTimeout).toBeGreaterThanOrEqual(6 * fn.Properties.Timeout);
    expect(queue.Properties.RedrivePolicy.maxReceiveCount).toBe(policy.maxReceiveCount);
    expect(queue.Properties.MessageRetentionPeriod).toBeLessThan(dlq.Properties.MessageRetentionPeriod);
    expect(dlq.Properties.MessageRetentionPeriod).toBe(durations.deadLetterRetentionSeconds);
    expect(mapping.Properties).toMatchObject({
      BatchSize: policy.batchSize,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 5 },
    });
  });

  it('are all the publisher’s: it knows every queue by the consumer’s name', () => {
    const urls = JSON.stringify(functionNamed('outbox-publisher')[1].Properties.Environment.Variables.QUEUE_URLS);
    for (const name of Object.keys(topology.consumers)) expect(urls).toContain(`\\"${name}\\":`);
  });

  it('take TLS only', () => {
    expect(ofType('AWS::SQS::QueuePolicy')).toHaveLength(ofType('AWS::SQS::Queue').length);
    for (const [, { Properties }] of ofType('AWS::SQS::QueuePolicy')) expect(JSON.stringify(Properties)).toContain('aws:SecureTransport');
  });
});

describe('the publisher’s event source', () => {
  it('lets inserts through and nothing else, is bounded and reports what it gives up', () => {
    const [, { Properties }] = ofType('AWS::Lambda::EventSourceMapping').find(([, resource]) => resource.Properties.StartingPosition)!;
    expect(Properties.FilterCriteria).toEqual({ Filters: [{ Pattern: '{"eventName":["INSERT"]}' }] });
    expect(Properties).toMatchObject({
      StartingPosition: 'TRIM_HORIZON',
      BisectBatchOnFunctionError: true,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      MaximumRetryAttempts: 20,
      MaximumRecordAgeInSeconds: 43_200,
    });
    expect(logicalId(Properties.DestinationConfig.OnFailure.Destination)).toMatch(/StreamFailures/);
  });
});

describe('functions', () => {
  it('run Node 24 on arm64 with JSON logs that expire, active tracing and no managed policy', () => {
    const all = ofType('AWS::Lambda::Function');
    expect(all).toHaveLength(Object.keys(functions).length);
    for (const [, { Properties }] of all) {
      expect(Properties).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        TracingConfig: { Mode: 'Active' },
        LoggingConfig: { LogFormat: 'JSON' },
      });
      expect(resourcesOf('dev')[logicalId(Properties.LoggingConfig.LogGroup)]!.Properties.RetentionInDays).toBe(7);
    }
    for (const [, { Properties }] of ofType('AWS::IAM::Role')) expect(Properties.ManagedPolicyArns).toBeUndefined();
  });

  it('get exactly the variables that their schema knows', () => {
    for (const [name, { environment }] of Object.entries(functions)) {
      const given = Object.keys(functionNamed(name)[1].Properties.Environment.Variables).filter((key) => !key.startsWith('POWERTOOLS_'));
      expect(given.toSorted()).toEqual(Object.keys(environment.shape).toSorted());
    }
  });

  it('have bundles below 400 KB, so that a cold start is short', () => {
    for (const [name, bundle] of Object.entries(bundles)) {
      expect({ name, small: statSync(join(bundle, bundleFile)).size < 400 * 1024 }).toEqual({
        name,
        small: true,
      });
    }
  });

  it('carry no secret: only the id of one', () => {
    const variables = functionNamed('payment', 'prod')[1].Properties.Environment.Variables;
    expect(variables).toMatchObject({ PROVIDER_URL: 'https://pay.example', PROVIDER_SECRET_ID: 'pay/token', SANDBOX_LEDGER_TABLE: '' });
  });
});

describe('permissions', () => {
  const statements = (name: string, stage: StageName = 'dev'): { Action: string | string[]; Resource: unknown }[] => {
    const role = logicalId(functionNamed(name, stage)[1].Properties.Role);
    return ofType('AWS::IAM::Policy', stage)
      .filter(([, { Properties }]) => Properties.Roles.some((ref: unknown) => logicalId(ref) === role))
      .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement);
  };
  const reach = (name: string, stage?: StageName): Record<string, string[]> => {
    const reached: Record<string, Set<string>> = {};
    for (const { Action, Resource } of statements(name, stage)) {
      for (const resource of [Resource].flat()) {
        const target =
          JSON.stringify(resource) === '"*"'
            ? '*'
            : (/"(\w+?)(?:Table)?[0-9A-F]{8}/.exec(JSON.stringify(resource))?.[1] ?? JSON.stringify(resource));
        for (const action of [Action].flat()) (reached[target] ??= new Set()).add(action);
      }
    }
    return Object.fromEntries(Object.entries(reached).map(([target, actions]) => [target, [...actions].toSorted()]));
  };

  it('name no wildcard action, and * only where AWS offers nothing narrower', () => {
    for (const name of Object.keys(functions)) {
      for (const { Action, Resource } of statements(name)) {
        for (const action of [Action].flat()) {
          expect(action).not.toContain('*');
          if (JSON.stringify(Resource) === '"*"') expect(action).toMatch(/^xray:/);
        }
      }
    }
  });

  it('let place-order put orders and rows, and nothing else', () => {
    const { Orders, OutboxTable, Outbox, ...rest } = reach('place-order');
    expect(Orders).toEqual(['dynamodb:PutItem']);
    expect(OutboxTable ?? Outbox).toEqual(['dynamodb:PutItem']);
    expect(Object.keys(rest).filter((target) => !/Logs|\*/.test(target))).toEqual([]);
  });

  it('keep queries from writing', () => {
    const actions = Object.values(reach('query-orders')).flat();
    expect(
      actions.filter((action) => /Put|Update|Delete|Write|Send/.test(action) && !action.startsWith('logs:') && !action.startsWith('xray:')),
    ).toEqual([]);
  });

  it('keep each participant to its own table, its outbox rows and its idempotency records', () => {
    const own = { 'order-saga': 'Orders', inventory: 'Inventory', payment: 'Payments', shipping: 'Shipments' };
    for (const [name, table] of Object.entries(own)) {
      const touched = Object.entries(reach(name)).filter(([, actions]) => actions.some((action) => action.startsWith('dynamodb:')));
      const allowed = new Set([table, 'Outbox', 'OutboxTable', 'Idempotency', 'SandboxLedger']);
      expect({ name, foreign: touched.map(([target]) => target).filter((target) => !allowed.has(target)) }).toEqual({ name, foreign: [] });
    }
  });
});

describe('the API', () => {
  const authorizationOf = (resources: Resources) =>
    Object.fromEntries(
      Object.values(resources)
        .filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Route')
        .map(({ Properties }) => [
          Properties.RouteKey,
          [Properties.AuthorizationType, ...(Properties.AuthorizationScopes ?? [])].join(' '),
        ]),
    );
  const issuer = { jwtIssuer: 'https://issuer.example/', jwtAudience: 'shop, app' };

  it('demands IAM on every route that tells anything, where no issuer is configured', () => {
    expect(authorizationOf(resourcesOf('dev'))).toEqual({
      'POST /orders': 'AWS_IAM',
      'GET /orders': 'AWS_IAM',
      'GET /orders/{id}': 'AWS_IAM',
      'GET /orders/{id}/timeline': 'AWS_IAM',
      'POST /orders/{id}/cancel': 'AWS_IAM',
      'GET /admin/orders/{id}': 'AWS_IAM',
      'GET /admin/orders/{id}/timeline': 'AWS_IAM',
      'POST /admin/orders/{id}/cancel': 'AWS_IAM',
      'GET /admin/stock/{sku}': 'AWS_IAM',
      'PUT /admin/stock/{sku}': 'AWS_IAM',
      'GET /health': 'NONE',
      'GET /openapi.json': 'NONE',
      'OPTIONS /{proxy+}': 'NONE',
      $default: 'AWS_IAM',
    });
  });

  it('demands a token with the scope of the route from customers, and IAM from operators, where one is', () => {
    const resources = synthesize('dev', issuer);
    expect(authorizationOf(resources)).toEqual({
      'POST /orders': 'JWT orders/place',
      'GET /orders': 'JWT orders/read',
      'GET /orders/{id}': 'JWT orders/read',
      'GET /orders/{id}/timeline': 'JWT orders/read',
      'POST /orders/{id}/cancel': 'JWT orders/cancel',
      'GET /admin/orders/{id}': 'AWS_IAM',
      'GET /admin/orders/{id}/timeline': 'AWS_IAM',
      'POST /admin/orders/{id}/cancel': 'AWS_IAM',
      'GET /admin/stock/{sku}': 'AWS_IAM',
      'PUT /admin/stock/{sku}': 'AWS_IAM',
      'GET /health': 'NONE',
      'GET /openapi.json': 'NONE',
      'OPTIONS /{proxy+}': 'NONE',
      $default: 'AWS_IAM',
    });
    const authorizer = Object.values(resources).find(({ Type }) => Type === 'AWS::ApiGatewayV2::Authorizer');
    expect(authorizer!.Properties).toMatchObject({
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Issuer: 'https://issuer.example/', Audience: ['shop', 'app'] },
    });
    // Every function behind a customer's route goes by the token's subject, whatever the request says.
    expect(proofs(resources)).toEqual(['token', 'token', 'token', 'token']);
  });

  it.each([
    [{ jwtIssuer: 'https://issuer.example' }, /jwtIssuer=https:\/\/issuer.example: needs --context jwtAudience/],
    [{ jwtAudience: 'shop' }, /jwtAudience: needs --context jwtIssuer/],
    [{ jwtIssuer: 'http://issuer.example', jwtAudience: 'shop' }, /jwtIssuer=http:\/\/issuer.example: must be an https/],
    [{ jwtIssuer: 'issuer', jwtAudience: 'shop' }, /jwtIssuer=issuer: must be an https/],
    [{ corsOrigins: 'https://shop.example/app' }, /corsOrigins: https:\/\/shop.example\/app is not an origin/],
    [{ corsOrigins: '*' }, /corsOrigins: \* is not an origin/],
  ])('refuses %j', (context, why) => {
    expect(() => synthesize('dev', context)).toThrow(why);
  });

  it('has the routes of its contract, and no other', () => {
    expect(Object.keys(authorizationOf(resourcesOf('test'))).toSorted()).toEqual(
      ['$default', ...Object.values(operations).map(({ route }) => route)].toSorted(),
    );
  });

  it('lets web pages of the stage’s origins call, or of those that are named, and of no others', () => {
    const cors = (resources: Resources) =>
      Object.values(resources).find(({ Type }) => Type === 'AWS::ApiGatewayV2::Api')!.Properties.CorsConfiguration;
    expect(cors(resourcesOf('prod'))).toBeUndefined();
    expect(cors(resourcesOf('test'))).toBeUndefined();
    expect(cors(resourcesOf('dev')).AllowOrigins).toEqual(['http://localhost:5173']);
    const named = cors(synthesize('prod', { ...prodContext, corsOrigins: 'https://shop.example, https://www.shop.example' }));
    expect(named).toMatchObject({
      AllowOrigins: ['https://shop.example', 'https://www.shop.example'],
      AllowMethods: ['POST', 'GET', 'PUT'],
      MaxAge: 3600,
    });
    // $default would take a browser's question for a request without IAM: there is an open route for it exactly where pages may ask.
    expect(authorizationOf(resourcesOf('test'))).not.toHaveProperty('OPTIONS /{proxy+}');
    expect(named.AllowCredentials).toBeUndefined();
    expect(named.AllowHeaders).toEqual(
      expect.arrayContaining(['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match']),
    );
    expect(named.ExposeHeaders).toEqual(
      expect.arrayContaining(['etag', 'location', 'idempotency-replayed', 'retry-after', 'x-correlation-id']),
    );
  });

  it('is throttled by stage, and each reading route below it', () => {
    const [[, api]] = ofType('AWS::ApiGatewayV2::Stage', 'prod') as [[string, Resource & { DependsOn: string[] }]];
    expect(api.Properties.DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 });
    expect(api.Properties.RouteSettings['GET /orders']).toEqual({ ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000 });
    expect(Object.keys(api.Properties.RouteSettings)).not.toContain('POST /orders');
    const keys = new Map(ofType('AWS::ApiGatewayV2::Route', 'prod').map(([id, { Properties }]) => [id, Properties.RouteKey as string]));
    expect(api.DependsOn.flatMap((id) => keys.get(id) ?? []).toSorted()).toEqual(Object.keys(api.Properties.RouteSettings).toSorted());
  });
});
