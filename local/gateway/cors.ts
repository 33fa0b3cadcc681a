import type { IncomingMessage } from 'node:http';

/** CorsConfiguration of the template's API. */
export interface CorsConfiguration {
  readonly AllowOrigins?: readonly string[];
  readonly AllowMethods?: readonly string[];
  readonly AllowHeaders?: readonly string[];
  readonly ExposeHeaders?: readonly string[];
  readonly MaxAge?: number;
}

/** Whether a browser asks if a page may send a request; where CORS is configured the gateway answers that itself, whatever the routes are. */
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
