import { findItem } from '@outbox-saga/kit/aws/clients';
import { invariant, PermanentError } from '@outbox-saga/kit/errors';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { inventoryKey } from '../contract/tables.ts';
import { commit, CommitRefused, type CommitContext, type Write, type Writes } from '@outbox-saga/kit/outbox/commit';
import type { Reservation, ReservationEvent, Shortage, StockLine } from './reservation.ts';

export type InventoryStore = CommitContext & { readonly inventoryTable: string };

/** A change that was decided: the reservation before and after it. */
interface Change {
  readonly before: Reservation | undefined;
  readonly event: ReservationEvent;
  readonly after: Reservation;
}

/** `short`: some line's stock is too low. `overtaken`: somebody else was first, with what is stored now where that is known. Nothing was written then. */
export type Saved =
  | { readonly outcome: 'saved' }
  | { readonly outcome: 'overtaken'; readonly stored: Reservation | undefined }
  | { readonly outcome: 'short'; readonly shortages: Shortage[] };

/** Writes a change, what it does to the stock and its reply in one transaction. No read: each stock level is conditioned on what is left. */
export async function save(store: InventoryStore, orderId: string, change: Change, reply: Envelope): Promise<Saved> {
  const moved = movedLines(change);
  const writes: Writes = {
    reservation: reservationWrite(store, orderId, change),
    ...Object.fromEntries(moved.map((line) => [inventoryKey.stock(line.sku), stockWrite(store, change.event, line)])),
  };
  invariant(Object.keys(writes).length === moved.length + 1, `order ${orderId} names each SKU once`);
  try {
    await commit(store, writes, [reply]);
    return { outcome: 'saved' };
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error;
    const { refusals } = error;
    if (refusals.has('reservation')) {
      return { outcome: 'overtaken', stored: refusals.get('reservation') as unknown as Reservation | undefined };
    }
    if (change.event.type === 'Released') throw new PermanentError(`order ${orderId} holds more than is reserved`, { cause: error });
    const short = moved.filter(({ sku }) => refusals.has(inventoryKey.stock(sku)));
    return {
      outcome: 'short',
      shortages: short.map(({ sku, qty }) => ({
        sku,
        asked: qty,
        available: Number(refusals.get(inventoryKey.stock(sku))?.['available'] ?? 0),
      })),
    };
  }
}

/** The lines whose stock a change moves; a rejection and a tombstone move none. */
function movedLines({ before, event }: Change): readonly StockLine[] {
  if (event.type === 'Reserved') return event.items;
  return event.type === 'Released' && before?.status === 'RESERVED' ? before.items : [];
}

function reservationWrite(store: InventoryStore, orderId: string, { before, after }: Change): Write {
  const pk = inventoryKey.reservation(orderId);
  const now = store.world.now();
  if (!before) {
    return {
      Put: {
        TableName: store.inventoryTable,
        Item: { pk, ...after, updatedAt: now },
        ConditionExpression: 'attribute_not_exists(pk)',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      },
    };
  }
  return {
    Update: {
      TableName: store.inventoryTable,
      Key: { pk },
      UpdateExpression: 'SET #status = :to, updatedAt = :now',
      ConditionExpression: '#status = :from',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: { ':to': after.status, ':from': before.status, ':now': now },
    },
  };
}

/** Moves a line's pieces between what is free to sell and what orders hold. */
function stockWrite(store: InventoryStore, event: ReservationEvent, { sku, qty }: StockLine): Write {
  const reserves = event.type === 'Reserved';
  return {
    Update: {
      TableName: store.inventoryTable,
      Key: { pk: inventoryKey.stock(sku) },
      UpdateExpression: reserves
        ? 'SET available = available - :qty, reserved = reserved + :qty ADD version :one'
        : 'SET available = available + :qty, reserved = reserved - :qty ADD version :one',
      ConditionExpression: reserves ? 'available >= :qty' : 'reserved >= :qty',
      ExpressionAttributeValues: { ':qty': qty, ':one': 1 },
      ...(reserves ? { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const } : {}),
    },
  };
}

export async function findReservation(store: InventoryStore, orderId: string): Promise<Reservation | undefined> {
  const item = await findItem(store.database, store.inventoryTable, { pk: inventoryKey.reservation(orderId) });
  return item as Reservation | undefined;
}
