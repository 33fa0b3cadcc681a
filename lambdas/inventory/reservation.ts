import type { Message, MessageData } from '../contract/messages.ts';

/**
 * What an order holds of the stock, stored under the order's id: one per order, whatever arrives how often.
 * A rejection and a tombstone (released before it was ever made) are kept like a success.
 */
export type Reservation =
  | { readonly status: 'RESERVED'; readonly items: readonly StockLine[] }
  | { readonly status: 'REJECTED'; readonly shortages: readonly Shortage[] }
  | { readonly status: 'RELEASED'; readonly items: readonly StockLine[] };

export interface StockLine {
  readonly sku: string;
  readonly qty: number;
}

export type Shortage = MessageData<'StockRejected'>['shortages'][number];

/** The answer that a stored reservation gives to OrderPlaced, now and whenever it is asked again. */
export function answerToPlaced(reservation: Reservation): Answer<'StockReserved' | 'StockRejected'> {
  switch (reservation.status) {
    case 'RESERVED':
      return { type: 'StockReserved', data: {} };
    case 'REJECTED':
      return { type: 'StockRejected', data: { shortages: [...reservation.shortages] } };
    case 'RELEASED':
      // The undo came before the do: nothing may be reserved any more.
      return { type: 'StockRejected', data: { shortages: [] } };
  }
}

export type Answer<Type extends Message['type']> = {
  [T in Type]: { readonly type: T; readonly data: MessageData<T> };
}[Type];
