import type { ShipTo } from '../contract/order.ts';
import type { ProviderService } from '../providers/provider-service.ts';

/** What a carrier is asked for. */
export interface Consignment {
  readonly orderId: string;
  readonly items: readonly { readonly sku: string; readonly qty: number }[];
  readonly shipTo?: ShipTo | undefined;
}

/** Arranging an order's shipment, and calling it off. What is done is named by its tracking id. */
export const shipment: ProviderService<Consignment, 'ShipmentRequested', 'ShipmentCancelRequested'> = {
  // VOIDED: called off before it was ever requested.
  states: { doing: 'ARRANGING', done: 'ARRANGED', refused: 'REJECTED', undoing: 'CALLING_OFF', undone: 'CALLED_OFF', voided: 'VOIDED' },
  messages: { do: 'ShipmentRequested', undo: 'ShipmentCancelRequested' },
  requestOf: ({ aggregateId: orderId, data: { items, shipTo } }) => ({ orderId, items, shipTo }),
  replies: {
    done: (_, trackingId) => ({ type: 'ShipmentArranged', data: { trackingId } }),
    refused: (_, reason) => ({ type: 'ShipmentRejected', data: { reason } }),
    undone: () => ({ type: 'ShipmentCancelled', data: {} }),
  },
};
