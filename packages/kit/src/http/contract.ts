import type * as z from 'zod';

/** One kind of problem document (RFC 9457). Programs tell kinds apart by `type`, which never changes: `urn:problem:` and the slug. */
export interface ProblemDefinition {
  readonly slug: string;
  readonly status: number;
  readonly title: string;
  /** For the caller: why, and what to do. */
  readonly meaning: string;
  /** Seconds after which the same request may succeed; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** The fault is this system's, whatever the status says: it is logged as an error. */
  readonly ours?: true;
}

export function problemType({ slug }: ProblemDefinition): string {
  return `urn:problem:${slug}`;
}

/** What any function behind the API may answer, whatever it is about. */
export const commonProblems = {
  invalidRequest: {
    slug: 'invalid-request',
    status: 400,
    title: 'The request is invalid',
    meaning: '`errors` names every field that is wrong: `items.0.qty`, `header:…`, `query:…`, `path:…`. Nothing was changed.',
  },
  malformedBody: {
    slug: 'malformed-body',
    status: 400,
    title: 'The request body is not JSON',
    meaning: 'The body is empty, not UTF-8 or not JSON.',
  },
  unusableSubject: {
    slug: 'unusable-subject',
    status: 403,
    title: 'The token’s subject cannot be a customer',
    meaning: '`sub` must be 1 to 128 of A-Z a-z 0-9 . _ : @ | - and start with a letter or digit, and must not be `null`.',
  },
  noIdentity: {
    slug: 'no-identity',
    status: 403,
    title: 'Nothing proves who asks',
    meaning: 'The route demands IAM, and the request reached its function without an IAM identity: the route has lost its authorizer.',
    ours: true,
  },
  notFound: {
    slug: 'not-found',
    status: 404,
    title: 'There is no such resource',
    meaning: 'No route has this path. Only callers with an IAM identity are told; the gateway refuses all others with 403.',
  },
  methodNotAllowed: {
    slug: 'method-not-allowed',
    status: 405,
    title: 'This resource does not support the method',
    meaning:
      'The path is right, the method is not; `Allow` names those that are. Only callers with an IAM identity are told; the gateway refuses all others with 403.',
  },
  bodyTooLarge: {
    slug: 'body-too-large',
    status: 413,
    title: 'The request body is too large',
    meaning: 'A body may have at most 64 KB.',
  },
  unsupportedMediaType: {
    slug: 'unsupported-media-type',
    status: 415,
    title: 'The request body must be JSON, and not compressed',
    meaning: 'Send `Content-Type: application/json` without a `Content-Encoding`.',
  },
  internal: {
    slug: 'internal',
    status: 500,
    title: 'Something went wrong on our side',
    meaning: 'The failure is logged under the correlation id. The same request may be sent again: a key makes it the same order.',
  },
  tryAgain: {
    slug: 'try-again',
    status: 503,
    title: 'The service is busy',
    meaning:
      'Contention, throttling, or a service behind this one that did not answer in time. The request may have been carried out: send the same one again, with the same key, after `Retry-After` seconds; it is carried out once.',
    retryAfterSeconds: 1,
  },
} as const satisfies Record<string, ProblemDefinition>;

/** An answer that the gateway gives itself, before any function: `{"message": …}` and no problem document. */
export interface GatewayAnswer {
  readonly status: number;
  readonly message: string;
  readonly when: string;
}

/** What an HTTP API of API Gateway answers by itself. The local runtime gives the same answers. */
export const gatewayAnswers = {
  badRequest: { status: 400, message: 'Bad Request', when: 'the request line, the path’s percent-encoding or a header is malformed' },
  unauthorized: {
    status: 401,
    message: 'Unauthorized',
    when: 'a route for customers was asked without a token, or with one that does not hold',
  },
  forbidden: {
    status: 403,
    message: 'Forbidden',
    when: 'the token lacks the scope; or a route that demands IAM was asked without a valid signature or by an identity that may not. What matches no route demands IAM too',
  },
  notFound: { status: 404, message: 'Not Found', when: 'no route matches (here `$default` always does)' },
  tooLarge: { status: 413, message: 'Request Entity Too Large', when: 'the body has more than 10 MB' },
  tooManyRequests: { status: 429, message: 'Too Many Requests', when: 'the stage’s or the route’s throttle is used up' },
  headersTooLarge: { status: 431, message: 'Request Header Fields Too Large', when: 'the headers have more than 10,240 bytes' },
  internal: { status: 500, message: 'Internal Server Error', when: 'the function crashed or may not be invoked' },
  unavailable: { status: 503, message: 'Service Unavailable', when: 'the function did not answer within 30 seconds' },
} as const satisfies Record<string, GatewayAnswer>;

/** Where browsers ask whether a page may send a request. The gateway adds what it allows to any answer. */
export const preflightRoute = 'OPTIONS /{proxy+}';

/** Given by the caller or made; every answer and log line of a request carries it. */
export const correlationIdPattern = /^[!-~]{1,128}$/;

/**
 * Who may use an operation: `open` everyone; `operator` an IAM identity with `execute-api:Invoke`; a scope: a customer whose token has it,
 * where an issuer is configured, and an IAM identity where none is.
 */
export type Access = 'open' | 'operator' | { readonly scope: string };

/** Access with the share of the stage's throttle that a route may take, from 0 to 1. Default: 1; what anybody may use has one of its own. */
export type RouteAccess =
  | { readonly access: 'open'; readonly throttleShare: number }
  | { readonly access: Exclude<Access, 'open'>; readonly throttleShare?: number };

/**
 * What proves to a function who asks. `token`: a customer is the subject of a JWT, an operator has an IAM identity. `iam`: everyone has an IAM
 * identity, and is trusted to name the customer. `none`: nobody is asked, on a laptop only.
 */
export type Callers =
  | { readonly proof: 'token'; /** What a subject must be to be a customer. */ readonly subject: z.ZodString }
  | { readonly proof: 'iam' | 'none' };

export interface HeaderDefinition {
  readonly description: string;
  readonly schema: z.ZodType;
  readonly required?: boolean;
  readonly example?: string;
}

export interface AnswerDefinition {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly headers?: Readonly<Record<string, HeaderDefinition>>;
  readonly example?: unknown;
}

/** One operation of the API: the OpenAPI document, the template's routes and their authorizers are made from it. */
export type OperationDefinition<FunctionName extends string = string> = RouteAccess & {
  /** `GET /orders/{id}` */
  readonly route: string;
  readonly function: FunctionName;
  readonly summary: string;
  readonly description?: string;
  readonly path?: Readonly<Record<string, { readonly description: string; readonly schema: z.ZodType; readonly example: string }>>;
  readonly query?: z.ZodObject;
  readonly headers?: Readonly<Record<string, HeaderDefinition>>;
  readonly body?: { readonly schema: z.ZodType; readonly examples: Readonly<Record<string, unknown>> };
  /** Status → answer. */
  readonly answers: Readonly<Record<number, AnswerDefinition>>;
  /** Beyond what any function may answer, and what `access` entails. */
  readonly problems?: readonly ProblemDefinition[];
};

/** An operation's own problems: those of its access, and those that it names. */
export function problemsOf({ access, problems = [] }: OperationDefinition): readonly ProblemDefinition[] {
  const { noIdentity, unusableSubject } = commonProblems;
  const refusals = access === 'open' ? [] : access === 'operator' ? [noIdentity] : [noIdentity, unusableSubject];
  return [...refusals, ...problems];
}
