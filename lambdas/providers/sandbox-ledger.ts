import { PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { conditionFailed, findItem, type Database } from '@outbox-saga/kit/aws/clients';

/** The books of the sandbox providers: what they did, once per key, in a table that a test or a demo can audit. */
export interface SandboxLedger {
  /** Writes an entry unless there is one; returns the one that counts and whether it was there already. */
  enter<Entry extends Record<string, unknown>>(key: string, entry: Entry): Promise<{ entry: Entry; existed: boolean }>;
  find<Entry extends Record<string, unknown>>(key: string): Promise<Entry | undefined>;
  /** Counts up and returns the new value. */
  count(key: string): Promise<number>;
}

export function sandboxLedger(database: Database, table: string): SandboxLedger {
  const find = async <Entry extends Record<string, unknown>>(key: string): Promise<Entry | undefined> => {
    return (await findItem(database, table, { pk: key })) as Entry | undefined;
  };
  return {
    find,
    enter: async (key, entry) => {
      try {
        await database.send(
          new PutCommand({ TableName: table, Item: { ...entry, pk: key }, ConditionExpression: 'attribute_not_exists(pk)' }),
        );
        return { entry, existed: false };
      } catch (error) {
        if (!conditionFailed(error)) throw error;
        return { entry: (await find<typeof entry>(key)) ?? entry, existed: true };
      }
    },
    count: async (key) => {
      const { Attributes } = await database.send(
        new UpdateCommand({
          TableName: table,
          Key: { pk: key },
          UpdateExpression: 'ADD tries :one',
          ExpressionAttributeValues: { ':one': 1 },
          ReturnValues: 'UPDATED_NEW',
        }),
      );
      return Number(Attributes?.['tries']);
    },
  };
}
