/**
 * How something is down: each call fails; or is never answered; or is answered, with every entry refused by the service itself (queues only).
 */
export const outageModes = ['fails', 'hangs', 'refuses'] as const;
export type OutageMode = (typeof outageModes)[number];

interface Outage {
  readonly mode: OutageMode;
  readonly until: number;
}

/** What is down: a queue's URL, a table's name, `providers`, `mailer`. */
export class Outages {
  readonly #now: () => number;
  readonly #of = new Map<string, Outage>();
  #last = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  begin(target: string, until: number, mode: OutageMode = 'fails'): void {
    this.#of.set(target, { mode, until });
    this.#last = Math.max(this.#last, until);
  }

  /** How the first of these that is down is down; undefined when all are up. */
  among(targets: readonly string[]): OutageMode | undefined {
    const now = this.#now();
    if (now >= this.#last) return undefined;
    for (const target of targets) {
      const outage = this.#of.get(target);
      if (outage && now < outage.until) return outage.mode;
    }
    return undefined;
  }
}
