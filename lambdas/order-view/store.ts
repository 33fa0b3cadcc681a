import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { TransientError } from '../contract/core/errors.ts';
import type { Database } from '../kit/aws.ts';
import type { ViewChange } from './view.ts';

export interface ViewStore {
  readonly database: Database;
  readonly table: string;
}

/**
 * Applies a change on top of its predecessor, by a checkpoint in the item: order per order without a FIFO queue.
 *
 * @returns "applied", or "duplicate" when the item is already at or past this change
 * @throws TransientError (gap) when an earlier message has not arrived yet: this one waits for it
 */
export async function applyChange(store: ViewStore, { key, sequence, set }: ViewChange): Promise<'applied' | 'duplicate'> {
  const entries = Object.entries(set);
  try {
    await store.database.send(
      new UpdateCommand({
        TableName: store.table,
        Key: key,
        UpdateExpression: `SET #sequence = :sequence, ${entries.map((_, i) => `#a${i} = :a${i}`).join(', ')}`,
        ConditionExpression: sequence === 1 ? 'attribute_not_exists(#sequence)' : '#sequence = :previous',
        ExpressionAttributeNames: {
          '#sequence': 'sequence',
          ...Object.fromEntries(entries.map(([name], i) => [`#a${i}`, name])),
        },
        ExpressionAttributeValues: {
          ':sequence': sequence,
          ...(sequence === 1 ? {} : { ':previous': sequence - 1 }),
          ...Object.fromEntries(entries.map(([, value], i) => [`:a${i}`, value])),
        },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
    return 'applied';
  } catch (error) {
    if (!(error instanceof Error && error.name === 'ConditionalCheckFailedException')) throw error;
    // The document client converts answers, not errors.
    const item = (error as { Item?: { sequence?: { N?: string } } }).Item;
    const stored = Number(item?.sequence?.N ?? 0);
    if (stored >= sequence) return 'duplicate';
    throw new TransientError('gap', `the view is at ${stored}, this is ${sequence}`, { cause: error });
  }
}
