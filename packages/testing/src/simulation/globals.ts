import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';

/** What the simulation puts in the place of the process's own clock, timers and network while a run is on. */
export interface GlobalWorld {
  now(): number;
  fetch(url: string, init: RequestInit): Promise<Response>;
}

let world: GlobalWorld | undefined;

/** Lets this process read time and the network from a run (or from the system again). Powertools and the SDK ask the globals, not our World. */
export function setGlobalWorld(next: GlobalWorld | undefined): void {
  world = next;
}

// Signed calls (SES) ask for them; nothing leaves this process.
process.env['AWS_REGION'] = 'us-east-1';
process.env['AWS_ACCESS_KEY_ID'] = 'SIMULATION';
process.env['AWS_SECRET_ACCESS_KEY'] = 'simulation';

const SystemDate = Date;
const systemFetch = globalThis.fetch;
const { setTimeout: systemSetTimeout, clearTimeout: systemClearTimeout } = timers;

globalThis.Date = class extends SystemDate {
  constructor(...parts: unknown[]) {
    if (parts.length === 0) super(world ? world.now() : SystemDate.now());
    else super(...(parts as []));
  }
  static override now(): number {
    return world ? world.now() : SystemDate.now();
  }
} as unknown as DateConstructor;

globalThis.fetch = ((url: string, init: RequestInit = {}) => (world ? world.fetch(url, init) : systemFetch(url, init))) as typeof fetch;

const systemTimeout = AbortSignal.timeout.bind(AbortSignal);
const patience = new WeakMap<AbortSignal, number>();
AbortSignal.timeout = (milliseconds) => {
  if (!world) return systemTimeout(milliseconds);
  const { signal } = new AbortController();
  patience.set(signal, milliseconds);
  return signal;
};

/** How long a call waits for its answer, in milliseconds; for ever when it was given no such signal. */
export const patienceOf = (signal: AbortSignal | null | undefined): number => (signal && patience.get(signal)) ?? Infinity;

// middy arms a timer for each invocation, to give up just before Lambda would. Here the run itself ends what takes too long.
const stillborn = {} as NodeJS.Timeout;
timers.setTimeout = ((...given: Parameters<typeof systemSetTimeout>) =>
  world ? stillborn : systemSetTimeout(...given)) as unknown as typeof timers.setTimeout;
timers.clearTimeout = (timer) => {
  if (timer !== stillborn) systemClearTimeout(timer);
};
syncBuiltinESMExports();
