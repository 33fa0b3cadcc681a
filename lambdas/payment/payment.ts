import type { ProviderService } from '../providers/provider-service.ts';

/** What a payment gateway is asked for. The amount is in minor units. */
export interface Charge {
  readonly orderId: string;
  readonly amount: number;
  readonly currency: string;
  readonly token: string;
}

/** Capturing an order's money, and refunding all of it. */
export const payment: ProviderService<Charge, 'PaymentRequested', 'RefundRequested'> = {
  // VOIDED: refunded before it was ever requested.
  states: { doing: 'CAPTURING', done: 'CAPTURED', refused: 'DECLINED', undoing: 'REFUNDING', undone: 'REFUNDED', voided: 'VOIDED' },
  messages: { do: 'PaymentRequested', undo: 'RefundRequested' },
  requestOf: ({ aggregateId: orderId, data: { amount, currency, token } }) => ({ orderId, amount, currency, token }),
  replies: {
    done: ({ data: { amount, currency } }, reference) => ({ type: 'PaymentCaptured', data: { amount, currency, reference } }),
    refused: (_, reason) => ({ type: 'PaymentDeclined', data: { reason } }),
    undone: ({ data: { amount, currency } }, undone) => ({ type: 'PaymentRefunded', data: { amount: undone ? amount : 0, currency } }),
  },
};
