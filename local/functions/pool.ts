import { availableParallelism } from 'node:os';
import type { Processes } from '../processes.ts';
import { Environment, type EnvironmentHooks, type Invocation, type LocalFunction } from './environment.ts';

/** Beyond this many environments a function's invocations wait for one: a laptop has few cores, and each costs 100 MB. */
const mostEnvironments = Math.max(2, Math.min(4, availableParallelism()));

/** Environments that have not been needed for this long are ended, all but one, as Lambda does after some minutes. */
const idleMs = 20_000;

/** The execution environments of one function: reused when idle, added under load, replaced when they die or their code changes. */
export class FunctionPool {
  #fn: LocalFunction;
  readonly #start: (fn: LocalFunction) => Environment;
  #idle: Environment[] = [];
  readonly #busy = new Set<Environment>();
  readonly #waiting: (() => void)[] = [];
  #reclaiming: NodeJS.Timeout | undefined;
  invocations = 0;

  constructor(fn: LocalFunction, awsEndpoint: string, processes: Processes, hooks: EnvironmentHooks) {
    this.#fn = fn;
    this.#start = (current) => new Environment(current, awsEndpoint, processes, hooks);
  }

  get fn(): LocalFunction {
    return this.#fn;
  }

  /** How many invocations may run at once. */
  get concurrency(): number {
    return mostEnvironments;
  }

  /** Process ids of its environments. */
  get pids(): number[] {
    return [...this.#idle, ...this.#busy].flatMap((environment) => environment.pid ?? []);
  }

  /** Starts one environment ahead of the first invocation. @throws Error when the function's init fails */
  async prewarm(): Promise<void> {
    const environment = this.#start(this.#fn);
    this.#idle.push(environment);
    await environment.ready;
  }

  async invoke(event: unknown): Promise<Invocation> {
    while (this.#busy.size >= mostEnvironments) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#idle = this.#idle.filter((environment) => environment.alive);
    const environment = this.#idle.pop() ?? this.#start(this.#fn);
    const fn = this.#fn;
    this.#busy.add(environment);
    this.invocations++;
    try {
      return await environment.invoke(event);
    } finally {
      this.#busy.delete(environment);
      if (!environment.alive) environment.kill();
      else if (fn === this.#fn) this.#idle.push(environment);
      else environment.kill();
      this.#waiting.shift()?.();
      clearTimeout(this.#reclaiming);
      this.#reclaiming = setTimeout(() => this.#reclaim(), idleMs).unref();
    }
  }

  #reclaim(): void {
    for (const environment of this.#idle.splice(1)) environment.kill();
  }

  /** Runs the next invocations on other code; those under way end on theirs. */
  reload(code: string): void {
    this.#fn = { ...this.#fn, code };
    for (const environment of this.#idle) environment.kill();
    this.#idle = [];
  }
}
