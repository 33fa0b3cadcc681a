import middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { describeError } from '../errors.ts';
import { commonProblems, correlationIdPattern, type Access, type Caller, type Callers } from './contract.ts';
import type { HttpRequest, HttpResponse, Operations, RequestOf } from './operations.ts';
import type { InjectedFaults } from '../function/faults.ts';
import { callerOf } from './caller.ts';
import { invalid, Problem, problemOf, responseOf } from './problem.ts';
import { parseRequest } from './request.ts';
import { flushTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import type { World } from '../function/world.ts';

/** What answers at a route that is no operation of the API. */
export type RouteHandler = (request: { readonly method: string; readonly path: string }) => Promise<HttpResponse>;

export interface HttpOptions<Declared extends Operations> {
  readonly operations: Declared;
  /** One for each operation, and no other. It gets what the operation's schemas made of the request. */
  readonly handlers: { readonly [Name in keyof NoInfer<Declared>]: (request: RequestOf<Declared[Name]>) => Promise<HttpResponse> };
  /**
   * Route key → what answers there, though it is no operation: `$default`, which gets what no route matches, and preflights. To the function they are
   * open: none of them tells anything.
   */
  readonly otherRoutes?: Readonly<Record<string, RouteHandler>>;
  readonly callers: Callers;
  readonly telemetry: Telemetry;
  readonly world: World;
  readonly faults: InjectedFaults;
}

/** What stands behind a route. */
interface Endpoint {
  readonly access: Access;
  readonly respond: (event: APIGatewayProxyEventV2, caller: Caller, correlationId: string) => Promise<HttpResponse>;
}

/** A Lambda handler for operations of an HTTP API (payload format 2.0). Whatever happens, the answer is JSON or a problem document. */
export function createHttpHandler<const Declared extends Operations>(
  options: HttpOptions<Declared>,
): (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2> {
  const { telemetry, world } = options;
  const endpoints = endpointsOf(options);
  return middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, Context>()
    .use(flushTelemetry(telemetry))
    .handler(async (event) => {
      const startedAt = world.now();
      const given = event.headers['x-correlation-id'];
      const correlationId = given !== undefined && correlationIdPattern.test(given) ? given : world.newId();
      let response: HttpResponse;
      let body: string;
      let failure: string | undefined;
      try {
        if (given !== undefined && given !== correlationId) {
          throw invalid([{ field: 'header:x-correlation-id', message: 'must be 1 to 128 visible ASCII characters' }]);
        }
        const endpoint = endpoints.get(event.routeKey);
        if (!endpoint) throw new Problem(commonProblems.notFound);
        const caller = callerOf(event, endpoint.access, options.callers);
        await options.faults.before();
        response = await endpoint.respond(event, caller, correlationId);
        // Here, so that an answer that JSON cannot express is an answer of ours too, and is logged as what it is.
        body = textOf(response);
      } catch (error) {
        const problem = problemOf(error);
        const { status, ours = status >= 500 } = problem.definition;
        if (ours) failure = describeError(error);
        response = responseOf(problem, correlationId);
        body = textOf(response);
      }
      const fields = {
        correlationId,
        aggregateId: response.aggregateId,
        route: event.routeKey,
        status: response.status,
        outcome: response.outcome,
        error: failure,
        durationMs: world.now() - startedAt,
      };
      if (failure !== undefined || response.status >= 500) telemetry.error('request', fields);
      else telemetry.info('request', fields);
      const problem = response.status >= 400;
      return {
        statusCode: response.status,
        headers: {
          ...(response.body === undefined ? {} : { 'content-type': problem ? 'application/problem+json' : 'application/json' }),
          'x-correlation-id': correlationId,
          'cache-control': 'no-store',
          ...response.headers,
        },
        body,
      };
    });
}

/** Route key → what stands there. */
function endpointsOf<Declared extends Operations>({
  operations,
  handlers,
  otherRoutes = {},
}: HttpOptions<Declared>): Map<string, Endpoint> {
  const endpoints = new Map<string, Endpoint>();
  for (const [name, operation] of Object.entries(operations)) {
    const handler = handlers[name] as (request: HttpRequest) => Promise<HttpResponse>;
    endpoints.set(operation.route, {
      access: operation.access,
      respond: async (event, caller, correlationId) => handler({ ...parseRequest(operation, event), caller, correlationId }),
    });
  }
  for (const [route, handler] of Object.entries(otherRoutes)) {
    endpoints.set(route, {
      access: 'open',
      respond: ({ requestContext, rawPath: path }) => handler({ method: requestContext.http.method, path }),
    });
  }
  return endpoints;
}

/** @throws TypeError for a value that JSON cannot express */
function textOf({ body }: HttpResponse): string {
  return body === undefined ? '' : JSON.stringify(body);
}
