import { invariant, PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { metrics } from '../contract/metrics.ts';
import type { topology } from '../contract/routes.ts';
import type { Order } from '../contract/order.ts';
import type { MakeMessage } from '@outbox-saga/kit/messages/message';
import type { Telemetry } from '@outbox-saga/kit/telemetry/telemetry';
import { decide, evolve, type Cancel, type Tick, type Transition } from './saga.ts';
import type { Reply } from './steps.ts';
import { commitTransition, findOrder, type SagaStore } from './store.ts';

export interface Saga {
  readonly store: SagaStore;
  readonly makeMessage: MakeMessage<(typeof topology)['messages']>;
  readonly telemetry: Telemetry;
}

const versionRaces = 3;

/** What became of an input: the order as it is now, whether it moved, and a word for the log line. */
export interface Advance {
  readonly order: Order;
  readonly moved: boolean;
  readonly outcome: string;
}

/**
 * Lets a reply, a cancellation or the clock act on its order: read, decide, commit. A lost version race is never "already done":
 * the order is read and decided on again, and after a few races the input itself is tried again.
 *
 * @param load finds the order, or throws what its absence means to the caller
 * @param causationId of the message or request that is the input
 */
export async function advance(saga: Saga, load: () => Promise<Order>, input: Reply | Cancel | Tick, causationId: string): Promise<Advance> {
  for (let race = 0; race < versionRaces; race++) {
    const order = await load();
    const decision = decide(order, input);
    if (decision.kind === 'ignore') return { order, moved: false, outcome: `ignored: ${decision.why}` };
    const now = saga.store.world.now();
    const after = evolve(order, decision.transition, now);
    invariant(after.version === order.version + 1, 'a transition is one version');
    const message = saga.makeMessage(decision.transition.type, decision.transition.data, {
      aggregateId: order.orderId,
      sequence: after.version,
      groupId: order.groupId,
      correlationId: order.correlationId,
      causationId,
      occurredAt: now,
    });
    if (await commitTransition(saga.store, order, after, message)) {
      reportTransition(saga.telemetry, order, after, decision.transition);
      return { order: after, moved: true, outcome: decision.transition.type };
    }
  }
  throw new TransientError('conflict', `an order changed ${versionRaces} times while ${input.type} was decided on`);
}

/** A reply's whole way, for the queue. @throws PermanentError when there is no such order: a reply to nothing can never be handled */
export async function handleReply(saga: Saga, reply: Reply): Promise<string> {
  const load = async (): Promise<Order> => {
    const order = await findOrder(saga.store, reply.aggregateId);
    if (!order) throw new PermanentError(`there is no order ${reply.aggregateId}`);
    return order;
  };
  return (await advance(saga, load, reply, reply.messageId)).outcome;
}

function reportTransition(telemetry: Telemetry, before: Order, after: Order, transition: Transition): void {
  telemetry.info('order transition', {
    correlationId: after.correlationId,
    aggregateId: after.orderId,
    from: before.step,
    to: after.step,
    status: after.status,
    version: after.version,
    said: transition.type,
    failure: after.failure,
  });
  if (after.settledAt === undefined) return;
  telemetry.measure(metrics.settleTime, after.settledAt - after.placedAt);
  if (after.status === 'CONFIRMED') telemetry.measure(metrics.ordersConfirmed, 1);
  if (after.status === 'CANCELLED') telemetry.measure(metrics.ordersCancelled, 1);
  if (after.status === 'FAILED' && after.failure) telemetry.measureBy(metrics.ordersFailed, 1, { code: after.failure.code });
}
