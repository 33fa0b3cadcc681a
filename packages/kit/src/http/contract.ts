import type * as z from 'zod';

/** One kind of problem document (RFC 9457). Programs tell kinds apart by `type`, which never changes: `urn:problem:` and the slug. */
export interface ProblemDefinition {
  readonly slug: string;
  readonly status: number;
  readonly title: string;
  /** What is wrong, for people, where neither the occasion nor a wrong field says more. Default: the title. */
  readonly detail?: string;
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
  invalidRequest: { slug: 'invalid-request', status: 400, title: 'The request is invalid' },
  malformedBody: { slug: 'malformed-body', status: 400, title: 'The request body is not JSON' },
  noIdentity: { slug: 'no-identity', status: 403, title: 'Nothing proves who asks', ours: true },
  notFound: { slug: 'not-found', status: 404, title: 'There is no such resource' },
  methodNotAllowed: { slug: 'method-not-allowed', status: 405, title: 'This resource does not support the method' },
  bodyTooLarge: { slug: 'body-too-large', status: 413, title: 'The request body is too large' },
  unsupportedMediaType: { slug: 'unsupported-media-type', status: 415, title: 'The request body must be JSON, and not compressed' },
  internal: { slug: 'internal', status: 500, title: 'Something went wrong on our side' },
  tryAgain: { slug: 'try-again', status: 503, title: 'The service is busy', retryAfterSeconds: 1 },
} as const satisfies Record<string, ProblemDefinition>;

/** An answer that the gateway gives itself, before any function: `{"message": …}` and no problem document. */
export interface GatewayAnswer {
  readonly status: number;
  readonly message: string;
}

/** What an HTTP API of API Gateway answers by itself. The local runtime gives the same answers. */
export const gatewayAnswers = {
  badRequest: { status: 400, message: 'Bad Request' },
  unauthorized: { status: 401, message: 'Unauthorized' },
  forbidden: { status: 403, message: 'Forbidden' },
  notFound: { status: 404, message: 'Not Found' },
  tooLarge: { status: 413, message: 'Request Entity Too Large' },
  tooManyRequests: { status: 429, message: 'Too Many Requests' },
  headersTooLarge: { status: 431, message: 'Request Header Fields Too Large' },
  internal: { status: 500, message: 'Internal Server Error' },
  unavailable: { status: 503, message: 'Service Unavailable' },
} as const satisfies Record<string, GatewayAnswer>;

/** Where browsers ask whether a page may send a request. The gateway adds what it allows to any answer. */
export const preflightRoute = 'OPTIONS /{proxy+}';

/** Given by the caller or made; every answer and log line of a request carries it. */
export const correlationIdPattern = /^[!-~]{1,128}$/;

/**
 * Who may use an operation: `open` everyone; `operator` an IAM identity with `execute-api:Invoke`; a scope: whoever has a token with it,
 * where an issuer is configured, and an IAM identity where none is.
 */
export type Access = 'open' | 'operator' | { readonly scope: string };

/** Access with the share of the stage's throttle that a route may take, from 0 to 1. Default: 1; what anybody may use has one of its own. */
export type RouteAccess =
  | { readonly access: 'open'; readonly throttleShare: number }
  | { readonly access: Exclude<Access, 'open'>; readonly throttleShare?: number };

/**
 * What proves to a function who asks. `token`: a JWT, where the operation has a scope, and an IAM identity where it is the operator's. `iam`: everyone has
 * an IAM identity, and is trusted to say for whom they ask. `none`: nobody is asked, on a laptop only.
 */
export type Callers =
  | {
      readonly proof: 'token';
      /** What the subject of a token must be. */
      readonly subject: z.ZodString;
      /** What a token with another subject is told. */
      readonly unusableSubject: ProblemDefinition;
    }
  | { readonly proof: 'iam' | 'none' };

/** Who asks. */
export interface Caller {
  /** `sub` of the token that the gateway has verified; undefined where IAM let the caller in, who may reach what is anybody's. */
  readonly subject: string | undefined;
}
