import type { ShipTo } from '../contract/order.ts';

/** What the shipping room needs of a carrier. */
export interface Carrier {
  /**
   * Arranges a shipment. Called again with the same key it answers the same.
   *
   * @throws TransientError when it is not known whether it was arranged
   */
  arrange(consignment: Consignment, idempotencyKey: string): Promise<ArrangeOutcome>;
  /** Calls an arranged shipment off; called again with the same key it changes nothing more. */
  callOff(consignment: Consignment, trackingId: string, idempotencyKey: string): Promise<'cancelled' | 'pending'>;
  /** What became of an order's shipment, whatever its key was. */
  find(
    orderId: string,
  ): Promise<ArrangeOutcome | { readonly outcome: 'cancelled'; readonly trackingId: string } | { readonly outcome: 'unknown' }>;
}

export interface Consignment {
  readonly orderId: string;
  readonly items: readonly { readonly sku: string; readonly qty: number }[];
  readonly shipTo?: ShipTo | undefined;
}

export type ArrangeOutcome =
  | { readonly outcome: 'arranged'; readonly trackingId: string }
  | { readonly outcome: 'rejected'; readonly reason: string }
  | { readonly outcome: 'pending' };
