import type { NudgePolicy } from '../contract/core/retry-policy.ts';
import { describeError } from '../contract/core/errors.ts';
import { metrics } from '../contract/metrics.ts';
import type { Order } from '../contract/order.ts';
import { openShards } from '../contract/tables.ts';
import { advance, type Saga } from './advance.ts';
import { close, lastSent, type Closing } from './closing.ts';
import { dueAt } from './saga.ts';
import { findOrder, openOrders, type OpenPage } from './store.ts';

/** Orders of one page, and how many of them are worked on at a time: the memory and the burst of a run. */
const pageSize = 100;
const atATime = 20;
/** Questions asked again in one run: after an outage the rest waits for the next minute, so that participants meet no stampede. */
const mostMoves = 1000;

export interface SweepOptions {
  readonly saga: Saga;
  readonly closing: Closing;
  readonly policy: NudgePolicy;
  /** Settled orders are looked at this long after they were placed. */
  readonly closeAfterSeconds: number;
  /** Id of this run: the cause of what it says. */
  readonly causationId: string;
  /** Asked before each handful of orders, so that a run ends before its function is killed. */
  readonly mayContinue: () => boolean;
}

export interface Sweep {
  looked: number;
  /** Steps that were asked again or given up. */
  moved: number;
  closed: number;
  /** Orders of which somebody lacks a message: it was, or is being, sent again. */
  resent: number;
  /** Orders whose undo nobody has answered for all nudges: an operator must look. */
  stuck: number;
}

/**
 * Looks through the open orders: lets the saga decide whose deadline has passed, and closes what is settled and known to all.
 * One order that cannot be handled does not keep the others waiting. Shards take turns at being first, so that a run that
 * ends early does not always end before the same ones.
 */
export async function sweepOpenOrders(options: SweepOptions): Promise<Sweep> {
  const { saga, policy, closeAfterSeconds, mayContinue } = options;
  const { telemetry, store } = saga;
  const sweep: Sweep = { looked: 0, moved: 0, closed: 0, resent: 0, stuck: 0 };
  const now = store.world.now();
  const placedBefore = now - Math.min(policy.baseSeconds, closeAfterSeconds) * 1000;
  const first = Math.floor(store.world.random() * openShards);
  shards: for (let i = 0; i < openShards; i++) {
    let page: OpenPage | undefined;
    do {
      const { orderIds, next } = await openOrders(store, (first + i) % openShards, placedBefore, pageSize, page);
      for (let start = 0; start < orderIds.length; start += atATime) {
        if (!mayContinue()) break shards;
        await Promise.all(orderIds.slice(start, start + atATime).map((orderId) => lookAt(options, sweep, orderId, now)));
      }
      page = next;
    } while (page);
  }
  telemetry.count(metrics.ordersNudged, sweep.moved);
  telemetry.count(metrics.ordersClosed, sweep.closed);
  telemetry.count(metrics.ordersStuck, sweep.stuck);
  return sweep;
}

async function lookAt(options: SweepOptions, sweep: Sweep, orderId: string, now: number): Promise<void> {
  const { saga, closing } = options;
  sweep.looked++;
  try {
    const load = async (): Promise<Order> => {
      const order = await findOrder(saga.store, orderId);
      if (!order) throw new Error(`order ${orderId} is in the open index, but not in the table`);
      return order;
    };
    const order = await load();
    if (order.step !== 'SETTLED') {
      const { nudges = 0 } = await remind(options, sweep, order, load, now);
      if (nudges > options.policy.maxNudges) sweep.stuck++;
      return;
    }
    const closed = await close(closing, order);
    if (closed === 'closed') sweep.closed++;
    if (closed === 'sent again') sweep.resent++;
  } catch (error) {
    saga.telemetry.warn('open order not handled', { aggregateId: orderId, error: describeError(error) });
  }
}

/** Lets the clock act on an order that waits for an answer, once everything that it said is sent. */
async function remind(
  { saga, closing, policy, causationId }: SweepOptions,
  sweep: Sweep,
  order: Order,
  load: () => Promise<Order>,
  now: number,
): Promise<Order> {
  if (now < dueAt(order, policy) || sweep.moved >= mostMoves) return order;
  const askedAt = await lastSent(closing, order);
  if (askedAt === undefined) {
    sweep.resent++;
    return order;
  }
  const { order: after, moved } = await advance(saga, load, { type: 'Tick', now, policy, askedAt }, causationId);
  if (moved) sweep.moved++;
  return after;
}
