import type { Environment } from '../contract/functions.ts';
import { createHttpHandler, Problem, type HttpHandler } from '../kit/http.ts';
import type { Connections } from '../kit/wiring.ts';

const knownPaths = [/^\/health$/, /^\/orders$/, /^\/orders\/[^/]+$/, /^\/orders\/[^/]+\/(timeline|cancel)$/, /^\/admin\/stock\/[^/]+$/];

export function createHandler(environment: Environment<'health'>, connections: Pick<Connections, 'telemetry' | 'world' | 'faults'>) {
  const { STAGE: stage } = environment;

  /** Says that the gateway reaches a function. It asks no table: a load balancer must not turn away orders because one is slow. */
  const health: HttpHandler = () => Promise.resolve({ status: 200, outcome: 'healthy', body: { status: 'ok', stage } });

  /** What no route matches. An HTTP API answers 404 to a wrong method; here the caller learns that only the method is wrong. */
  const noRoute: HttpHandler = (request) => {
    if (knownPaths.some((pattern) => pattern.test(request.path))) {
      throw new Problem(405, 'method-not-allowed', 'This resource does not support the method', {
        detail: `${request.method} is not supported here`,
      });
    }
    throw new Problem(404, 'not-found', 'There is no such resource');
  };

  return createHttpHandler({
    routes: { 'GET /health': health, $default: noRoute },
    ...connections,
  });
}
