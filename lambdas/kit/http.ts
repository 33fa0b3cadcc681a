import middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import * as z from 'zod';
import { describeError, TransientError, classify } from '../contract/core/errors.ts';
import { duplicateKey } from './json.ts';
import type { InjectedFaults } from './faults.ts';
import { flushTelemetry, type Telemetry } from './telemetry.ts';
import type { World } from './world.ts';

/** One wrong field of a request: a path such as `items.0.qty`, `header:idempotency-key` or `query:limit`. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** An answer that is a problem document (RFC 9457). `type` is `urn:problem:` and a stable slug. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly slug: string;
  readonly title: string;
  readonly fields: readonly FieldProblem[];
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    slug: string,
    title: string,
    options: { detail?: string; fields?: readonly FieldProblem[]; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(options.detail ?? title, { cause: options.cause });
    this.status = status;
    this.slug = slug;
    this.title = title;
    this.fields = options.fields ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export function invalid(fields: readonly FieldProblem[]): Problem {
  const detail = fields.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return new Problem(400, 'invalid-request', 'The request is invalid', { detail, fields });
}

export interface HttpRequest {
  /** `GET /orders/{id}` as in the template, or `$default`. */
  readonly routeKey: string;
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly correlationId: string;
  /** The body's text. @throws Problem 400 when it is not UTF-8, 413 when it is too large */
  text(maxBytes: number): string;
}

export interface HttpResponse {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log line: what became of the request. */
  readonly outcome?: string;
  readonly aggregateId?: string;
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

export interface HttpOptions {
  /** Route key → handler. `$default` gets what no route matches. */
  readonly routes: Readonly<Record<string, HttpHandler>>;
  readonly telemetry: Telemetry;
  readonly world: World;
  readonly faults: InjectedFaults;
}

const correlationPattern = /^[!-~]{1,128}$/;

/** A Lambda handler for routes of an HTTP API (payload format 2.0). Whatever happens, the answer is JSON or a problem document. */
export function createHttpHandler(
  options: HttpOptions,
): (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2> {
  const { telemetry, world } = options;
  return middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, Context>()
    .use(flushTelemetry(telemetry))
    .handler(async (event) => {
      const startedAt = world.now();
      const given = event.headers['x-correlation-id'];
      const correlationId = given !== undefined && correlationPattern.test(given) ? given : world.newId();
      let response: HttpResponse;
      let failure: string | undefined;
      try {
        if (given !== undefined && given !== correlationId) {
          throw invalid([{ field: 'header:x-correlation-id', message: 'must be 1 to 128 visible ASCII characters' }]);
        }
        const request = requestOf(event, correlationId);
        const handler = options.routes[request.routeKey];
        if (!handler) throw new Problem(404, 'not-found', 'There is no such resource');
        await options.faults.before();
        response = await handler(request);
      } catch (error) {
        const problem = problemOf(error);
        if (problem.status >= 500) failure = describeError(error);
        response = responseOf(problem, correlationId);
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
      if (response.status >= 500) telemetry.error('request', fields);
      else telemetry.info('request', fields);
      const problem = response.status >= 400;
      return {
        statusCode: response.status,
        headers: {
          'content-type': problem ? 'application/problem+json' : 'application/json',
          'x-correlation-id': correlationId,
          'cache-control': 'no-store',
          ...response.headers,
        },
        body: response.body === undefined ? '' : JSON.stringify(response.body),
      };
    });
}

function requestOf(event: APIGatewayProxyEventV2, correlationId: string): HttpRequest {
  return {
    routeKey: event.routeKey,
    method: event.requestContext.http.method,
    path: event.rawPath,
    params: (event.pathParameters ?? {}) as Record<string, string>,
    query: (event.queryStringParameters ?? {}) as Record<string, string>,
    headers: event.headers as Record<string, string>,
    correlationId,
    text: (maxBytes) => bodyText(event, maxBytes),
  };
}

function bodyText(event: APIGatewayProxyEventV2, maxBytes: number): string {
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > maxBytes) {
    throw new Problem(413, 'body-too-large', 'The request body is too large', {
      detail: `body: ${bytes.length} bytes, at most ${maxBytes} are accepted`,
      fields: [{ field: 'body', message: `must be at most ${maxBytes} bytes` }],
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Problem(400, 'malformed-body', 'The request body is not UTF-8', {
      cause,
      fields: [{ field: 'body', message: 'is not UTF-8' }],
    });
  }
}

/** Parses a JSON body and checks it by its schema. @throws Problem 400, 413 or 415 that names what is wrong */
export function readJson<Schema extends z.ZodType>(
  request: HttpRequest,
  schema: Schema,
  maxBytes: number,
): { received: unknown; value: z.infer<Schema> } {
  const contentType = request.headers['content-type'];
  if (contentType !== undefined && !/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType)) {
    throw new Problem(415, 'unsupported-media-type', 'The request body must be JSON', {
      detail: 'header:content-type: must be application/json',
      fields: [{ field: 'header:content-type', message: 'must be application/json' }],
    });
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    // A few compressed kilobytes can be gigabytes; an order needs none of it.
    throw new Problem(415, 'unsupported-media-type', 'The request body must not be compressed', {
      detail: 'header:content-encoding: must be absent or identity',
      fields: [{ field: 'header:content-encoding', message: 'must be absent or identity' }],
    });
  }
  const text = request.text(maxBytes);
  let received: unknown;
  try {
    received = JSON.parse(text);
  } catch (cause) {
    const message = text.trim() === '' ? 'is empty' : 'is not JSON';
    throw new Problem(400, 'malformed-body', 'The request body is not JSON', {
      cause,
      detail: `body: ${message}`,
      fields: [{ field: 'body', message }],
    });
  }
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw invalid([{ field: 'body', message: `has the key ${JSON.stringify(twice.slice(0, 100))} twice in one object` }]);
  const parsed = schema.safeParse(received);
  if (!parsed.success) throw invalid(fieldProblems(parsed.error, 'body'));
  return { received, value: parsed.data };
}

/** The issues of a schema error, each with the path of its field; `root` names the whole when there is no path. */
export function fieldProblems(error: z.ZodError, root: string, prefix = ''): FieldProblem[] {
  return error.issues.flatMap((issue): FieldProblem[] => {
    const path = issue.path.join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: prefix + [...issue.path, key].join('.').slice(0, 100),
        message: 'is not a known field',
      }));
    }
    return [{ field: path === '' ? root : prefix + path, message: issue.message }];
  });
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const verdict = classify(error);
  // What contention or throttling stopped may be tried again by the client, under the same key.
  if (error instanceof TransientError || (verdict.class === 'transient' && verdict.reason !== 'unknown')) {
    return new Problem(503, 'try-again', 'The service is busy', {
      detail: 'nothing was changed; send the same request again',
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  return new Problem(500, 'internal', 'Something went wrong on our side', {
    detail: 'the failure is logged under the correlation id',
    cause: error,
  });
}

function responseOf(problem: Problem, correlationId: string): HttpResponse {
  return {
    status: problem.status,
    outcome: problem.slug,
    ...(problem.retryAfterSeconds === undefined ? {} : { headers: { 'retry-after': String(problem.retryAfterSeconds) } }),
    body: {
      type: `urn:problem:${problem.slug}`,
      title: problem.title,
      status: problem.status,
      detail: problem.message,
      ...(problem.fields.length > 0 ? { errors: problem.fields } : {}),
      correlationId,
    },
  };
}
