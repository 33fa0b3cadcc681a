import type { Processes } from '../processes.ts';
import { Environment, type EnvironmentHooks, type Invocation, type LocalFunction } from './environment.ts';

/** A laptop has few cores: beyond this many environments a function's invocations wait for one. */
const mostEnvironments = 3;

/** The execution environments of one function: reused when idle, added under load, replaced when they die or their code changes. */
export class FunctionPool {
  #fn: LocalFunction;
  readonly #start: (fn: LocalFunction) => Environment;
  #idle: Environment[] = [];
  readonly #busy = new Set<Environment>();
  readonly #waiting: (() => void)[] = [];
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
    }
  }

  /** Runs the next invocations on other code; those under way end on theirs. */
  reload(code: string): void {
    this.#fn = { ...this.#fn, code };
    for (const environment of this.#idle) environment.kill();
    this.#idle = [];
  }
}
