import { randomBytes } from 'node:crypto';
import { toBase32 } from '../base32.ts';

/**
 * The one door to time, ids and randomness. Everything that asks for them takes a World,
 * so that tests and the simulation decide what happens.
 */
export interface World {
  /** Milliseconds since 1970. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Time-ordered unique id: 26 characters of Crockford's base 32 (48 bits of milliseconds, 80 random bits). */
  newId(): string;
  /** Waits; used for retries of at most 200 ms only, because a waiting function is paid for, and for injected faults. */
  pause(milliseconds: number): Promise<void>;
}

/**
 * Makes ids that sort by time and, within one process, by the order in which they were made,
 * also inside one millisecond and when the clock steps back.
 *
 * @param now milliseconds since 1970
 * @param random80 80 random bits
 */
export function idSource(now: () => number, random80: () => bigint): () => string {
  let lastTime = 0;
  let lastRandom = 0n;
  return () => {
    const time = now();
    if (time > lastTime) {
      lastTime = time;
      // The top bit stays free, so that counting up inside one millisecond cannot overflow.
      lastRandom = random80() >> 1n;
    } else {
      lastRandom += 1n;
    }
    return toBase32(BigInt(lastTime), 10) + toBase32(lastRandom, 16);
  };
}

export const systemWorld: World = {
  now: () => Date.now(),
  random: () => Math.random(),
  newId: idSource(
    () => Date.now(),
    () => BigInt(`0x${randomBytes(10).toString('hex')}`),
  ),
  pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};
