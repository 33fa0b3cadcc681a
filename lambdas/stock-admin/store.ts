import { unmarshall } from '@aws-sdk/util-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { limits } from '../contract/order.ts';
import { inventoryKey } from '../contract/tables.ts';
import { conditionFailed, findItem, type Database } from '@outbox-saga/kit/aws/clients';

export interface StockStore {
  readonly database: Database;
  readonly table: string;
}

/** What is free to sell, what orders hold, and a version that changes with every change of either. */
export interface StockLevel {
  readonly available: number;
  readonly reserved: number;
  readonly version: number;
}

/** As it is stored: with the request that set it last. */
interface StoredLevel extends StockLevel {
  readonly setBy?: string;
  readonly setTo?: number;
}

export interface StockSetting {
  readonly available: number;
  /** Version that the stock must still have; `any` demands only that the SKU exists; undefined demands nothing. */
  readonly expected?: number | 'any' | undefined;
  /** Names the request, the same at every try of it. */
  readonly token: string;
}

export type StockSet =
  | { readonly outcome: 'set' | 'set before'; readonly level: StockLevel }
  /** `changed`: the expectation does not hold. `key-reused`: the token is another request's. `too much held`: the level could not be told exactly any more. */
  | { readonly outcome: 'changed' | 'key-reused' | 'too much held' };

export async function findStock({ database, table }: StockStore, sku: string): Promise<StockLevel | undefined> {
  return (await findItem(database, table, { pk: inventoryKey.stock(sku) })) as StockLevel | undefined;
}

/**
 * Sets what is free to sell; what orders hold stays theirs. The level keeps the token of the request that set it last: a second try, the SDK's own or
 * the caller's, changes nothing and is told the level as it is now, whatever was reserved in between.
 */
export async function setStock(
  { database, table }: StockStore,
  sku: string,
  { available, expected, token }: StockSetting,
): Promise<StockSet> {
  const conditions = [
    '(attribute_not_exists(setBy) OR setBy <> :token)',
    // Reserving and releasing move pieces and make none, so what was in bounds here stays an exact number.
    '(attribute_not_exists(reserved) OR reserved <= :heldAtMost)',
    ...(expected === undefined ? [] : [expected === 'any' ? 'attribute_exists(pk)' : 'version = :expected']),
  ];
  try {
    const { Attributes } = await database.send(
      new UpdateCommand({
        TableName: table,
        Key: { pk: inventoryKey.stock(sku) },
        UpdateExpression:
          'SET available = :available, reserved = if_not_exists(reserved, :zero), setBy = :token, setTo = :available ADD version :one',
        ConditionExpression: conditions.join(' AND '),
        ExpressionAttributeValues: {
          ':available': available,
          ':zero': 0,
          ':one': 1,
          ':token': token,
          ':heldAtMost': limits.piecesHeld,
          ...(typeof expected === 'number' ? { ':expected': expected } : {}),
        },
        ReturnValues: 'ALL_NEW',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
    return { outcome: 'set', level: Attributes as unknown as StoredLevel };
  } catch (error) {
    if (!conditionFailed(error)) throw error;
    // The document client converts answers, not errors.
    const stored = error.Item && (unmarshall(error.Item) as unknown as StoredLevel);
    if (stored?.setBy === token) return stored.setTo === available ? { outcome: 'set before', level: stored } : { outcome: 'key-reused' };
    return { outcome: stored && stored.reserved > limits.piecesHeld ? 'too much held' : 'changed' };
  }
}
