import { availableParallelism } from 'node:os';
import { Environment, type EnvironmentHooks, type Invocation, type LocalFunction } from './environment.ts';
import type { StartSandbox } from './sandbox.ts';

/** Beyond this many environments a function's invocations wait for one: a laptop has few cores, and each costs memory. */
const mostEnvironments = Math.max(2, Math.min(4, availableParallelism()));

/** An invocation that has waited this long for an environment is a backlog. Before, another environment would cost more than it saves. */
const patienceMs = 250;

/** Environments that have not been needed for this long are ended, all but one, as Lambda does after some minutes. */
const idleMs = 20_000;

/** The execution environments of one function: one, more while there is a backlog, replaced when they die or their code changes. */
export class FunctionPool {
  #fn: LocalFunction;
  readonly #new: () => Environment;
  #idle: Environment[] = [];
  readonly #starting = new Set<Environment>();
  readonly #busy = new Set<Environment>();
  readonly #waiting: ((environment: Environment) => void)[] = [];
  readonly #watching: (() => void)[] = [];
  #growing: NodeJS.Timeout | undefined;
  #reclaiming: NodeJS.Timeout | undefined;
  invocations = 0;

  constructor(fn: LocalFunction, start: StartSandbox, hooks: EnvironmentHooks) {
    this.#fn = fn;
    this.#new = () => new Environment(this.#fn, start, hooks);
  }

  get fn(): LocalFunction {
    return this.#fn;
  }

  /** How many invocations may run at once, at most. */
  get concurrency(): number {
    return mostEnvironments;
  }

  /** How many environments there are now. */
  get size(): number {
    return this.#all.length;
  }

  /** Process ids of its environments, where they have processes of their own. */
  get pids(): number[] {
    return this.#all.flatMap((environment) => environment.pid ?? []);
  }

  get #all(): Environment[] {
    return [...this.#idle, ...this.#starting, ...this.#busy];
  }

  /** Starts one environment ahead of the first invocation. @throws Error when the function's init fails */
  async prewarm(): Promise<void> {
    const environment = this.#new();
    this.#idle.push(environment);
    await environment.ready;
  }

  async invoke(event: unknown): Promise<Invocation> {
    this.invocations++;
    const environment = await this.#take();
    try {
      return await environment.invoke(event);
    } finally {
      this.#busy.delete(environment);
      this.#offer(environment);
    }
  }

  /** Resolves when an invocation would begin at once, or has been waited for long enough to be a backlog. */
  async vacancy(): Promise<void> {
    if (this.#idle.length > 0 || this.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patienceMs);
      this.#watching.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #take(): Promise<Environment> {
    this.#idle = this.#idle.filter(({ alive }) => alive);
    const environment = this.#idle.pop() ?? (this.#busy.size + this.#starting.size === 0 ? this.#new() : undefined);
    if (environment) {
      this.#busy.add(environment);
      return Promise.resolve(environment);
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#expectBacklog();
    });
  }

  /** Gives an environment that is free to whoever waits for one. */
  #offer(environment: Environment): void {
    const usable = environment.alive && environment.code === this.#fn.code;
    if (!usable) environment.kill();
    const next = this.#waiting.shift();
    if (next) {
      const given = usable ? environment : this.#new();
      this.#busy.add(given);
      next(given);
    } else if (usable) {
      this.#idle.push(environment);
      clearTimeout(this.#reclaiming);
      this.#reclaiming = setTimeout(() => this.#reclaim(), idleMs).unref();
      for (const wake of this.#watching.splice(0)) wake();
    }
  }

  #expectBacklog(): void {
    this.#growing ??= setTimeout(() => {
      this.#growing = undefined;
      if (this.#waiting.length === 0 || this.size >= mostEnvironments) return;
      const environment = this.#new();
      this.#starting.add(environment);
      const started = (): void => {
        this.#starting.delete(environment);
        this.#offer(environment);
      };
      environment.ready.then(started, started);
      this.#expectBacklog();
    }, patienceMs).unref();
  }

  #reclaim(): void {
    for (const environment of this.#idle.splice(1)) environment.kill();
  }

  /** Ends all of its environments. */
  stop(): void {
    clearTimeout(this.#growing);
    clearTimeout(this.#reclaiming);
    for (const environment of this.#all) environment.kill();
  }

  /** Runs the next invocations on other code; those under way end on theirs. */
  reload(code: string): void {
    this.#fn = { ...this.#fn, code };
    for (const environment of this.#idle) environment.kill();
    this.#idle = [];
  }
}
