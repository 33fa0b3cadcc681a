import { GetCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Envelope } from '../contract/core/envelope.ts';
import { PermanentError } from '../contract/core/errors.ts';
import type { Order } from '../contract/order.ts';
import { openShardName } from '../contract/tables.ts';
import { commit, CommitRefused, type CommitContext } from '../kit/commit.ts';

export type SagaStore = CommitContext & { readonly ordersTable: string };

/** @throws PermanentError when the order's shape is one that this code does not know */
export async function findOrder(store: SagaStore, orderId: string): Promise<Order | undefined> {
  const { Item } = await store.database.send(new GetCommand({ TableName: store.ordersTable, Key: { orderId }, ConsistentRead: true }));
  if (Item && Item['schemaVersion'] !== 1) {
    throw new PermanentError(`order ${orderId} has schema version ${String(Item['schemaVersion'])}; this code reads version 1`);
  }
  return Item as Order | undefined;
}

/**
 * Writes an order's next state with its message, if its version is still the one that was decided on.
 *
 * @returns false when another transition was first: nothing was written, and the caller must decide again
 */
export async function commitTransition(store: SagaStore, before: Order, after: Order, message: Envelope): Promise<boolean> {
  const settled = after.step === 'SETTLED';
  // An order that was never nudged need not carry the count.
  const nudged = (after.nudges ?? 0) !== (before.nudges ?? 0);
  const update = {
    Update: {
      TableName: store.ordersTable,
      Key: { orderId: before.orderId },
      UpdateExpression: [
        'SET #status = :status, step = :step, version = :next, updatedAt = :updatedAt',
        ...(after.failure ? [', failure = :failure'] : []),
        ...(after.cancelled ? [', cancelled = :cancelled'] : []),
        ...(nudged ? [', nudges = :nudges'] : []),
        ...(settled ? [', settledAt = :settledAt REMOVE openShard'] : []),
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
        ...(nudged ? { ':nudges': after.nudges } : {}),
        ...(settled ? { ':settledAt': after.settledAt } : {}),
      },
    },
  };
  try {
    await commit(store, [update], [message]);
    return true;
  } catch (error) {
    if (error instanceof CommitRefused) return false;
    throw error;
  }
}

/**
 * Open orders of one shard that were placed before a time: the oldest, and, where there are more than fit, others from a
 * random place on, so that orders that are stuck do not hide those behind them.
 */
export async function openOrders(store: SagaStore, shard: number, placedBefore: number, most: number): Promise<string[]> {
  const page = async (from: number, limit: number): Promise<{ orderId: string; placedAt: number }[]> => {
    const { Items = [] } = await store.database.send(
      new QueryCommand({
        TableName: store.ordersTable,
        IndexName: 'open',
        KeyConditionExpression: 'openShard = :shard AND placedAt BETWEEN :from AND :before',
        ExpressionAttributeValues: { ':shard': openShardName(shard), ':from': from, ':before': placedBefore },
        Limit: limit,
      }),
    );
    return Items as { orderId: string; placedAt: number }[];
  };
  const half = Math.ceil(most / 2);
  const oldest = await page(0, half);
  const last = oldest.at(-1);
  if (oldest.length < half || !last) return oldest.map(({ orderId }) => orderId);
  const others = await page(Math.floor(last.placedAt + store.world.random() * (placedBefore - last.placedAt)), most - half);
  return [...new Set([...oldest, ...others].map(({ orderId }) => orderId))];
}
