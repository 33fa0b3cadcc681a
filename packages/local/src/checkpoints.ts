import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readToItsEnd, type StreamPosition } from './sources/stream-reader.ts';

/** How far each stream was read, kept on disk so that a restart does not publish everything again. */
export class Checkpoints {
  readonly #file: string;
  readonly #reached: Map<string, StreamPosition>;

  constructor(dataDir: string) {
    this.#file = join(dataDir, 'checkpoints.json');
    const stored = existsSync(this.#file) ? (JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, unknown>) : {};
    // Up to 0.3.0 a checkpoint was a number without its shard. It is not used: the newest records are published once more.
    const known = Object.entries(stored).filter(([, position]) => typeof position === 'object');
    this.#reached = new Map(known as [string, StreamPosition][]);
  }

  get(stream: string): StreamPosition {
    return this.#reached.get(stream) ?? {};
  }

  /** What every shard has reached; nothing before it is needed any more. */
  lowest(): string | undefined {
    const places = [...this.#reached.values()].flatMap((position) => Object.values(position)).filter((place) => place !== readToItsEnd);
    return places.toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))[0];
  }

  /** Written beside and renamed: a kill in between leaves the old file, and a few records are delivered again. */
  set(stream: string, position: StreamPosition): void {
    this.#reached.set(stream, position);
    writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(this.#reached)));
    renameSync(`${this.#file}.new`, this.#file);
  }
}
