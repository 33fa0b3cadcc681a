import type { Construct } from 'constructs';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { corsHeaders, operations } from '../../lambdas/contract/api.ts';
import { preflightRoute } from '@outbox-saga/kit/http/contract';
import { ServiceApi, type ApiRoute, type ServiceApiProps } from '@outbox-saga/constructs/service-api';
import type { OrderServices } from './order-services.ts';

export interface HttpApiProps extends Pick<ServiceApiProps, 'issuer' | 'throttle' | 'logRetention' | 'removalPolicy'> {
  /** Web origins that may call the API. */
  readonly corsOrigins: readonly string[];
}

/** The API: its contract's operations in front of their functions, health, and an answer for what matches no route. */
export function addHttpApi(scope: Construct, services: OrderServices, { corsOrigins, ...props }: HttpApiProps): HttpApi {
  const health = services.function('health', {});
  const routes: Readonly<Record<string, ApiRoute>> = {
    // A browser asks before it sends, and proves nothing then. The gateway would answer by itself, but for $default, which demands IAM.
    ...(corsOrigins.length > 0 ? { [preflightRoute]: { function: health, access: 'open', throttleShare: 0.5 } } : {}),
    ...Object.fromEntries(
      Object.values(operations).map(({ function: name, route, ...access }) => [route, { function: services.made(name), ...access }]),
    ),
    $default: { function: health, access: 'operator', throttleShare: 0.1 },
  };
  return new ServiceApi(scope, 'Http', { ...props, routes, cors: { origins: corsOrigins, ...corsHeaders } }).api;
}
