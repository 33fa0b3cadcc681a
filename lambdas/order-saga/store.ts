import { GetCommand } from '@aws-sdk/lib-dynamodb';
import type { Envelope } from '../contract/core/envelope.ts';
import { PermanentError } from '../contract/core/errors.ts';
import type { Order } from '../contract/order.ts';
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
  const update = {
    Update: {
      TableName: store.ordersTable,
      Key: { orderId: before.orderId },
      UpdateExpression: [
        'SET #status = :status, step = :step, version = :next, updatedAt = :updatedAt',
        ...(after.failure ? [', failure = :failure'] : []),
        ...(after.cancelled ? [', cancelled = :cancelled'] : []),
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
