import { arrivals, type Plan } from './arrivals.ts';
import { placeOrder } from './customers.ts';
import { Settlement } from './settlement.ts';
import { Tally } from './tally.ts';

export interface Load extends Plan {
  readonly sku: string;
  /** Whether to wait until the orders have settled. */
  readonly wait: boolean;
}

/** Why a load ended: everything was done, nothing happened for too long, or somebody stopped it. */
export type Ending = 'done' | 'gave up' | 'interrupted';

export interface RunOptions {
  readonly tally?: Tally;
  /** Places no more, waits for the answers of what is under way, and not for settlement. */
  readonly stop?: AbortSignal;
}

/** Places the orders, and sees them settle. */
export async function runLoad(
  load: Load,
  { tally = new Tally(), stop = new AbortController().signal }: RunOptions = {},
): Promise<{ tally: Tally; ending: Ending }> {
  const settlement = load.wait ? new Settlement(tally, load.patienceMs, stop) : undefined;
  await arrivals(
    load,
    tally,
    async (customer, due) => {
      try {
        const orderId = await placeOrder(customer, load.sku);
        tally.accept(due);
        settlement?.add(orderId, customer);
        return true;
      } catch (error) {
        tally.fail(error);
        return false;
      }
    },
    stop,
  );
  const silent = performance.now() - tally.progressedAt > load.patienceMs;
  const gaveUp = ((await settlement?.finish()) ?? false) || silent;
  return { tally, ending: stop.aborted ? 'interrupted' : gaveUp ? 'gave up' : 'done' };
}
