/** One invocation, as the runtime sends it to an environment. */
export interface ToEnvironment {
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
