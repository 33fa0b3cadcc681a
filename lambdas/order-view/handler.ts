import { TransientError } from '@outbox-saga/kit/errors';
import type { Environment } from '../contract/functions.ts';
import { metrics } from '../contract/metrics.ts';
import { topology, type MessagesTo } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import type { Delivery } from '@outbox-saga/kit/consumer/consume';
import { consumeFrom, type QueueConnections } from '@outbox-saga/kit/function/wiring';
import { applyChange, repair, type ViewStore } from './store.ts';
import { changeOf } from './view.ts';

/** A message usually overtakes another by a moment; one that is still ahead at this receive waits for something that was lost. */
const patientAttempts = 3;

export function createHandler(environment: Environment<'order-view'>, connections: QueueConnections) {
  const { database, telemetry } = connections;
  const store: ViewStore = { database, table: environment.ORDER_VIEW_TABLE, ordersTable: environment.ORDERS_TABLE };

  async function onChange(message: MessagesTo<'order-view'>, { attempt }: Delivery): Promise<string> {
    try {
      return await applyChange(store, changeOf(message));
    } catch (error) {
      const gap = error instanceof TransientError && error.reason === 'gap';
      if (!gap || attempt < patientAttempts) throw error;
      const outcome = await repair(store, message.aggregateId);
      if (outcome === 'repaired') telemetry.measure(metrics.viewsRepaired, 1);
      return outcome;
    }
  }

  return consumeFrom(environment, connections, {
    consumer: 'order-view',
    topology,
    durations: durations[environment.STAGE],
    handlers: onChange,
  });
}
