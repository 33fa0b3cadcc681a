import { commonProblems, preflightRoute } from '../contract/core/http.ts';
import type { Environment } from '../contract/functions.ts';
import document from '../contract/openapi.json' with { type: 'json' };
import { createHttpHandler, Problem, type HttpHandler } from '../kit/http.ts';
import type { Connections } from '../kit/wiring.ts';

/** `/orders/{id}` → a pattern of its paths. */
const paths = Object.keys(document.paths).map(
  (path) => new RegExp(`^${path.replaceAll('.', String.raw`\.`).replaceAll(/\{\w+\}/g, '[^/]+')}$`),
);

export function createHandler(environment: Environment<'health'>, connections: Pick<Connections, 'telemetry' | 'world' | 'faults'>) {
  const { STAGE: stage } = environment;

  /** Says that the gateway reaches a function. It asks no table: a load balancer must not turn away orders because one is slow. */
  const health: HttpHandler = () => Promise.resolve({ status: 200, outcome: 'healthy', body: { status: 'ok', stage } });

  const openApi: HttpHandler = () =>
    Promise.resolve({ status: 200, outcome: 'read', body: document, headers: { 'cache-control': 'public, max-age=300' } });

  const preflight: HttpHandler = () => Promise.resolve({ status: 204, outcome: 'preflight' });

  /** What no route matches. An HTTP API answers 404 to a wrong method; here the caller learns that only the method is wrong. */
  const noRoute: HttpHandler = (request) => {
    if (paths.some((pattern) => pattern.test(request.path))) {
      throw new Problem(commonProblems.methodNotAllowed, { detail: `${request.method} is not supported here` });
    }
    throw new Problem(commonProblems.notFound);
  };

  return createHttpHandler({
    routes: { 'GET /health': health, 'GET /openapi.json': openApi, [preflightRoute]: preflight, $default: noRoute },
    ...connections,
  });
}
