import type { FunctionPool } from '../functions/pool.ts';
import type { Authorize } from './authorizers.ts';

/** A route of the template, connected to the function behind its integration. */
export interface GatewayRoute {
  /** `GET /orders/{id}` or `$default`. */
  readonly key: string;
  readonly pool: FunctionPool;
  /** Whether the template lets the gateway invoke the function at all. */
  readonly permitted: boolean;
  /** Its authorizer; undefined lets everyone pass. */
  readonly authorize: Authorize | undefined;
}

export interface RouteMatch {
  readonly route: GatewayRoute;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Finds the route of a request as an HTTP API does: the most specific path first, `$default` last.
 *
 * @returns 'malformed' for a path whose percent-encoding is broken
 */
export function matchRoute(routes: readonly GatewayRoute[], method: string, path: string): RouteMatch | undefined | 'malformed' {
  const segments = path.split('/').slice(1);
  let best: RouteMatch | undefined;
  let lightest = Number.POSITIVE_INFINITY;
  for (const route of routes) {
    if (route.key === '$default') continue;
    const [verb, template = ''] = route.key.split(' ');
    if (verb !== method && verb !== 'ANY') continue;
    const pattern = template.split('/').slice(1);
    // `{proxy+}` at the end takes all that is left.
    const greedy = /^\{(\w+)\+\}$/.exec(pattern.at(-1) ?? '')?.[1];
    const given =
      greedy === undefined ? segments : [...segments.slice(0, pattern.length - 1), segments.slice(pattern.length - 1).join('/')];
    if (pattern.length !== given.length) continue;
    const params: Record<string, string> = {};
    const fits = pattern.every((part, i) => {
      const name = /^\{(\w+)\+?\}$/.exec(part)?.[1];
      if (name === undefined) return part === given[i];
      if (given[i] === '') return false;
      params[name] = given[i]!;
      return true;
    });
    const weight = Object.keys(params).length + (greedy === undefined ? 0 : 100);
    if (!fits || weight >= lightest) continue;
    try {
      for (const name of Object.keys(params)) params[name] = decodeURIComponent(params[name]!);
    } catch {
      return 'malformed';
    }
    best = { route, params };
    lightest = weight;
  }
  if (best) return best;
  const fallback = routes.find((route) => route.key === '$default');
  return fallback && { route: fallback, params: {} };
}
