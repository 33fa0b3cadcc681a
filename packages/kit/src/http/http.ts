import middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import * as z from 'zod';
import { describeError, TransientError, classify } from '../errors.ts';
import { commonProblems, correlationIdPattern, problemType, type Callers, type ProblemDefinition } from './contract.ts';
import { duplicateKey } from './json.ts';
import type { InjectedFaults } from '../function/faults.ts';
import { flushTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import type { World } from '../function/world.ts';

/** One wrong field of a request: a path such as `items.0.qty`, `header:idempotency-key` or `query:limit`. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** An answer that is a problem document (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly definition: ProblemDefinition;
  readonly fields: readonly FieldProblem[];
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail what is wrong this time; by default the kind's title, or the fields with their messages */
  constructor(
    definition: ProblemDefinition,
    {
      detail,
      fields = [],
      headers = {},
      cause,
    }: { detail?: string; fields?: readonly FieldProblem[]; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(detail ?? (fields.map(({ field, message }) => `${field}: ${message}`).join('; ') || definition.title), { cause });
    this.definition = definition;
    this.fields = fields;
    this.headers = headers;
  }
}

export function invalid(fields: readonly FieldProblem[]): Problem {
  return new Problem(commonProblems.invalidRequest, { fields });
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
  /** `sub` of the token that the gateway has verified; undefined where IAM let the caller in, who may reach every customer. */
  readonly subject: string | undefined;
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

/** Whether a caller may know of what belongs to `owner`. */
export function isFor({ subject }: HttpRequest, owner: string): boolean {
  return subject === undefined || subject === owner;
}

/** Route key → handler. `$default` gets what no route matches. */
export type HttpRoutes = Readonly<Record<string, HttpHandler>>;

export interface HttpOptions {
  /** The routes by whom they are for: `subjects` come with a token, or as an IAM identity where no issuer is configured. A request that does not prove to be of those is refused, whatever let it in. */
  readonly routes: { readonly subjects?: HttpRoutes; readonly operators?: HttpRoutes; readonly everyone?: HttpRoutes };
  readonly callers: Callers;
  readonly telemetry: Telemetry;
  readonly world: World;
  readonly faults: InjectedFaults;
}

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
      const correlationId = given !== undefined && correlationIdPattern.test(given) ? given : world.newId();
      let response: HttpResponse;
      let body: string;
      let failure: string | undefined;
      try {
        if (given !== undefined && given !== correlationId) {
          throw invalid([{ field: 'header:x-correlation-id', message: 'must be 1 to 128 visible ASCII characters' }]);
        }
        const { handler, subject } = routeOf(event, options);
        await options.faults.before();
        response = await handler(requestOf(event, correlationId, subject));
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

/** @throws Problem 403 for a caller that the route is not for, 404 for a route that the function does not have */
function routeOf(event: APIGatewayProxyEventV2, { routes, callers }: HttpOptions): { handler: HttpHandler; subject: string | undefined } {
  const { routeKey } = event;
  const [subjects, operators, everyone] = [routes.subjects?.[routeKey], routes.operators?.[routeKey], routes.everyone?.[routeKey]];
  const handler = subjects ?? operators ?? everyone;
  if (!handler) throw new Problem(commonProblems.notFound);
  if ((!subjects && !operators) || callers.proof === 'none') return { handler, subject: undefined };
  if (subjects && callers.proof === 'token') return { handler, subject: subjectOf(event, callers.subject) };
  demandIam(event);
  return { handler, subject: undefined };
}

/** What the route's authorizer says of the caller: API Gateway puts it into the event, and no caller can. */
interface Authorizer {
  readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> };
  readonly iam?: { readonly userArn?: unknown };
}

function authorizerOf({ requestContext }: APIGatewayProxyEventV2): Authorizer {
  return (requestContext as { readonly authorizer?: Authorizer }).authorizer ?? {};
}

function subjectOf(event: APIGatewayProxyEventV2, schema: z.ZodString): string {
  const subject = schema.safeParse(authorizerOf(event).jwt?.claims?.['sub']);
  if (!subject.success) throw new Problem(commonProblems.unusableSubject);
  return subject.data;
}

function demandIam(event: APIGatewayProxyEventV2): void {
  const userArn = authorizerOf(event).iam?.userArn;
  if (typeof userArn !== 'string' || userArn === '') {
    throw new Problem(commonProblems.noIdentity, { detail: 'the request carries no IAM identity' });
  }
}

function requestOf(event: APIGatewayProxyEventV2, correlationId: string, subject: string | undefined): HttpRequest {
  return {
    routeKey: event.routeKey,
    method: event.requestContext.http.method,
    path: event.rawPath,
    params: (event.pathParameters ?? {}) as Record<string, string>,
    query: (event.queryStringParameters ?? {}) as Record<string, string>,
    headers: event.headers as Record<string, string>,
    correlationId,
    subject,
    text: (maxBytes) => bodyText(event, maxBytes),
  };
}

function bodyText(event: APIGatewayProxyEventV2, maxBytes: number): string {
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > maxBytes) {
    throw new Problem(commonProblems.bodyTooLarge, {
      detail: `body: ${bytes.length} bytes, at most ${maxBytes} are accepted`,
      fields: [{ field: 'body', message: `must be at most ${maxBytes} bytes` }],
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Problem(commonProblems.malformedBody, { cause, fields: [{ field: 'body', message: 'is not UTF-8' }] });
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
    throw new Problem(commonProblems.unsupportedMediaType, {
      fields: [{ field: 'header:content-type', message: 'must be application/json' }],
    });
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    // A few compressed kilobytes can be gigabytes; an order needs none of it.
    throw new Problem(commonProblems.unsupportedMediaType, {
      fields: [{ field: 'header:content-encoding', message: 'must be absent or identity' }],
    });
  }
  const text = request.text(maxBytes);
  let received: unknown;
  try {
    received = JSON.parse(text);
  } catch (cause) {
    const message = text.trim() === '' ? 'is empty' : 'is not JSON';
    throw new Problem(commonProblems.malformedBody, { cause, fields: [{ field: 'body', message }] });
  }
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw invalid([{ field: 'body', message: `has the key ${JSON.stringify(twice.slice(0, 100))} twice in one object` }]);
  const parsed = schema.safeParse(received);
  if (!parsed.success) throw invalid(fieldProblems(parsed.error, 'body'));
  return { received, value: parsed.data };
}

/** A header's value; undefined when the request has none. @throws Problem 400 that says what is wrong with it */
export function readHeader<Schema extends z.ZodType>(request: HttpRequest, name: string, schema: Schema): z.infer<Schema> | undefined {
  const value = request.headers[name];
  if (value === undefined) return undefined;
  const parsed = schema.safeParse(value.trim());
  if (!parsed.success) throw invalid(fieldProblems(parsed.error, `header:${name}`));
  return parsed.data;
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
  // What contention, throttling or a call without an answer stopped may be tried again by the client, under the same key.
  if (error instanceof TransientError || (verdict.class === 'transient' && verdict.reason !== 'unknown')) {
    return new Problem(commonProblems.tryAgain, {
      detail: 'the request may or may not have been carried out; send the same one again, with the same key: it is carried out once',
      cause: error,
    });
  }
  return new Problem(commonProblems.internal, { detail: 'the failure is logged under the correlation id', cause: error });
}

/** @throws TypeError for a value that JSON cannot express */
function textOf({ body }: HttpResponse): string {
  return body === undefined ? '' : JSON.stringify(body);
}

function responseOf({ definition, message, fields, headers }: Problem, correlationId: string): HttpResponse {
  const { status, slug, title, retryAfterSeconds } = definition;
  return {
    status,
    outcome: slug,
    headers: { ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }), ...headers },
    body: {
      type: problemType(definition),
      title,
      status,
      detail: message,
      ...(fields.length > 0 ? { errors: fields } : {}),
      correlationId,
    },
  };
}
