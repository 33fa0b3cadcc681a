import type { ReminderPolicy } from '../contract/durations.ts';
import { describeError, PermanentError } from '@outbox-saga/kit/errors';
import { metrics } from '../contract/metrics.ts';
import type { Order } from '../contract/order.ts';
import { openShards } from '../contract/tables.ts';
import { advance, type Saga } from './advance.ts';
import { close, lastSent, type Closing } from './closing.ts';
import { dueAt } from './saga.ts';
import { keepPlace, startingPlace, type Place, type PlaceStore } from './place.ts';
import { findOrder, openOrders, type OpenKey } from './store.ts';

/** Orders of one page, and how many of them are worked on at a time: the memory and the burst of a run. */
const pageSize = 100;
const atATime = 20;

export interface SweepOptions {
  readonly saga: Saga;
  readonly closing: Closing;
  readonly places: PlaceStore;
  readonly policy: ReminderPolicy;
  /** Settled orders are looked at this long after they were placed. */
  readonly closeAfterSeconds: number;
  /** Questions asked again in one run: after an outage the rest waits for the next minute, so that participants meet no stampede. */
  readonly mostMoves: number;
  /** A settled order that is still not closed after this long is counted: somebody must look. */
  readonly unclosedAfterSeconds: number;
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
  /** Orders whose undo nobody has answered for all reminders: an operator must look. */
  stuck: number;
  /** Orders that somebody has not heard of for long after they were settled, and those that this code can never handle. */
  unclosed: number;
}

/**
 * Looks through the open orders: lets the saga decide whose deadline has passed, and closes what is settled and known to all.
 * One order that cannot be handled does not keep the others waiting. A run that ends early notes where, and the next one goes on there:
 * however many orders stay open, each is reached within as many runs as it takes to look at all of them.
 */
export async function sweepOpenOrders(options: SweepOptions): Promise<Sweep> {
  const { saga, places, causationId } = options;
  const { telemetry } = saga;
  const sweep: Sweep = { looked: 0, moved: 0, closed: 0, resent: 0, stuck: 0, unclosed: 0 };
  const start = await startingPlace(places);
  const goOn = await lookFrom(options, sweep, start.place);
  if (goOn && sweep.looked > 0) {
    telemetry.warn('sweep ended early', { looked: sweep.looked, shard: goOn.shard });
    await keepPlace(places, causationId, start, goOn);
  }
  telemetry.measure(metrics.ordersReminded, sweep.moved);
  telemetry.measure(metrics.ordersClosed, sweep.closed);
  telemetry.measure(metrics.ordersStuck, sweep.stuck);
  telemetry.measure(metrics.ordersUnclosed, sweep.unclosed);
  return sweep;
}

/** @returns where the next run goes on: the first place that this one did not reach, or from which on it asked nobody again */
async function lookFrom(options: SweepOptions, sweep: Sweep, from: Place): Promise<Place | undefined> {
  const { saga, policy, closeAfterSeconds, mayContinue } = options;
  const now = saga.store.world.now();
  const placedBefore = now - Math.min(policy.baseSeconds, closeAfterSeconds) * 1000;
  let exhausted: Place | undefined;
  for (const { shard, after, until } of stretchesFrom(from, placedBefore)) {
    let last = after;
    for (let more = true; more;) {
      const page = await openOrders(saga.store, shard, until, { limit: pageSize, after: last });
      for (let start = 0; start < page.keys.length; start += atATime) {
        if (!mayContinue()) return exhausted ?? { shard, after: last };
        const handful = page.keys.slice(start, start + atATime);
        await Promise.all(handful.map(({ orderId }) => lookAt(options, sweep, orderId, now)));
        last = handful.at(-1);
        if (sweep.moved >= options.mostMoves) exhausted ??= { shard, after: last };
      }
      ({ more } = page);
    }
  }
  return exhausted;
}

/** The whole open index as a round: the shard of a place from there on, the other shards, and the beginning of the first. */
function* stretchesFrom({ shard, after }: Place, until: number): Generator<{ shard: number; after: OpenKey | undefined; until: number }> {
  yield { shard, after, until };
  for (let i = 1; i < openShards; i++) yield { shard: (shard + i) % openShards, after: undefined, until };
  if (after) yield { shard, after: undefined, until: Math.min(until, after.placedAt) };
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
      const { nudges = 0 } = await remind(options, sweep, order, { load, now });
      if (nudges > options.policy.maxReminders) sweep.stuck++;
      return;
    }
    const closed = await close(closing, order, options.causationId);
    if (closed === 'closed') sweep.closed++;
    if (closed === 'sent again') sweep.resent++;
    if (closed !== 'closed' && now - (order.settledAt ?? now) > options.unclosedAfterSeconds * 1000) sweep.unclosed++;
  } catch (error) {
    // What is permanent does not pass by itself, so this order is never closed.
    if (error instanceof PermanentError) sweep.unclosed++;
    saga.telemetry.warn('open order not handled', { aggregateId: orderId, error: describeError(error) });
  }
}

/** Lets the clock act on an order that waits for an answer, once everything that it said is sent. */
async function remind(
  { saga, closing, policy, mostMoves, causationId }: SweepOptions,
  sweep: Sweep,
  order: Order,
  { load, now }: { readonly load: () => Promise<Order>; readonly now: number },
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
