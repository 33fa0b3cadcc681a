import type { ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Processes } from '../processes.ts';
import type { FromEnvironment, ToEnvironment } from './protocol.ts';

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
  /** Access key id that names this function to the AWS proxy. */
  readonly identity: string;
  /** With which it signs. */
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

/**
 * An execution environment: a child process of its own with the function's variables and nothing else, one invocation
 * at a time, killed when it exceeds its time or memory, and frozen (SIGSTOP) between invocations, as on Lambda.
 */
export class Environment {
  readonly #fn: LocalFunction;
  readonly #hooks: EnvironmentHooks;
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  #dead: string | undefined;
  #errors = '';
  #current: { requestId: string; finish: (result: Invocation) => void } | undefined;

  constructor(fn: LocalFunction, awsEndpoint: string, processes: Processes, hooks: EnvironmentHooks) {
    this.#fn = fn;
    this.#hooks = hooks;
    this.#child = processes.fork(join(import.meta.dirname, 'bootstrap.ts'), {
      env: environmentOf(fn, awsEndpoint),
      // V8's heap is most of what a function uses; the rest of its memory is the process's own.
      execArgv: [`--max-old-space-size=${fn.memoryMb}`, '--disable-warning=ExperimentalWarning'],
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (stream === this.#child.stderr) this.#errors = `${this.#errors}\n${line}`.slice(-2000);
        hooks.onLine(fn.name, line);
      });
    }
    this.#ready = new Promise((resolve, reject) => {
      this.#child.on('message', (message: FromEnvironment) => {
        if (message.kind === 'ready') {
          hooks.onInit(fn.name, message.initMs);
          this.#freeze();
          resolve();
          return;
        }
        this.#settle(
          message.requestId,
          message.kind === 'result' ? { ok: true, payload: JSON.parse(message.payload) as unknown } : { ok: false, ...message },
        );
      });
      this.#child.once('exit', (code, signal) => {
        this.#dead ??= whyItEnded(this.#errors, code, signal);
        reject(new Error(`${fn.name}: ${this.#dead}`));
        this.#current?.finish({ ok: false, errorType: 'Runtime.ExitError', errorMessage: this.#dead });
      });
      this.#child.once('error', reject);
    });
    this.#ready.catch(() => undefined);
  }

  get ready(): Promise<void> {
    return this.#ready;
  }

  get alive(): boolean {
    return this.#dead === undefined;
  }

  get pid(): number | undefined {
    return this.#child.pid;
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
        this.#child.kill('SIGKILL');
        this.#settle(requestId, { ok: false, errorType: 'Sandbox.Timedout', errorMessage: this.#dead });
      }, timeoutMs);
      this.#current = {
        requestId,
        finish: (result) => {
          clearTimeout(timer);
          this.#current = undefined;
          if (this.alive) this.#freeze();
          resolve(result);
        },
      };
      this.#thaw();
      const message: ToEnvironment = {
        requestId,
        event: JSON.stringify(event),
        deadline: Date.now() + timeoutMs,
        traceHeader: traceHeader(),
        functionArn: this.#fn.arn,
        variables: this.#hooks.variables(this.#fn.name),
      };
      this.#child.send(message, (error) => {
        if (error) this.#settle(requestId, { ok: false, errorType: 'Runtime.ExitError', errorMessage: error.message });
      });
    });
  }

  kill(): void {
    this.#dead ??= 'it was stopped';
    this.#child.kill('SIGKILL');
  }

  #settle(requestId: string, result: Invocation): void {
    if (this.#current?.requestId === requestId) this.#current.finish(result);
  }

  /** Nothing runs between invocations on Lambda: no timer fires, no socket is read. */
  #freeze(): void {
    if (process.platform !== 'win32') this.#child.kill('SIGSTOP');
  }

  #thaw(): void {
    if (process.platform !== 'win32') this.#child.kill('SIGCONT');
  }
}

function whyItEnded(errors: string, code: number | null, signal: NodeJS.Signals | null): string {
  if (/heap out of memory|allocation failed/i.test(errors)) return 'Runtime exited: out of memory (signal: killed)';
  const last = errors.split('\n').find((line) => /Error/.test(line)) ?? '';
  return `Runtime exited with ${signal === null ? `status ${code}` : `signal ${signal}`}${last === '' ? '' : `: ${last.trim()}`}`;
}

/** Exactly what Lambda gives a function, with the AWS endpoints turned to the runtime's proxy. */
function environmentOf(fn: LocalFunction, awsEndpoint: string): NodeJS.ProcessEnv {
  const outer = Object.entries(process.env).filter(([name]) => name.startsWith('AWS_ENDPOINT_URL_'));
  return {
    PATH: process.env['PATH'],
    TZ: ':UTC',
    LANG: 'en_US.UTF-8',
    ...Object.fromEntries(outer),
    ...fn.variables,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: fn.identity,
    AWS_SECRET_ACCESS_KEY: fn.secret,
    AWS_ENDPOINT_URL_DYNAMODB: awsEndpoint,
    AWS_ENDPOINT_URL_SQS: awsEndpoint,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: fn.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memoryMb),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${fn.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    LAMBDA_TASK_ROOT: fn.code,
    _HANDLER: fn.handler,
  };
}

function traceHeader(): string {
  const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${hex(12)};Parent=${hex(8)};Sampled=0`;
}
