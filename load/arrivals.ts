import type { Customer } from './customers.ts';
import { pause } from './pause.ts';
import type { Tally } from './tally.ts';

/** How orders arrive. */
export interface Plan {
  readonly customers: readonly Customer[];
  /** Placing ends with so many orders … */
  readonly orders: number | undefined;
  /** … or after so long, whichever it has. */
  readonly seconds: number | undefined;
  /** Orders a second, whether or not those before were answered; undefined: each customer places the next order when the last one was answered. */
  readonly rate: number | undefined;
  /** Placing ends when nothing has been accepted or has settled for so long, and so does waiting. */
  readonly patienceMs: number;
}

/** Places one order, and never throws. @param due from when its latency counts @returns whether it was accepted */
export type Place = (customer: Customer, due: number) => Promise<boolean>;

/** A customer whose order was not accepted rests so long: a system that is down would be asked thousands of times a second. */
const restMs = 100;
/** So many requests at most are under way at a constant rate: every one has a connection. */
export const mostUnderWay = 1000;

/** Places the orders of a plan, and waits until all are answered. */
export async function arrivals(plan: Plan, tally: Tally, place: Place, stop: AbortSignal): Promise<void> {
  await (plan.rate === undefined ? closedLoop(plan, tally, place, stop) : openLoop(plan, plan.rate, tally, place, stop));
}

/** Whether the next order is not to be placed any more. @param afterMs when it is due, from the start */
function isOver({ orders = Infinity, seconds = Infinity, patienceMs }: Plan, tally: Tally, afterMs: number): boolean {
  return tally.sent >= orders || afterMs >= seconds * 1000 || performance.now() - tally.progressedAt > patienceMs;
}

async function closedLoop(plan: Plan, tally: Tally, place: Place, stop: AbortSignal): Promise<void> {
  await Promise.all(
    plan.customers.map(async (customer) => {
      while (!stop.aborted && !isOver(plan, tally, performance.now() - tally.startedAt)) {
        tally.sent++;
        if (!(await place(customer, performance.now()))) await pause(restMs, stop);
      }
    }),
  );
}

/**
 * Evenly spaced, and by the clock: a slow answer delays no arrival, and an arrival that is late all the same, because this process was or because too many
 * requests are under way, counts its latency from when it was due. Otherwise a system that stands still would be asked less, and look better than it is.
 */
async function openLoop(plan: Plan, rate: number, tally: Tally, place: Place, stop: AbortSignal): Promise<void> {
  const { customers } = plan;
  const underWay = new UnderWay();
  for (let i = 0; ; i++) {
    const afterMs = (i * 1000) / rate;
    if (isOver(plan, tally, afterMs)) break;
    const due = tally.startedAt + afterMs;
    await pause(due - performance.now(), stop);
    if (underWay.count >= mostUnderWay) tally.heldBack++;
    await underWay.below(mostUnderWay);
    if (stop.aborted) break;
    tally.sent++;
    underWay.add(place(customers[i % customers.length]!, due));
  }
  await underWay.below(1);
}

/** Requests that are not answered yet, counted: one who waits for fewer holds none of them. */
class UnderWay {
  count = 0;
  #answered = (): void => undefined;

  add(request: Promise<unknown>): void {
    this.count++;
    void request.then(() => {
      this.count--;
      this.#answered();
    });
  }

  async below(most: number): Promise<void> {
    while (this.count >= most) await new Promise<void>((resolve) => (this.#answered = resolve));
  }
}
