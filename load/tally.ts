import { ApiProblem } from '../client/http.ts';
import type { Order } from '../client/order-saga.ts';
import { Histogram } from './histogram.ts';

/** How often each of some things was. */
export type Counts = Readonly<Record<string, number>>;

/** What a load has come to so far. Its size does not grow with the number of orders. */
export class Tally {
  readonly startedAt = performance.now();
  readonly accepts = new Histogram();
  readonly settlements = new Histogram();
  /** Requests that were sent to place an order. */
  sent = 0;
  /** Arrivals that had to wait because too many requests were under way. */
  heldBack = 0;
  readonly #outcomes = new Map<string, number>();
  readonly #refusals = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #looks = new Map<string, number>();
  #lastAcceptedAt = this.startedAt;
  #firstPlaced = Infinity;
  #lastSettled = -Infinity;
  /** When an order was last accepted or seen settled; at first, when the load began. */
  progressedAt = this.startedAt;

  /** @param since when its request was due */
  accept(since: number): void {
    this.#lastAcceptedAt = this.progressedAt = performance.now();
    this.accepts.record(this.#lastAcceptedAt - since);
  }

  /** A request that placed no order. */
  fail(error: unknown): void {
    if (error instanceof ApiProblem) increment(this.#refusals, `${error.status} ${error.type ?? 'without a problem type'}`);
    else increment(this.#errors, causeOf(error));
  }

  /** Looking whether an order has settled failed. */
  failLook(error: unknown): void {
    increment(this.#looks, error instanceof ApiProblem ? `${error.status} ${error.type ?? 'without a problem type'}` : causeOf(error));
  }

  settle({ status, failure, placedAt, settledAt = placedAt }: Order): void {
    this.progressedAt = performance.now();
    // By the system's own clock: when somebody looked has no part in it.
    const [placed, settled] = [Date.parse(placedAt), Date.parse(settledAt)];
    this.settlements.record(settled - placed);
    this.#firstPlaced = Math.min(this.#firstPlaced, placed);
    this.#lastSettled = Math.max(this.#lastSettled, settled);
    increment(this.#outcomes, failure ? `${status} ${failure.code}` : status);
  }

  get refused(): number {
    return sum(this.#refusals);
  }

  get failed(): number {
    return sum(this.#errors);
  }

  get outcomes(): Counts {
    return sorted(this.#outcomes);
  }

  get refusals(): Counts {
    return sorted(this.#refusals);
  }

  get errors(): Counts {
    return sorted(this.#errors);
  }

  get failedLooks(): Counts {
    return sorted(this.#looks);
  }

  /** From the start to the last acceptance. */
  get acceptedPerSecond(): number {
    return perSecond(this.accepts.count, this.#lastAcceptedAt - this.startedAt);
  }

  /** From the first order placed to the last one settled, by the system's own clock. */
  get settledPerSecond(): number {
    return perSecond(this.settlements.count, this.#lastSettled - this.#firstPlaced);
  }
}

const perSecond = (count: number, milliseconds: number): number => (count === 0 ? 0 : count / (Math.max(1, milliseconds) / 1000));

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const sum = (counts: ReadonlyMap<string, number>): number => counts.values().reduce((total, count) => total + count, 0);

/** The most frequent first. */
const sorted = (counts: ReadonlyMap<string, number>): Counts => Object.fromEntries([...counts].toSorted(([, a], [, b]) => b - a));

/** Why no answer came: what `fetch` says of it is always the same, its cause is not. */
export function causeOf(error: unknown): string {
  const { name, message, cause } = error as Error & { readonly cause?: { readonly code?: string; readonly message?: string } };
  if (name === 'TimeoutError') return 'no answer in time';
  if (name === 'AbortError') return 'given up at the end';
  return cause?.code ?? cause?.message ?? message;
}
