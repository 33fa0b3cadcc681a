import type { Customer } from './customers.ts';
import { pause } from './pause.ts';
import type { Tally } from './tally.ts';

interface Pending {
  readonly orderId: string;
  readonly customer: Customer;
  readonly acceptedAt: number;
}

/** So many orders are looked at side by side. */
const lanes = 2;
/** Before any order has settled, the first look comes so late; then when half of the others had settled at that age, but not later than that. */
const firstLookMs = 250;
const latestFirstLookMs = 5000;
/** Between looks at one order. */
const shortestMs = 100;
const longestMs = 1000;
/** An order that takes so long makes way for the others, and is looked at again after them. */
const straggles = 5000;

/**
 * Sees orders settle, and disturbs what is measured as little as it can. Every look is a request to the system under load, so it makes one or two for
 * each order: the oldest is looked at, those behind it are left in peace until it has settled, and then they probably have too. The first look at it waits until it is
 * likely to be done, the next ones come at growing intervals, and never are there more than two at a time.
 *
 * When a look comes does not matter to the figures: the order itself says when it was placed and when it settled. A list of a customer's orders would take fewer
 * requests, but shows the read model, which follows, and does not say when an order settled.
 */
export class Settlement {
  readonly #tally: Tally;
  readonly #patienceMs: number;
  readonly #over = new AbortController();
  readonly #lanes: Promise<void>[];
  /** Oldest first. What is before `#next` has been taken. */
  #pending: Pending[] = [];
  #next = 0;
  #placing = true;
  #wake: (() => void)[] = [];
  #gaveUp = false;

  constructor(tally: Tally, patienceMs: number, stop: AbortSignal) {
    this.#tally = tally;
    this.#patienceMs = patienceMs;
    const end = (): void => this.#end();
    if (stop.aborted) end();
    else stop.addEventListener('abort', end, { once: true });
    this.#lanes = Array.from({ length: lanes }, () => this.#lane());
  }

  add(orderId: string, customer: Customer): void {
    this.#put({ orderId, customer, acceptedAt: performance.now() });
  }

  /** All orders are placed: waits until they have settled, the signal, or the end of patience. @returns whether patience ended */
  async finish(): Promise<boolean> {
    this.#placing = false;
    this.#wakeAll();
    await Promise.all(this.#lanes);
    return this.#gaveUp;
  }

  async #lane(): Promise<void> {
    for (;;) {
      const order = await this.#oldest();
      if (order === undefined) return;
      if (!(await this.#seenSettled(order))) this.#put(order);
    }
  }

  /** undefined: there will be none any more. */
  async #oldest(): Promise<Pending | undefined> {
    while (!this.#over.signal.aborted) {
      const order = this.#pending[this.#next];
      if (order !== undefined) {
        this.#next++;
        // Cut off now and then: cutting off each one would move all the others every time.
        if (this.#next >= 1024) {
          this.#pending = this.#pending.slice(this.#next);
          this.#next = 0;
        }
        return order;
      }
      if (!this.#placing) return undefined;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return undefined;
  }

  /** @returns false: it takes long, or there is no time any more */
  async #seenSettled({ orderId, customer, acceptedAt }: Pending): Promise<boolean> {
    const { signal } = this.#over;
    const usual = this.#tally.settlements.count === 0 ? firstLookMs : this.#tally.settlements.percentile(0.5);
    await pause(acceptedAt + Math.min(usual, latestFirstLookMs) - performance.now(), signal);
    const firstLookAt = performance.now();
    for (let interval = shortestMs; !signal.aborted; interval = Math.min(longestMs, interval * 1.5)) {
      try {
        const { body: order } = await customer.client.getOrder(orderId);
        if (order?.settledAt !== undefined) {
          this.#tally.settle(order);
          return true;
        }
      } catch (error) {
        if (!signal.aborted) this.#tally.failLook(error);
      }
      const now = performance.now();
      if (!this.#placing && now - this.#tally.progressedAt > this.#patienceMs) this.#giveUp();
      if (now - firstLookAt > straggles) return false;
      await pause(interval, signal);
    }
    return false;
  }

  #giveUp(): void {
    this.#gaveUp = true;
    this.#end();
  }

  #end(): void {
    this.#over.abort();
    this.#wakeAll();
  }

  #put(order: Pending): void {
    this.#pending.push(order);
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
