import { CfnOutput } from 'aws-cdk-lib';
import {
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
    new HttpStage(this, 'Stage', {
      httpApi: this.api,
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
      if (route.open) acknowledge(added, 'AwsSolutions-APIG4', 'a health check is asked by load balancers, which have no identity');
    }
    new CfnOutput(this, 'Url', { value: this.api.apiEndpoint, description: 'Base URL of the API' }).overrideLogicalId('ApiUrl');
  }
}

function routeKeyOf(key: string): HttpRouteKey {
  if (key === '$default') return HttpRouteKey.DEFAULT;
  const [method, path] = key.split(' ');
  if (!method || !path || !Object.hasOwn(HttpMethod, method)) throw new Error(`route ${key}: must be "METHOD /path" or "$default"`);
  return HttpRouteKey.with(path, HttpMethod[method as keyof typeof HttpMethod]);
}
