import { TransientError } from '@outbox-saga/kit/errors';
import type { Message } from '../contract/messages.ts';
import type { topology } from '../contract/routes.ts';
import { commit } from '@outbox-saga/kit/outbox/commit';
import { replyTo, type MakeMessage } from '@outbox-saga/kit/messages/message';
import { answerToPlaced } from './reservation.ts';
import { findReservation, record, release, reserve, type InventoryStore } from './store.ts';

export interface Inventory {
  readonly store: InventoryStore;
  readonly makeMessage: MakeMessage<(typeof topology)['messages']>;
}

/** Reserves an order's stock, or says what is short. Asked again, it answers again from what it stored. */
export async function reserveStock({ store, makeMessage }: Inventory, message: Message<'OrderPlaced'>): Promise<string> {
  const orderId = message.aggregateId;
  const reserved = await reserve(store, orderId, message.data.items, makeMessage('StockReserved', {}, replyTo(message)));
  if (!reserved) return 'reserved';
  if ('stored' in reserved) {
    const answer = answerToPlaced(reserved.stored);
    await commit(store, [], [makeMessage(answer.type, answer.data, replyTo(message))]);
    return `answered again: ${answer.type}`;
  }
  const { shortages } = reserved;
  const reply = makeMessage('StockRejected', { shortages }, replyTo(message));
  if (await record(store, orderId, { status: 'REJECTED', shortages }, reply)) return 'rejected';
  throw new TransientError('conflict', `order ${orderId} got a reservation while it was rejected`);
}

/** Gives back an order's stock. Without a reservation it leaves a tombstone, so that a late OrderPlaced reserves nothing. */
export async function releaseStock({ store, makeMessage }: Inventory, message: Message<'StockReleaseRequested'>): Promise<string> {
  const orderId = message.aggregateId;
  const reply = makeMessage('StockReleased', {}, replyTo(message));
  const reservation = await findReservation(store, orderId);
  if (!reservation) {
    if (await record(store, orderId, { status: 'RELEASED', items: [] }, reply)) return 'tombstone';
    throw new TransientError('conflict', `order ${orderId} got a reservation while its release was recorded`);
  }
  if (reservation.status === 'RESERVED') {
    if (await release(store, orderId, reservation.items, reply)) return 'released';
    throw new TransientError('conflict', `the reservation of order ${orderId} changed while it was released`);
  }
  await commit(store, [], [reply]);
  return `answered again: nothing held (${reservation.status})`;
}
