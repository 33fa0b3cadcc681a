import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { inventoryKey } from '../contract/tables.ts';
import { conditionFailed, type Database } from '../kit/aws.ts';

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

export async function findStock({ database, table }: StockStore, sku: string): Promise<StockLevel | undefined> {
  const { Item } = await database.send(new GetCommand({ TableName: table, Key: { pk: inventoryKey.stock(sku) }, ConsistentRead: true }));
  return Item as StockLevel | undefined;
}

/**
 * Sets what is free to sell; what orders hold stays theirs.
 *
 * @param expected version that the stock must still have; `any` demands only that the SKU exists; undefined demands nothing
 * @returns the new level, or undefined when the expectation does not hold
 */
export async function setStock(
  { database, table }: StockStore,
  sku: string,
  available: number,
  expected: number | 'any' | undefined,
): Promise<StockLevel | undefined> {
  try {
    const { Attributes } = await database.send(
      new UpdateCommand({
        TableName: table,
        Key: { pk: inventoryKey.stock(sku) },
        UpdateExpression: 'SET available = :available, reserved = if_not_exists(reserved, :zero) ADD version :one',
        ...(expected === undefined ? {} : { ConditionExpression: expected === 'any' ? 'attribute_exists(pk)' : 'version = :expected' }),
        ExpressionAttributeValues: {
          ':available': available,
          ':zero': 0,
          ':one': 1,
          ...(typeof expected === 'number' ? { ':expected': expected } : {}),
        },
        ReturnValues: 'ALL_NEW',
      }),
    );
    return Attributes as unknown as StockLevel;
  } catch (error) {
    if (conditionFailed(error)) return undefined;
    throw error;
  }
}
