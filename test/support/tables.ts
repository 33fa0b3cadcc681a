import { randomUUID } from 'node:crypto';
import { CreateTableCommand, DynamoDBClient, type KeySchemaElement } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { TableDefinition } from '@outbox-saga/kit/tables';
import { tables, type TableName } from '../../lambdas/contract/tables.ts';
import { MemoryDatabase } from '@outbox-saga/testing/simulation/database';
import { databasePorts } from '@outbox-saga/testing/simulation/ports';
import { startEngine } from '../../packages/emulator/test/support/engine.ts';

type Item = Record<string, unknown>;

/** All tables of the contract, with the names of the contract: behind the real protocol of an emulator, or in the simulation's memory. */
export interface TestTables {
  readonly client: DynamoDBClient;
  readonly database: DynamoDBDocumentClient;
  put(table: TableName, item: Item): Promise<void>;
  get(table: TableName, key: Item): Promise<Item | undefined>;
  all(table: TableName): Promise<Item[]>;
  /** Deletes every item of a table. */
  clear(table: TableName): Promise<void>;
  stop(): Promise<void>;
}

/** Which of the two is the test project's choice (vitest.config.ts), so that one suite holds for both. */
export async function startTables(): Promise<TestTables> {
  const { client, database, stop } = process.env['TEST_TABLES'] === 'memory' ? inMemory() : await emulated();
  const all = async (TableName: TableName): Promise<Item[]> =>
    (await database.send(new ScanCommand({ TableName, ConsistentRead: true }))).Items ?? [];
  return {
    client,
    database,
    all,
    clear: async (TableName) => {
      const { partitionKey, sortKey }: TableDefinition = tables[TableName];
      for (const item of await all(TableName)) {
        const Key = Object.fromEntries([partitionKey, sortKey].flatMap((key) => (key ? [[key.name, item[key.name]]] : [])));
        await database.send(new DeleteCommand({ TableName, Key }));
      }
    },
    put: async (TableName, item) => void (await database.send(new PutCommand({ TableName, Item: item }))),
    get: async (TableName, Key) => (await database.send(new GetCommand({ TableName, Key, ConsistentRead: true }))).Item,
    stop,
  };
}

/** The tables of a test file: started before its tests, with some of them emptied before each, and stopped after. They are there once a test runs. */
export function clearedTables(...names: readonly TableName[]): TestTables {
  let started: TestTables | undefined;
  beforeAll(async () => {
    started = await startTables();
  });
  afterAll(() => started?.stop());
  beforeEach(async () => {
    for (const name of names) await started!.clear(name);
  });
  return {
    get client() {
      return started!.client;
    },
    get database() {
      return started!.database;
    },
    put: (table, item) => started!.put(table, item),
    get: (table, key) => started!.get(table, key),
    all: (table) => started!.all(table),
    clear: (table) => started!.clear(table),
    stop: () => started!.stop(),
  };
}

type Started = Pick<TestTables, 'client' | 'database' | 'stop'>;

function inMemory(): Started {
  const memory = new MemoryDatabase(tables, () => Date.now());
  const ports = databasePorts((call) => new Promise((resolve) => resolve(memory.execute(call))));
  return { ...ports, stop: () => Promise.resolve() };
}

async function emulated(): Promise<Started> {
  // `npm run fidelity` names another DynamoDB, which keeps the tables of each access key apart.
  const named = process.env['TEST_DYNAMODB_ENDPOINT'];
  const { endpoint, stop: stopEngine } = named === undefined ? await startEngine() : { endpoint: named, stop: () => Promise.resolve() };
  const credentials = { accessKeyId: `TEST${randomUUID().replaceAll('-', '')}`, secretAccessKey: 'test' };
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials });
  for (const [name, definition] of Object.entries<TableDefinition>(tables)) await createTable(client, name, definition);
  const database = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const stop = async (): Promise<void> => {
    client.destroy();
    await stopEngine();
  };
  return { client, database, stop };
}

async function createTable(
  client: DynamoDBClient,
  name: string,
  { partitionKey, sortKey, indexes = [], stream }: TableDefinition,
): Promise<void> {
  const keys = (partition: { name: string }, sort: { name: string } | undefined): KeySchemaElement[] => [
    { AttributeName: partition.name, KeyType: 'HASH' as const },
    ...(sort ? [{ AttributeName: sort.name, KeyType: 'RANGE' as const }] : []),
  ];
  const attributes = new Map(
    [partitionKey, sortKey, ...indexes.flatMap((index) => [index.partitionKey, index.sortKey])].flatMap((key) =>
      key ? [[key.name, key.type]] : [],
    ),
  );
  const command = new CreateTableCommand({
    TableName: name,
    KeySchema: keys(partitionKey, sortKey),
    AttributeDefinitions: [...attributes].map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    BillingMode: 'PAY_PER_REQUEST',
    ...(indexes.length > 0
      ? {
          GlobalSecondaryIndexes: indexes.map((index) => ({
            IndexName: index.name,
            KeySchema: keys(index.partitionKey, index.sortKey),
            Projection: { ProjectionType: index.projection },
          })),
        }
      : {}),
    ...(stream ? { StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' } } : {}),
  });
  await client.send(command);
}
