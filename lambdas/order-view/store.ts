import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { conditionFailed, findItem, type Database } from '@outbox-saga/kit/aws/clients';
import { readOrder } from '../contract/order.ts';
import { viewOf, type ViewChange } from './view.ts';

export interface ViewStore {
  readonly database: Database;
  readonly table: string;
  readonly ordersTable: string;
}

/**
 * Applies a change on top of its predecessor, by a checkpoint in the item: order per order without a FIFO queue.
 *
 * @returns "applied", or "duplicate" when the item is already at or past this change
 * @throws TransientError (gap) when an earlier message has not arrived yet: this one waits for it
 */
export async function applyChange(store: ViewStore, change: ViewChange): Promise<'applied' | 'duplicate'> {
  const { sequence } = change;
  const stored = await write(store, change, sequence === 1 ? 'attribute_not_exists(#sequence)' : '#sequence = :previous');
  if (stored === undefined) return 'applied';
  if (stored >= sequence) return 'duplicate';
  throw new TransientError('gap', `the view is at ${stored}, this is ${sequence}`);
}

/**
 * Closes a gap that lasts: the item is rebuilt from its order, which is at least as new as the message that waits.
 *
 * @returns "repaired", or "duplicate" when the missing messages came after all
 */
export async function repair(store: ViewStore, orderId: string): Promise<'repaired' | 'duplicate'> {
  const order = readOrder(await findItem(store.database, store.ordersTable, { orderId }));
  if (!order) throw new PermanentError(`there is no order ${orderId}`);
  const change = viewOf(order);
  const stored = await write(store, change, 'attribute_not_exists(#sequence) OR #sequence < :sequence');
  return stored === undefined ? 'repaired' : 'duplicate';
}

/** @returns undefined when it was written, otherwise the sequence that the item has (0: there is none) */
async function write(store: ViewStore, { key, sequence, set }: ViewChange, condition: string): Promise<number | undefined> {
  const entries = Object.entries(set);
  try {
    await store.database.send(
      new UpdateCommand({
        TableName: store.table,
        Key: key,
        UpdateExpression: `SET #sequence = :sequence, ${entries.map((_, i) => `#a${i} = :a${i}`).join(', ')}`,
        ConditionExpression: condition,
        ExpressionAttributeNames: {
          '#sequence': 'sequence',
          ...Object.fromEntries(entries.map(([name], i) => [`#a${i}`, name])),
        },
        ExpressionAttributeValues: {
          ':sequence': sequence,
          ...(condition.includes(':previous') ? { ':previous': sequence - 1 } : {}),
          ...Object.fromEntries(entries.map(([, value], i) => [`:a${i}`, value])),
        },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
    return undefined;
  } catch (error) {
    if (!conditionFailed(error)) throw error;
    // The document client converts answers, not errors.
    return Number(error.Item?.['sequence']?.N ?? 0);
  }
}
