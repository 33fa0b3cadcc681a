import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { readOrder, type Order } from '../contract/order.ts';
import { openShardName } from '../contract/tables.ts';
import { findItem, tryUpdate } from '@outbox-saga/kit/aws/clients';
import { tryCommit, type CommitContext } from '@outbox-saga/kit/outbox/commit';
import { newRow } from '@outbox-saga/kit/outbox/row';

export type SagaStore = CommitContext & { readonly ordersTable: string };

/** @throws PermanentError when the order's shape is one that this code does not know */
export async function findOrder(store: SagaStore, orderId: string): Promise<Order | undefined> {
  return readOrder(await findItem(store.database, store.ordersTable, { orderId }));
}

/**
 * Writes an order's next state with its message, if its version is still the one that was decided on.
 *
 * @returns false when another transition was first: nothing was written, and the caller must decide again
 */
export async function commitTransition(store: SagaStore, before: Order, after: Order, message: Envelope): Promise<boolean> {
  const settled = after.step === 'SETTLED';
  // An order that needed no reminder need not carry the count.
  const nudged = (after.nudges ?? 0) !== (before.nudges ?? 0);
  const update = {
    Update: {
      TableName: store.ordersTable,
      Key: { orderId: before.orderId },
      UpdateExpression: [
        'SET #status = :status, step = :step, version = :next, updatedAt = :updatedAt',
        ...(after.failure ? [', failure = :failure'] : []),
        ...(after.cancelled ? [', cancelled = :cancelled'] : []),
        ...(after.trackingId === undefined ? [] : [', trackingId = :trackingId']),
        ...(nudged ? [', nudges = :nudges'] : []),
        ...(settled ? [', settledAt = :settledAt'] : []),
      ].join(''),
      ConditionExpression: 'version = :version',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: {
        ':status': after.status,
        ':step': after.step,
        ':version': before.version,
        ':next': after.version,
        ':updatedAt': after.updatedAt,
        ...(after.failure ? { ':failure': after.failure } : {}),
        ...(after.cancelled ? { ':cancelled': true } : {}),
        ...(after.trackingId === undefined ? {} : { ':trackingId': after.trackingId }),
        ...(nudged ? { ':nudges': after.nudges } : {}),
        ...(settled ? { ':settledAt': after.settledAt } : {}),
      },
    },
  };
  return tryCommit(store, { order: update }, [message]);
}

/** Commits a message beside no change of its order. @returns false when a row with its id is there */
export function commitAgain(store: SagaStore, message: Envelope): Promise<boolean> {
  const row = { TableName: store.outboxTable, Item: newRow(message, store), ConditionExpression: 'attribute_not_exists(aggregateId)' };
  return tryCommit(store, { message: { Put: row } }, []);
}

/** Takes an order out of the open index, if it is still as it was when it was checked. */
export function closeOrder(store: SagaStore, { orderId, version }: Order): Promise<boolean> {
  return tryUpdate(store.database, {
    TableName: store.ordersTable,
    Key: { orderId },
    UpdateExpression: 'REMOVE openShard',
    ConditionExpression: 'version = :version',
    ExpressionAttributeValues: { ':version': version },
  });
}

/** An order's place in its shard of the open index. */
export interface OpenKey {
  readonly orderId: string;
  readonly placedAt: number;
}

/** One page of a shard's open orders that were placed before a time, oldest first. @param after where the page before ended */
export async function openOrders(
  store: SagaStore,
  shard: number,
  placedBefore: number,
  { limit, after }: { readonly limit: number; readonly after: OpenKey | undefined },
): Promise<{ keys: OpenKey[]; more: boolean }> {
  const openShard = openShardName(shard);
  const { Items = [], LastEvaluatedKey } = await store.database.send(
    new QueryCommand({
      TableName: store.ordersTable,
      IndexName: 'open',
      KeyConditionExpression: 'openShard = :shard AND placedAt <= :before',
      ExpressionAttributeValues: { ':shard': openShard, ':before': placedBefore },
      Limit: limit,
      ...(after ? { ExclusiveStartKey: { openShard, placedAt: after.placedAt, orderId: after.orderId } } : {}),
    }),
  );
  const keys = (Items as OpenKey[]).map(({ orderId, placedAt }) => ({ orderId, placedAt }));
  return { keys, more: LastEvaluatedKey !== undefined };
}
