import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How far each stream was read, kept on disk so that a restart does not publish everything again. */
export class Checkpoints {
  readonly #file: string;
  readonly #reached: Map<string, bigint>;

  constructor(dataDir: string) {
    this.#file = join(dataDir, 'checkpoints.json');
    const stored = existsSync(this.#file) ? (JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, string>) : {};
    this.#reached = new Map(Object.entries(stored).map(([stream, sequence]) => [stream, BigInt(sequence)]));
  }

  get(stream: string): bigint | undefined {
    return this.#reached.get(stream);
  }

  /** What every stream has reached; nothing up to here is needed any more. */
  lowest(): bigint | undefined {
    const reached = [...this.#reached.values()];
    return reached.length === 0 ? undefined : reached.reduce((low, next) => (next < low ? next : low));
  }

  /** Written beside and renamed: a kill in between leaves the old file, and a few records are delivered again. */
  set(stream: string, sequence: bigint): void {
    this.#reached.set(stream, sequence);
    const text = JSON.stringify(Object.fromEntries([...this.#reached].map(([name, value]) => [name, value.toString()])));
    writeFileSync(`${this.#file}.new`, text);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
