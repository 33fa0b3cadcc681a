import { invariant, TransientError } from '../contract/core/errors.ts';
import { metrics } from '../contract/metrics.ts';
import type { topology } from '../contract/routes.ts';
import type { Order } from '../contract/order.ts';
import type { MakeMessage } from '../kit/message.ts';
import type { Telemetry } from '../kit/telemetry.ts';
import { decide, evolve, type Reply, type Transition } from './saga.ts';
import { commitTransition, loadOrder, type SagaStore } from './store.ts';

export interface Saga {
  readonly store: SagaStore;
  readonly makeMessage: MakeMessage<(typeof topology)['messages']>;
  readonly telemetry: Telemetry;
}

const versionRaces = 3;

/**
 * Lets a reply act on its order: read, decide, commit. A lost version race is never "already done":
 * the order is read and decided on again, and after a few races the message itself is retried.
 *
 * @returns a word for the log line
 */
export async function advance(saga: Saga, reply: Reply): Promise<string> {
  for (let race = 0; race < versionRaces; race++) {
    const order = await loadOrder(saga.store, reply.aggregateId);
    const decision = decide(order, reply);
    if (decision.kind === 'ignore') return `ignored: ${decision.why}`;
    const after = evolve(order, decision.transition, saga.store.world.now());
    invariant(after.version === order.version + 1, 'a transition is one version');
    const message = saga.makeMessage(decision.transition.type, decision.transition.data, {
      aggregateId: order.orderId,
      sequence: after.version,
      groupId: order.groupId,
      correlationId: order.correlationId,
      causationId: reply.messageId,
    });
    if (await commitTransition(saga.store, order, after, message)) {
      reportTransition(saga.telemetry, order, after, decision.transition);
      return decision.transition.type;
    }
  }
  throw new TransientError('conflict', `order ${reply.aggregateId} changed ${versionRaces} times while it was decided on`);
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
  telemetry.count(metrics.settleTime, after.settledAt - after.placedAt);
  if (after.status === 'CONFIRMED') telemetry.count(metrics.ordersConfirmed, 1);
  if (after.failure) telemetry.countBy(metrics.ordersFailed, 1, { code: after.failure.code });
}
