import type { Handlers } from '../contract/api/documentation.ts';
import { healthOperations } from '../contract/api/health.ts';
import { commonProblems, preflightRoute } from '@outbox-saga/kit/http/contract';
import type { Environment } from '../contract/functions.ts';
import document from '../contract/openapi.json' with { type: 'json' };
import { Problem } from '@outbox-saga/kit/http/problem';
import { createHttpHandler, type RouteHandler } from '@outbox-saga/kit/http/http';
import type { Connections } from '@outbox-saga/kit/function/wiring';

/** What `/orders/{id}` and its like take: a pattern of the paths, and the methods. */
const resources = Object.entries(document.paths).map(([path, operations]) => ({
  pattern: new RegExp(`^${path.replaceAll('.', String.raw`\.`).replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  methods: Object.keys(operations).map((method) => method.toUpperCase()),
}));

export function createHandler(environment: Environment<'health'>, connections: Pick<Connections, 'telemetry' | 'world' | 'faults'>) {
  const { STAGE: stage } = environment;

  /** Says that the gateway reaches a function. It asks no table: a load balancer must not turn away orders because one is slow. */
  const getHealth: Handlers<typeof healthOperations>['getHealth'] = () =>
    Promise.resolve({ status: 200, outcome: 'healthy', body: { status: 'ok', stage } });

  const getDocument: Handlers<typeof healthOperations>['getDocument'] = () =>
    Promise.resolve({ status: 200, outcome: 'read', body: document, headers: { 'cache-control': 'public, max-age=300' } });

  const preflight: RouteHandler = () => Promise.resolve({ status: 204, outcome: 'preflight' });

  /** What no route matches. An HTTP API answers 404 to a wrong method; here the caller learns that only the method is wrong. */
  const noRoute: RouteHandler = (request) => {
    const methods = resources.flatMap(({ pattern, methods: taken }) => (pattern.test(request.path) ? taken : []));
    if (methods.length === 0) throw new Problem(commonProblems.notFound);
    const allow = methods.toSorted().join(', ');
    throw new Problem(commonProblems.methodNotAllowed, {
      detail: `${request.method} is not supported here, only ${allow}`,
      headers: { allow },
    });
  };

  return createHttpHandler({
    operations: healthOperations,
    handlers: { getHealth, getDocument },
    otherRoutes: { [preflightRoute]: preflight, $default: noRoute },
    callers: { proof: 'none' },
    ...connections,
  });
}
