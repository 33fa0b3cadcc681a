import type { NudgePolicy } from '../contract/core/retry-policy.ts';
import { metrics } from '../contract/metrics.ts';
import type { Order } from '../contract/order.ts';
import { openShards } from '../contract/tables.ts';
import { describeError } from '../contract/core/errors.ts';
import { advance, type Saga } from './advance.ts';
import { findOrder, openOrders } from './store.ts';

/** Orders looked at in one shard and run; what is left waits for the next minute. */
const ordersPerShard = 50;

export interface Sweep {
  readonly looked: number;
  /** Steps that were asked again or given up. */
  readonly moved: number;
  /** Orders whose undo nobody has answered for all nudges: an operator must look. */
  readonly stuck: number;
}

/**
 * Looks through the open orders and lets the saga decide whose deadline has passed. One order that cannot be moved
 * does not keep the others waiting.
 *
 * @param mayContinue asked before each order, so that a run ends before its function is killed
 * @param causationId of this run
 */
export async function sweepDeadlines(saga: Saga, policy: NudgePolicy, causationId: string, mayContinue: () => boolean): Promise<Sweep> {
  const { store, telemetry } = saga;
  const sweep = { looked: 0, moved: 0, stuck: 0 };
  const now = store.world.now();
  // Shards take turns at being first, so that a run that ends early does not always end before the same ones.
  const first = Math.floor(store.world.random() * openShards);
  for (let i = 0; i < openShards; i++) {
    const ids = await openOrders(store, (first + i) % openShards, now - policy.baseSeconds * 1000, ordersPerShard);
    for (const orderId of ids) {
      if (!mayContinue()) return sweep;
      sweep.looked++;
      try {
        const load = async (): Promise<Order> => {
          const order = await findOrder(store, orderId);
          if (!order) throw new Error(`order ${orderId} is in the open index, but not in the table`);
          return order;
        };
        const { order, outcome } = await advance(saga, load, { type: 'Tick', now, policy }, causationId);
        if (!outcome.startsWith('ignored')) sweep.moved++;
        if ((order.nudges ?? 0) > policy.maxNudges) sweep.stuck++;
      } catch (error) {
        telemetry.warn('deadline not handled', { aggregateId: orderId, error: describeError(error) });
      }
    }
  }
  telemetry.count(metrics.ordersNudged, sweep.moved);
  telemetry.count(metrics.ordersStuck, sweep.stuck);
  return sweep;
}
