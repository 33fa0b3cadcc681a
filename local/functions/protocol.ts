/** One invocation, as the runtime sends it to an environment. */
export interface ToEnvironment {
  readonly requestId: string;
  /** JSON. */
  readonly event: string;
  /** When the environment is killed, in milliseconds since 1970. */
  readonly deadline: number;
  readonly traceHeader: string;
  readonly functionArn: string;
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
