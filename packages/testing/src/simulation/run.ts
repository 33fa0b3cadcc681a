import type { Cloud } from './cloud.ts';
import { setGlobalWorld } from './globals.ts';

/**
 * Lets everything happen that a cloud's schedule holds, one entry after the other, in virtual time. While it runs, this process reads the clock and the
 * network from the cloud: import `globals` before whatever keeps a hold of `Date` or `fetch`.
 *
 * @param mayContinue asked before each entry
 */
export async function runSchedule<Name extends string>(cloud: Cloud<Name>, mayContinue: () => boolean): Promise<void> {
  setGlobalWorld({ now: () => cloud.apparentNow, fetch: (url, init) => cloud.fetch(url, init) });
  try {
    // From here on within a microtask: only there does a tick come after all other microtasks, on which `settle` relies.
    await Promise.resolve();
    while (mayContinue()) {
      if (!cloud.step()) break;
      if (cloud.isRunning) await cloud.settle();
    }
  } finally {
    setGlobalWorld(undefined);
    // The steps left the event loop no turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
