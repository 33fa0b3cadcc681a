import { randomBytes, randomUUID } from 'node:crypto';
import type { Sandbox, StartSandbox } from './sandbox.ts';

/** One function of the template, resolved. */
export interface LocalFunction {
  /** Its name in the contract. */
  readonly name: string;
  readonly logicalId: string;
  readonly arn: string;
  /** Folder of the bundle. */
  readonly code: string;
  /** `index.handler` */
  readonly handler: string;
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly variables: Readonly<Record<string, string>>;
  /** Access key id that names this function to the AWS server. */
  readonly identity: string;
  /** How much it yields to the rest of the machine, as the operating system counts it: 0 to 19. */
  readonly priority: number;
  /** Secret key that it signs with. */
  readonly secret: string;
}

export type Invocation =
  | { readonly ok: true; readonly payload: unknown }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string };

export interface EnvironmentHooks {
  readonly onLine: (name: string, line: string) => void;
  readonly onInit: (name: string, milliseconds: number) => void;
  /** Variables that change while environments live. */
  readonly variables: (name: string) => Readonly<Record<string, string>>;
}

/** An execution environment: the function's code in a sandbox, one invocation at a time, ended when it exceeds its time or memory. */
export class Environment {
  readonly #fn: LocalFunction;
  readonly #hooks: EnvironmentHooks;
  readonly #sandbox: Sandbox;
  readonly #ready: Promise<void>;
  #dead: string | undefined;
  #current: { requestId: string; finish: (result: Invocation) => void } | undefined;

  constructor(fn: LocalFunction, start: StartSandbox, hooks: EnvironmentHooks) {
    this.#fn = fn;
    this.#hooks = hooks;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ready = promise;
    this.#ready.catch(() => undefined);
    this.#sandbox = start(fn, {
      onLine: (line) => hooks.onLine(fn.name, line),
      onMessage: (message) => {
        if (message.kind === 'ready') {
          hooks.onInit(fn.name, message.initMs);
          this.#sandbox.freeze();
          resolve();
          return;
        }
        this.#settle(
          message.requestId,
          message.kind === 'result' ? { ok: true, payload: JSON.parse(message.payload) as unknown } : { ok: false, ...message },
        );
      },
      onEnd: (why) => {
        this.#dead ??= why;
        reject(new Error(`${fn.name}: ${this.#dead}`));
        this.#current?.finish({ ok: false, errorType: 'Runtime.ExitError', errorMessage: this.#dead });
      },
    });
  }

  get ready(): Promise<void> {
    return this.#ready;
  }

  get alive(): boolean {
    return this.#dead === undefined;
  }

  /** Folder of the bundle that it runs. */
  get code(): string {
    return this.#fn.code;
  }

  get pid(): number | undefined {
    return this.#sandbox.pid;
  }

  /** Runs one invocation; never throws: what goes wrong is an error result, as event sources see it. */
  async invoke(event: unknown): Promise<Invocation> {
    try {
      await this.#ready;
    } catch (error) {
      return { ok: false, errorType: 'Runtime.InitError', errorMessage: (error as Error).message };
    }
    const requestId = randomUUID();
    const timeoutMs = this.#fn.timeoutSeconds * 1000;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#dead = `Task timed out after ${this.#fn.timeoutSeconds.toFixed(2)} seconds`;
        this.#sandbox.kill();
        this.#settle(requestId, { ok: false, errorType: 'Sandbox.Timedout', errorMessage: this.#dead });
      }, timeoutMs);
      this.#current = {
        requestId,
        finish: (result) => {
          clearTimeout(timer);
          this.#current = undefined;
          if (this.alive) this.#sandbox.freeze();
          resolve(result);
        },
      };
      this.#sandbox.thaw();
      this.#sandbox.send({
        kind: 'invocation',
        requestId,
        event: JSON.stringify(event),
        deadline: Date.now() + timeoutMs,
        traceHeader: traceHeader(),
        functionArn: this.#fn.arn,
        variables: this.#hooks.variables(this.#fn.name),
      });
    });
  }

  kill(): void {
    this.#dead ??= 'it was stopped';
    this.#sandbox.kill();
  }

  #settle(requestId: string, result: Invocation): void {
    if (this.#current?.requestId === requestId) this.#current.finish(result);
  }
}

function traceHeader(): string {
  const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${hex(12)};Parent=${hex(8)};Sampled=0`;
}
