import { assertReceives, defineTopology, type ConsumerPolicy, type MessagesTo as MessagesOf } from '@outbox-saga/kit/messages/topology';
import { messages } from './messages.ts';
import { stageNames } from './stage-names.ts';
import { durations } from './stages.ts';

/** Queues absorb bursts, so a consumer's concurrency may stay low; raise it where a backlog alarm says so. */
const actor: ConsumerPolicy = { role: 'actor', batchSize: 10, maximumConcurrency: 20, maxReceiveCount: 100, idempotent: true };
/** Absorbs duplicates by its own key (a checkpoint, one record per order), so Powertools would only cost writes. */
const listener: ConsumerPolicy = { ...actor, role: 'listener', idempotent: false };

/**
 * Who gets what. Queues, dead-letter queues, event sources, alarms, the publisher and the consumers derive from it:
 * CONTRIBUTING.md tells how a step is added.
 *
 * Every message that changes an order's version also goes to order-view, so that its sequence is gapless there.
 */
export const topology = defineTopology({
  messages,
  consumers: {
    'order-saga': actor,
    inventory: actor,
    payment: actor,
    shipping: actor,
    notification: listener,
    'order-view': listener,
  },
  routes: {
    OrderPlaced: { kind: 'event', consumers: ['inventory', 'order-view'] },
    PaymentRequested: { kind: 'command', consumers: ['payment', 'order-view'] },
    ShipmentRequested: { kind: 'command', consumers: ['shipping', 'order-view'] },
    ShipmentCancelRequested: { kind: 'command', consumers: ['shipping', 'order-view'] },
    RefundRequested: { kind: 'command', consumers: ['payment', 'order-view'] },
    StockReleaseRequested: { kind: 'command', consumers: ['inventory', 'order-view'] },
    OrderConfirmed: { kind: 'event', consumers: ['notification', 'order-view'] },
    OrderFailed: { kind: 'event', consumers: ['notification', 'order-view'] },
    OrderCancelled: { kind: 'event', consumers: ['notification', 'order-view'] },

    StockReserved: { kind: 'event', consumers: ['order-saga'] },
    StockRejected: { kind: 'event', consumers: ['order-saga'] },
    StockReleased: { kind: 'event', consumers: ['order-saga'] },
    PaymentCaptured: { kind: 'event', consumers: ['order-saga'] },
    PaymentDeclined: { kind: 'event', consumers: ['order-saga'] },
    PaymentRefunded: { kind: 'event', consumers: ['order-saga'] },
    ShipmentArranged: { kind: 'event', consumers: ['order-saga'] },
    ShipmentRejected: { kind: 'event', consumers: ['order-saga'] },
    ShipmentCancelled: { kind: 'event', consumers: ['order-saga'] },
  },
});

for (const stage of stageNames) assertReceives(topology, stage, durations[stage].retry);

export type Consumer = keyof typeof topology.consumers;

/** Every message that a consumer gets. Its handlers must be complete for them. */
export type MessagesTo<Name extends Consumer> = MessagesOf<typeof topology, Name>;
