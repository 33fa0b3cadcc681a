import { CfnOutput } from 'aws-cdk-lib';
import {
  type CfnStage,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpRouteKey,
  HttpStage,
  HttpRoute,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { StageConfig } from '../stage-config.ts';
import { acknowledge } from './acknowledge.ts';

export interface ApiRoute {
  readonly function: Function;
  /** Open to everyone; every other route demands IAM. */
  readonly open?: boolean;
  /** Share of the stage's throttle that this route may take, from 0 to 1. Default: 1. */
  readonly throttleShare?: number;
}

export interface ServiceApiProps {
  readonly stage: StageConfig;
  /** `POST /orders` or `$default` → function. */
  readonly routes: Readonly<Record<string, ApiRoute>>;
}

/** An HTTP API with an authorizer on every route that is not explicitly open, and one access-log line per request. */
export class ServiceApi extends Construct {
  readonly api: HttpApi;

  constructor(scope: Construct, id: string, { stage, routes }: ServiceApiProps) {
    super(scope, id);
    this.api = new HttpApi(this, 'Api', { createDefaultStage: false, disableExecuteApiEndpoint: false });
    const logGroup = new LogGroup(this, 'AccessLogs', { retention: stage.logRetention, removalPolicy: stage.removalPolicy });
    const { ratePerSecond, burst } = stage.throttle;
    const stageResource = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      throttle: { rateLimit: ratePerSecond, burstLimit: burst },
      stageName: '$default',
      autoDeploy: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(logGroup),
        format: AccessLogFormat.custom(
          JSON.stringify({
            requestId: '$context.requestId',
            at: '$context.requestTimeEpoch',
            route: '$context.routeKey',
            status: '$context.status',
            latencyMs: '$context.responseLatency',
            error: '$context.error.message',
          }),
        ),
      },
    });
    const iam = new HttpIamAuthorizer();
    const open = new HttpNoneAuthorizer();
    const integrations = new Map<Function, HttpLambdaIntegration>();
    for (const [key, route] of Object.entries(routes)) {
      const name = key.replaceAll(/[^A-Za-z]+/g, '-');
      const integration = integrations.get(route.function) ?? new HttpLambdaIntegration(`${name}Integration`, route.function);
      integrations.set(route.function, integration);
      const added = new HttpRoute(this, `Route${name}`, {
        httpApi: this.api,
        routeKey: routeKeyOf(key),
        integration,
        authorizer: route.open ? open : iam,
      });
      // The gateway refuses settings for a route that is not there yet.
      if (route.throttleShare !== undefined) stageResource.node.addDependency(added);
      if (route.open) acknowledge(added, 'AwsSolutions-APIG4', 'a health check is asked by load balancers, which have no identity');
    }
    // One route must not use up what the others need: whoever hammers a list does not keep anyone from ordering.
    (stageResource.node.defaultChild as CfnStage).routeSettings = Object.fromEntries(
      Object.entries(routes).flatMap(([key, { throttleShare: share }]) =>
        share === undefined
          ? []
          : [[key, { ThrottlingRateLimit: Math.ceil(ratePerSecond * share), ThrottlingBurstLimit: Math.ceil(burst * share) }]],
      ),
    );
    new CfnOutput(this, 'Url', { value: this.api.apiEndpoint, description: 'Base URL of the API' }).overrideLogicalId('ApiUrl');
  }
}

function routeKeyOf(key: string): HttpRouteKey {
  if (key === '$default') return HttpRouteKey.DEFAULT;
  const [method, path] = key.split(' ');
  if (!method || !path || !Object.hasOwn(HttpMethod, method)) throw new Error(`route ${key}: must be "METHOD /path" or "$default"`);
  return HttpRouteKey.with(path, HttpMethod[method as keyof typeof HttpMethod]);
}
