/** What the payment room needs of a payment gateway. Amounts in minor units. */
export interface PaymentGateway {
  /**
   * Takes the money. Called again with the same key it answers the same.
   *
   * @throws TransientError when it is not known whether money was taken
   */
  capture(charge: Charge, idempotencyKey: string): Promise<CaptureOutcome>;
  /** Gives all of it back; called again with the same key it gives nothing more. */
  refund(charge: Charge, reference: string, idempotencyKey: string): Promise<'refunded' | 'pending'>;
  /** What became of an order's charge, whatever its key was. */
  find(
    orderId: string,
  ): Promise<CaptureOutcome | { readonly outcome: 'refunded'; readonly reference: string } | { readonly outcome: 'unknown' }>;
}

export interface Charge {
  readonly orderId: string;
  readonly amount: number;
  readonly currency: string;
  readonly token: string;
}

export type CaptureOutcome =
  | { readonly outcome: 'captured'; readonly reference: string }
  | { readonly outcome: 'declined'; readonly reason: string }
  | { readonly outcome: 'pending' };
