import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { invariant, PermanentError } from '@outbox-saga/kit/errors';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { inventoryKey } from '../contract/tables.ts';
import { commit, CommitRefused, tryCommit, type CommitContext, type Write } from '@outbox-saga/kit/outbox/commit';
import type { Reservation, Shortage, StockLine } from './reservation.ts';

export type InventoryStore = CommitContext & { readonly inventoryTable: string };

/** Stands in both transactions at place 0: the natural key of an order's reservation. */
function reservationWrite(store: InventoryStore, orderId: string, reservation: Reservation): Write {
  return {
    Put: {
      TableName: store.inventoryTable,
      Item: { pk: inventoryKey.reservation(orderId), ...reservation, updatedAt: store.world.now() },
      ConditionExpression: 'attribute_not_exists(pk)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
  };
}

/**
 * Reserves all lines or none, with the reply, in one transaction. No read: each stock level is conditioned on what is left.
 *
 * @returns undefined when it is reserved; the stored reservation when there was one already; otherwise what is short
 */
export async function reserve(
  store: InventoryStore,
  orderId: string,
  items: readonly StockLine[],
  reply: Envelope,
): Promise<{ stored: Reservation } | { shortages: Shortage[] } | undefined> {
  const stock = items.map(({ sku, qty }): Write => ({
    Update: {
      TableName: store.inventoryTable,
      Key: { pk: inventoryKey.stock(sku) },
      UpdateExpression: 'SET available = available - :qty, reserved = reserved + :qty ADD version :one',
      ConditionExpression: 'available >= :qty',
      ExpressionAttributeValues: { ':qty': qty, ':one': 1 },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
  }));
  try {
    await commit(store, [reservationWrite(store, orderId, { status: 'RESERVED', items }), ...stock], [reply]);
    return undefined;
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error;
    const stored = error.refusalOf(0)?.item;
    if (stored) return { stored: stored as unknown as Reservation };
    return {
      shortages: error.refusals.map(({ index, item }) => {
        const line = items[index - 1];
        invariant(line, 'a refused stock level belongs to a line');
        return { sku: line.sku, asked: line.qty, available: Number(item?.['available'] ?? 0) };
      }),
    };
  }
}

/** Stores a reservation that touches no stock (a rejection, a tombstone) with its reply; false when there is one already. */
export async function record(store: InventoryStore, orderId: string, reservation: Reservation, reply: Envelope): Promise<boolean> {
  return tryCommit(store, [reservationWrite(store, orderId, reservation)], [reply]);
}

/** Gives back what a reservation holds, with the reply; false when another release was first. */
export async function release(store: InventoryStore, orderId: string, items: readonly StockLine[], reply: Envelope): Promise<boolean> {
  const reservation: Write = {
    Update: {
      TableName: store.inventoryTable,
      Key: { pk: inventoryKey.reservation(orderId) },
      UpdateExpression: 'SET #status = :released, updatedAt = :now',
      ConditionExpression: '#status = :reserved',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: { ':released': 'RELEASED', ':reserved': 'RESERVED', ':now': store.world.now() },
    },
  };
  const stock = items.map(({ sku, qty }): Write => ({
    Update: {
      TableName: store.inventoryTable,
      Key: { pk: inventoryKey.stock(sku) },
      UpdateExpression: 'SET available = available + :qty, reserved = reserved - :qty ADD version :one',
      ConditionExpression: 'reserved >= :qty',
      ExpressionAttributeValues: { ':qty': qty, ':one': 1 },
    },
  }));
  try {
    await commit(store, [reservation, ...stock], [reply]);
    return true;
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error;
    if (error.refusalOf(0)) return false;
    throw new PermanentError(`order ${orderId} holds more than is reserved`, { cause: error });
  }
}

export async function findReservation(store: InventoryStore, orderId: string): Promise<Reservation | undefined> {
  const { Item } = await store.database.send(
    new GetCommand({ TableName: store.inventoryTable, Key: { pk: inventoryKey.reservation(orderId) }, ConsistentRead: true }),
  );
  return Item as Reservation | undefined;
}
