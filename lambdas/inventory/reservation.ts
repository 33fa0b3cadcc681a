import { assertNever } from '@outbox-saga/kit/errors';
import type { Message, MessageData } from '../contract/messages.ts';

/**
 * What an order holds of the stock, stored under the order's id: one per order, whatever arrives how often.
 * A rejection and a tombstone (released before it was ever made) are kept like a success.
 *
 *   (none) ─► RESERVED ─► RELEASED
 *     ├─────► REJECTED
 *     └─────► RELEASED    without items: the tombstone
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

/** What changes a reservation, and with it the stock. */
export type ReservationEvent =
  | { readonly type: 'Reserved'; readonly items: readonly StockLine[] }
  | { readonly type: 'Rejected'; readonly shortages: readonly Shortage[] }
  | { readonly type: 'Released' };

export type ReservationInput =
  | { readonly type: 'Reserve'; readonly items: readonly StockLine[] }
  | { readonly type: 'Release' }
  /** There is too little, so `Reserved` was not written. */
  | { readonly type: 'Short'; readonly shortages: readonly Shortage[] }
  /** Somebody else stored a reservation first, so the event was not written. */
  | { readonly type: 'Overtaken'; readonly event: ReservationEvent };

export type ReservationDecision =
  | { readonly kind: 'store'; readonly event: ReservationEvent }
  /** Tell again what the reservation holds. */
  | { readonly kind: 'answer again'; readonly reservation: Reservation }
  | { readonly kind: 'retry later'; readonly why: string };

/** What to do next about a reservation. Whether there is enough is not known here: the stock itself says so when `Reserved` is written. */
export function decide(reservation: Reservation | undefined, input: ReservationInput): ReservationDecision {
  switch (input.type) {
    case 'Reserve':
      return reservation ? { kind: 'answer again', reservation } : { kind: 'store', event: { type: 'Reserved', items: input.items } };
    case 'Short':
      return reservation
        ? { kind: 'answer again', reservation }
        : { kind: 'store', event: { type: 'Rejected', shortages: input.shortages } };
    case 'Release':
      // Without a reservation it leaves a tombstone, so that a late OrderPlaced reserves nothing.
      if (!reservation || reservation.status === 'RESERVED') return { kind: 'store', event: { type: 'Released' } };
      return { kind: 'answer again', reservation };
    case 'Overtaken':
      return decideOvertaken(reservation, input.event);
    default:
      return assertNever(input, 'input of a reservation');
  }
}

function decideOvertaken(reservation: Reservation | undefined, event: ReservationEvent): ReservationDecision {
  switch (event.type) {
    case 'Reserved':
      if (reservation) return { kind: 'answer again', reservation };
      return { kind: 'retry later', why: 'got a reservation and lost it while it was reserved' };
    case 'Rejected':
      return { kind: 'retry later', why: 'got a reservation while it was rejected' };
    case 'Released':
      return { kind: 'retry later', why: 'got another reservation while its release was recorded' };
    default:
      return assertNever(event, 'event of a reservation');
  }
}

export function evolve(reservation: Reservation | undefined, event: ReservationEvent): Reservation {
  switch (event.type) {
    case 'Reserved':
      return { status: 'RESERVED', items: event.items };
    case 'Rejected':
      return { status: 'REJECTED', shortages: event.shortages };
    case 'Released':
      return { status: 'RELEASED', items: reservation?.status === 'RESERVED' ? reservation.items : [] };
    default:
      return assertNever(event, 'event of a reservation');
  }
}

/** The answer that a reservation gives to OrderPlaced, now and whenever it is asked again. */
export function answerToPlaced(reservation: Reservation): Answer<'StockReserved' | 'StockRejected'> {
  switch (reservation.status) {
    case 'RESERVED':
      return { type: 'StockReserved', data: {} };
    case 'REJECTED':
      return { type: 'StockRejected', data: { shortages: [...reservation.shortages] } };
    case 'RELEASED':
      // The undo came before the do: nothing may be reserved any more.
      return { type: 'StockRejected', data: { shortages: [] } };
    default:
      return assertNever(reservation, 'reservation');
  }
}

type Answer<Type extends Message['type']> = {
  [T in Type]: { readonly type: T; readonly data: MessageData<T> };
}[Type];
