import { TransientError } from '../contract/core/errors.ts';
import type { Environment } from '../contract/functions.ts';
import { metrics } from '../contract/metrics.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import type { Delivery } from '../kit/consume.ts';
import { consumeFrom, type QueueConnections } from '../kit/wiring.ts';
import { applyChange, repair, type ViewStore } from './store.ts';
import { changeOf, type VersionedMessage } from './view.ts';

/** A message usually overtakes another by a moment; one that is still ahead at this receive waits for something that was lost. */
const patientAttempts = 3;

export function createHandler(environment: Environment<'order-view'>, connections: QueueConnections) {
  const { database, telemetry } = connections;
  const store: ViewStore = { database, table: environment.ORDER_VIEW_TABLE, ordersTable: environment.ORDERS_TABLE };

  async function onChange(message: VersionedMessage, { attempt }: Delivery): Promise<string> {
    try {
      return await applyChange(store, changeOf(message));
    } catch (error) {
      const gap = error instanceof TransientError && error.reason === 'gap';
      if (!gap || attempt < patientAttempts) throw error;
      const outcome = await repair(store, message.aggregateId);
      if (outcome === 'repaired') telemetry.count(metrics.viewsRepaired, 1);
      return outcome;
    }
  }

  return consumeFrom(environment, topology, durations[environment.STAGE], connections, {
    OrderPlaced: onChange,
    PaymentRequested: onChange,
    ShipmentRequested: onChange,
    ShipmentCancelRequested: onChange,
    RefundRequested: onChange,
    StockReleaseRequested: onChange,
    OrderConfirmed: onChange,
    OrderFailed: onChange,
    OrderCancelled: onChange,
  });
}
