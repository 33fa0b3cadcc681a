import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { assertNever, TransientError } from '@outbox-saga/kit/errors';
import type { Message } from '../contract/messages.ts';
import type { topology } from '../contract/routes.ts';
import { commit } from '@outbox-saga/kit/outbox/commit';
import { replyTo, type MakeMessage } from '@outbox-saga/kit/messages/message';
import { answerToPlaced, decide, evolve, type Reservation, type ReservationInput } from './reservation.ts';
import { findReservation, save, type InventoryStore } from './store.ts';

export interface Inventory {
  readonly store: InventoryStore;
  readonly makeMessage: MakeMessage<(typeof topology)['messages']>;
}

/** Reserves an order's stock, or says what is short. Asked again, it answers again from what it stored. */
export async function reserveStock(inventory: Inventory, message: Message<'OrderPlaced'>): Promise<string> {
  const tell = (reservation: Reservation): Envelope => {
    const { type, data } = answerToPlaced(reservation);
    return inventory.makeMessage(type, data, replyTo(message));
  };
  // Most are new: the condition of the first write costs less than a read before it.
  const start = { reservation: undefined, input: { type: 'Reserve', items: message.data.items } } as const;
  const { reservation, again } = await run(inventory.store, message.aggregateId, start, tell);
  return again ? `answered again: ${answerToPlaced(reservation).type}` : reservation.status.toLowerCase();
}

/** Gives back an order's stock. Without a reservation it leaves a tombstone, so that a late OrderPlaced reserves nothing. */
export async function releaseStock(inventory: Inventory, message: Message<'StockReleaseRequested'>): Promise<string> {
  // Whatever is decided, this is what it is answered with.
  const reply = inventory.makeMessage('StockReleased', {}, replyTo(message));
  const known = await findReservation(inventory.store, message.aggregateId);
  const start = { reservation: known, input: { type: 'Release' } } as const;
  const { reservation, again } = await run(inventory.store, message.aggregateId, start, () => reply);
  if (again) return `answered again: nothing held (${reservation.status})`;
  return known ? 'released' : 'tombstone';
}

/** Carries out what is decided, and lets it be decided again with what came of it. @returns what was told, and whether it was stored before */
async function run(
  store: InventoryStore,
  orderId: string,
  start: { readonly reservation: Reservation | undefined; readonly input: ReservationInput },
  tell: (reservation: Reservation) => Envelope,
): Promise<{ readonly reservation: Reservation; readonly again: boolean }> {
  let { reservation, input } = start;
  for (;;) {
    const decision = decide(reservation, input);
    switch (decision.kind) {
      case 'store': {
        const { event } = decision;
        const after = evolve(reservation, event);
        const saved = await save(store, orderId, { before: reservation, event, after }, tell(after));
        if (saved.outcome === 'saved') return { reservation: after, again: false };
        if (saved.outcome === 'overtaken') reservation = saved.stored;
        input = saved.outcome === 'short' ? { type: 'Short', shortages: saved.shortages } : { type: 'Overtaken', event };
        break;
      }
      case 'answer again':
        await commit(store, {}, [tell(decision.reservation)]);
        return { reservation: decision.reservation, again: true };
      case 'retry later':
        throw new TransientError('conflict', `order ${orderId} ${decision.why}`);
      default:
        return assertNever(decision, 'decision about a reservation');
    }
  }
}
