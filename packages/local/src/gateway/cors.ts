import type { IncomingMessage } from 'node:http';
import { StartProblem } from '../problem.ts';
import { resourcesOf, type Template } from '../template.ts';

/** CorsConfiguration of the template's API. */
export interface CorsConfiguration {
  readonly AllowOrigins?: readonly string[];
  readonly AllowMethods?: readonly string[];
  readonly AllowHeaders?: readonly string[];
  readonly ExposeHeaders?: readonly string[];
  readonly MaxAge?: number;
}

const known = new Set(['AllowOrigins', 'AllowMethods', 'AllowHeaders', 'ExposeHeaders', 'MaxAge']);

/** The configuration of the template's API; empty when it has none. @throws StartProblem for what this gateway does not know */
export function corsOf(template: Template): CorsConfiguration {
  const [[id, { CorsConfiguration = {} }] = ['', {}]] = resourcesOf(template, 'AWS::ApiGatewayV2::Api');
  const unknown = Object.keys(CorsConfiguration as object).filter((key) => !known.has(key));
  const cors = CorsConfiguration as CorsConfiguration;
  if (unknown.length > 0 || cors.AllowOrigins?.some((origin) => origin.includes('*'))) {
    throw new StartProblem(
      `API ${id}: the local runtime knows no wildcard origins, and not ${unknown.join(', ')}. Teach it in packages/local/src/gateway/cors.ts.`,
    );
  }
  return cors;
}

/** Whether a browser asks if a page may send a request. Where CORS is configured and no route matches, the gateway answers that itself. */
export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}

/** What the gateway says to a page's browser: nothing to a page that is not allowed, and the browser then keeps the answer from it. */
export function corsHeaders(cors: CorsConfiguration, request: IncomingMessage): Record<string, string> {
  const { origin } = request.headers;
  const { AllowOrigins = [], AllowMethods = [], AllowHeaders = [], ExposeHeaders = [], MaxAge } = cors;
  if (origin === undefined || !AllowOrigins.includes(origin)) return {};
  const allowed = { 'access-control-allow-origin': origin, vary: 'origin' };
  if (!isPreflight(request)) {
    return ExposeHeaders.length === 0 ? allowed : { ...allowed, 'access-control-expose-headers': ExposeHeaders.join(',') };
  }
  return {
    ...allowed,
    'access-control-allow-methods': AllowMethods.join(','),
    'access-control-allow-headers': AllowHeaders.join(','),
    ...(MaxAge === undefined ? {} : { 'access-control-max-age': String(MaxAge) }),
  };
}
