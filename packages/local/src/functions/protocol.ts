/**
 * Node reads it before it loads anything, so that not even the sandbox's own sources are parsed again. It is taken away before the function's code is
 * loaded: Lambda has none.
 */
export const compileCacheVariable = 'NODE_COMPILE_CACHE';

/** One invocation, as the runtime sends it to an environment. */
export interface ToEnvironment {
  readonly kind: 'invocation';
  readonly requestId: string;
  /** JSON. */
  readonly event: string;
  /** When the environment is killed, in milliseconds since 1970. */
  readonly deadline: number;
  readonly traceHeader: string;
  readonly functionArn: string;
  /** Variables that change while the environment lives; empty text removes one. Lambda has none. */
  readonly variables: Readonly<Record<string, string>>;
}

export type FromEnvironment =
  | { readonly kind: 'ready'; readonly initMs: number }
  | { readonly kind: 'result'; readonly requestId: string; readonly payload: string }
  | {
      readonly kind: 'error';
      readonly requestId: string;
      readonly errorType: string;
      readonly errorMessage: string;
      readonly trace: string;
    };

/** What a thread knows from its start. */
export interface ThreadData {
  /** Requests to it become calls; all others leave as they are. */
  readonly awsEndpoint: string;
  /** As the operating system counts it: the higher, the more it yields to others. */
  readonly priority: number;
}

/** A thread also sends its AWS calls and what it prints. */
export type FromThread =
  | FromEnvironment
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly method: string | undefined;
      readonly path: string | null | undefined;
      /** `DynamoDB_20120810.PutItem` */
      readonly target: string;
      readonly body: string;
    }
  /** Nobody waits for that call's answer any more. */
  | { readonly kind: 'abandon'; readonly id: number };

export interface AnswerToCall {
  readonly kind: 'answer';
  /** Of the call. */
  readonly id: number;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type ToThread = ToEnvironment | AnswerToCall;
