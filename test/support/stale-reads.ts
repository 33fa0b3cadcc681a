import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { tables as definitions, type TableName } from '../../lambdas/contract/tables.ts';
import { callOf, MemoryDatabase, type Call } from '@outbox-saga/testing/simulation/database';
import type { TestTables } from './tables.ts';

/**
 * The same tables as a reader without ConsistentRead may find them: such a read, and every read of an index, answers from before the last write
 * that went through here to its table. `put` goes through here; `get` and `all` are consistent and see everything.
 */
export function withStaleReads(tables: TestTables): TestTables {
  const before = new Map<string, MemoryDatabase>();

  async function send(command: object): Promise<unknown> {
    const call = callOf(command);
    if (call.operation === 'GetItem' || call.operation === 'Query' || call.operation === 'Scan') {
      const replica = isConsistent(command) ? undefined : before.get(call.input.TableName);
      return replica ? replica.execute(call) : tables.database.send(command as never);
    }
    for (const table of tablesOf(call)) before.set(table, await replicaOf(tables, table as TableName));
    return tables.database.send(command as never);
  }

  const database = { send } as unknown as TestTables['database'];
  return { ...tables, database, put: async (TableName, Item) => void (await database.send(new PutCommand({ TableName, Item }))) };
}

function isConsistent(command: object): boolean {
  return (command as { input: { ConsistentRead?: boolean } }).input.ConsistentRead === true;
}

function tablesOf({ input }: Call): Set<string> {
  return new Set(input.TransactItems?.map((item) => Object.values(item)[0]!.TableName) ?? [input.TableName]);
}

async function replicaOf(tables: TestTables, table: TableName): Promise<MemoryDatabase> {
  const replica = new MemoryDatabase({ [table]: definitions[table] }, () => 0);
  for (const Item of await tables.all(table)) replica.execute({ operation: 'PutItem', input: { TableName: table, Item } });
  return replica;
}
