import { Aws, CfnOutput, Duration, Fn, RemovalPolicy } from 'aws-cdk-lib';
import {
  type CfnStage,
  CorsHttpMethod,
  type CorsPreflightOptions,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpRouteKey,
  HttpStage,
  HttpRoute,
  type IHttpRouteAuthorizer,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { preflightRoute, type RouteAccess } from '@outbox-saga/kit/http/contract';
import { acknowledge } from './acknowledge.ts';

/**
 * Who may ask: everyone (`open`), IAM identities with `execute-api:Invoke` (`operator`), or customers whose token has the scope; and the share of the
 * stage's throttle that the route may take, from 0 to 1 (default 1). An open route must have one: anybody can use it up.
 */
export type ApiRoute = { readonly function: Function } & RouteAccess;

/** Who issues customers' tokens. */
export interface TokenIssuer {
  /** `https://…`: API Gateway reads its keys from `/.well-known/openid-configuration` below it. */
  readonly url: string;
  /** Tokens must be for one of these: `aud`, or `client_id` where a token has no `aud`. */
  readonly audience: readonly string[];
}

/** Which web pages may call the API from a browser. */
export interface CrossOrigin {
  /** `https://shop.example`; none: no page may. */
  readonly origins: readonly string[];
  /** Headers that a page may send. */
  readonly requestHeaders: readonly string[];
  /** Headers of an answer that a page may read. */
  readonly answerHeaders: readonly string[];
}

/** What the API takes: requests a second, and how many at once beyond that. The gateway answers 429 to the rest. */
export interface Throttle {
  readonly ratePerSecond: number;
  readonly burst: number;
}

export interface ServiceApiProps {
  /** `POST /orders` or `$default` → function. */
  readonly routes: Readonly<Record<string, ApiRoute>>;
  /** Without one, routes for customers demand IAM as the operator's do. */
  readonly issuer?: TokenIssuer | undefined;
  /** Default: no page of another origin may call the API. */
  readonly cors?: CrossOrigin | undefined;
  /** Default: 1,000 a second and 2,000 at once, a tenth and two fifths of what an account has in most regions. */
  readonly throttle?: Throttle | undefined;
  /** How long lines of the access log are kept. Default: a month. */
  readonly logRetention?: RetentionDays | undefined;
  /** What becomes of the access log when it leaves the stack. Default: `RETAIN`. */
  readonly removalPolicy?: RemovalPolicy | undefined;
}

const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
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
  }),
);

/** An HTTP API with an authorizer on every route that is not explicitly open, and one access-log line per request. */
export class ServiceApi extends Construct {
  readonly api: HttpApi;

  /** @throws Error for a route that is not `METHOD /path` or `$default` */
  constructor(scope: Construct, id: string, props: ServiceApiProps) {
    super(scope, id);
    const { routes, issuer, cors, throttle = { ratePerSecond: 1000, burst: 2000 } } = props;
    this.api = new HttpApi(this, 'Api', {
      createDefaultStage: false,
      disableExecuteApiEndpoint: false,
      ...(cors && cors.origins.length > 0 ? { corsPreflight: preflightOf(cors, Object.keys(routes)) } : {}),
    });
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      throttle: { rateLimit: throttle.ratePerSecond, burstLimit: throttle.burst },
      stageName: '$default',
      autoDeploy: true,
      accessLogSettings: { destination: new LogGroupLogDestination(this.#accessLogs(props)), format: accessLogFormat },
    });
    for (const { route, throttleShare } of this.#addRoutes(routes, issuer)) {
      // The gateway refuses settings for a route that is not there yet.
      if (throttleShare !== undefined) stage.node.addDependency(route);
    }
    (stage.node.defaultChild as CfnStage).routeSettings = routeSettingsOf(routes, throttle);
    new CfnOutput(this, 'Url', { value: this.api.apiEndpoint, description: 'Base URL of the API' }).overrideLogicalId('ApiUrl');
  }

  #accessLogs({ logRetention = RetentionDays.ONE_MONTH, removalPolicy = RemovalPolicy.RETAIN }: ServiceApiProps): LogGroup {
    return new LogGroup(this, 'AccessLogs', {
      // The gateway adds each group elsewhere to one policy of the account, which has room for few. The end of the stack's id keeps a stack that
      // is deployed again apart from the group that the one before it left.
      logGroupName: `/aws/vendedlogs/${Aws.STACK_NAME}/api-access-${Fn.select(2, Fn.split('/', Aws.STACK_ID))}`,
      retention: logRetention,
      removalPolicy,
    });
  }

  #addRoutes(routes: ServiceApiProps['routes'], issuer: TokenIssuer | undefined) {
    const iam = new HttpIamAuthorizer();
    const open = new HttpNoneAuthorizer();
    const subjects = issuer ? new HttpJwtAuthorizer('Customers', issuer.url, { jwtAudience: [...issuer.audience] }) : iam;
    const integrations = new Map<Function, HttpLambdaIntegration>();
    return Object.entries(routes).map(([key, route]) => {
      const name = key.replaceAll(/[^A-Za-z]+/g, '-');
      const integration = integrations.get(route.function) ?? new HttpLambdaIntegration(`${name}Integration`, route.function);
      integrations.set(route.function, integration);
      const authorizer: IHttpRouteAuthorizer = route.access === 'open' ? open : route.access === 'operator' ? iam : subjects;
      const added = new HttpRoute(this, `Route${name}`, {
        httpApi: this.api,
        routeKey: routeKeyOf(key),
        integration,
        authorizer,
        ...(issuer && typeof route.access === 'object' ? { authorizationScopes: [route.access.scope] } : {}),
      });
      if (route.access === 'open')
        acknowledge(added, 'AwsSolutions-APIG4', 'it tells nothing about anyone, and who asks may have no identity yet');
      return { route: added, throttleShare: route.throttleShare };
    });
  }
}

/** One route must not use up what the others need: whoever hammers a list does not keep anyone from ordering. */
function routeSettingsOf(routes: ServiceApiProps['routes'], { ratePerSecond, burst }: Throttle): CfnStage['routeSettings'] {
  return Object.fromEntries(
    Object.entries(routes).flatMap(([key, { throttleShare: share }]) =>
      share === undefined
        ? []
        : [[key, { ThrottlingRateLimit: Math.ceil(ratePerSecond * share), ThrottlingBurstLimit: Math.ceil(burst * share) }]],
    ),
  );
}

function preflightOf({ origins, requestHeaders, answerHeaders }: CrossOrigin, routes: readonly string[]): CorsPreflightOptions {
  const methods = new Set(routes.flatMap((key) => (key === '$default' || key === preflightRoute ? [] : key.split(' ')[0]!)));
  return {
    allowOrigins: [...origins],
    allowMethods: [...methods].map((method) => CorsHttpMethod[method as keyof typeof CorsHttpMethod]),
    allowHeaders: [...requestHeaders],
    exposeHeaders: [...answerHeaders],
    maxAge: Duration.hours(1),
  };
}

function routeKeyOf(key: string): HttpRouteKey {
  if (key === '$default') return HttpRouteKey.DEFAULT;
  const [method, path] = key.split(' ');
  if (!method || !path || !Object.hasOwn(HttpMethod, method)) throw new Error(`route ${key}: must be "METHOD /path" or "$default"`);
  return HttpRouteKey.with(path, HttpMethod[method as keyof typeof HttpMethod]);
}
