import { beforeAll, describe, expect, it } from 'vitest';
import {
  call,
  createTable,
  failure,
  uniqueName,
  useDynamoDb,
  type Answer,
  type Capacity,
  type Item,
  type Value,
} from '../support/dynamodb-service.ts';

useDynamoDb();

let TableName: string;
beforeAll(async () => {
  TableName = await createTable({
    keys: { p: 'S' },
    indexes: { byG: { keys: { g: 'S' }, projection: ['x'] }, byH: { keys: { h: 'S' }, projection: 'KEYS_ONLY' } },
  });
});

const s = (value: string): Value => ({ S: value });
const newKey = () => ({ p: s(uniqueName('p')) });
/** An item with a key, as large as so many bytes. */
const sized = (key: { p: Value }, bytes: number, name = 'z'): Item => ({
  ...key,
  [name]: s('z'.repeat(bytes - 1 - (key.p['S'] as string).length - name.length)),
});
const put = (Item: Item, more = {}) => call('PutItem', { TableName, Item, ...more });
const TOTAL = { ReturnConsumedCapacity: 'TOTAL' };
const INDEXES = { ReturnConsumedCapacity: 'INDEXES' };
const units = ({ ConsumedCapacity }: Answer) => ConsumedCapacity?.CapacityUnits;

describe('capacity is told', () => {
  it.each(['PutItem', 'UpdateItem', 'DeleteItem', 'GetItem', 'Query', 'Scan', 'BatchGetItem', 'BatchWriteItem'])(
    'by %s only when asked for',
    async (operation) => {
      const key = newKey();
      const input = {
        PutItem: { TableName, Item: key },
        Query: { TableName, KeyConditionExpression: 'p = :p', ExpressionAttributeValues: { ':p': key.p } },
        Scan: { TableName, Limit: 1 },
        BatchGetItem: { RequestItems: { [TableName]: { Keys: [key] } } },
        BatchWriteItem: { RequestItems: { [TableName]: [{ PutRequest: { Item: key } }] } },
      }[operation] ?? { TableName, Key: key };
      expect(await call(operation, input)).not.toHaveProperty('ConsumedCapacity');
      expect(await call(operation, { ...input, ReturnConsumedCapacity: 'NONE' })).not.toHaveProperty('ConsumedCapacity');
      const total = (await call(operation, { ...input, ...TOTAL })).ConsumedCapacity;
      expect([total].flat()[0]).toEqual({ TableName, CapacityUnits: expect.any(Number) });
    },
  );

  it('for the table and each index that had a part in it', async () => {
    const answer = await put({ ...newKey(), g: s('g') }, INDEXES);
    expect(answer.ConsumedCapacity).toEqual({
      TableName,
      CapacityUnits: 2,
      Table: { CapacityUnits: 1 },
      GlobalSecondaryIndexes: { byG: { CapacityUnits: 1 } },
    });
  });

  it('may not be asked for otherwise', async () => {
    const { name } = await failure('PutItem', { TableName, Item: newKey(), ReturnConsumedCapacity: 'SOME' });
    expect(name).toBe('ValidationException');
  });
});

describe('a read costs', () => {
  it.each([
    [0.5, false, 100],
    [1, true, 100],
    [0.5, false, 4096],
    [1, true, 4096],
    [1, false, 4097],
    [2, true, 4097],
    [1.5, false, 8193],
    [3, true, 8193],
  ])('%d units, consistent %s, for %d bytes', async (cost, ConsistentRead, bytes) => {
    const key = newKey();
    await put(sized(key, bytes));
    expect(units(await call('GetItem', { TableName, Key: key, ConsistentRead, ...TOTAL }))).toBe(cost);
    const condition = { KeyConditionExpression: 'p = :p', ExpressionAttributeValues: { ':p': key.p } };
    expect(units(await call('Query', { TableName, ...condition, ConsistentRead, ...TOTAL }))).toBe(cost);
    // A projection saves nothing.
    expect(units(await call('GetItem', { TableName, Key: key, ConsistentRead, ProjectionExpression: 'p', ...TOTAL }))).toBe(cost);
  });

  it('something also when there is nothing', async () => {
    const key = newKey();
    expect(units(await call('GetItem', { TableName, Key: key, ...TOTAL }))).toBe(0.5);
    expect(units(await call('GetItem', { TableName, Key: key, ConsistentRead: true, ...TOTAL }))).toBe(1);
  });

  it('of several items in a query what they are together', async () => {
    const g = s(uniqueName('g'));
    for (const x of ['a', 'b', 'c']) await put({ ...sized(newKey(), 1500, 'x'), g, z: s(x) });
    const condition = { KeyConditionExpression: 'g = :g', ExpressionAttributeValues: { ':g': g } };
    const answer = await call('Query', { TableName, IndexName: 'byG', ...condition, ...INDEXES });
    // 4.5 KB of the index, and none of the table.
    expect(answer.ConsumedCapacity).toEqual({
      TableName,
      CapacityUnits: 1,
      Table: { CapacityUnits: 0 },
      GlobalSecondaryIndexes: { byG: { CapacityUnits: 1 } },
    });
    // What the filter leaves out is paid too.
    const filtered = await call('Query', {
      TableName,
      IndexName: 'byG',
      ...condition,
      FilterExpression: 'attribute_not_exists(x)',
      ...TOTAL,
    });
    expect([filtered.Count, units(filtered)]).toEqual([0, 1]);
  });

  it('in a scan what was read', async () => {
    const table = await createTable({ keys: { p: 'S' } });
    for (const p of ['a', 'b', 'c']) await call('PutItem', { TableName: table, Item: sized({ p: s(p) }, 3000) });
    expect(units(await call('Scan', { TableName: table, ...TOTAL }))).toBe(1.5);
    expect(units(await call('Scan', { TableName: table, ConsistentRead: true, ...TOTAL }))).toBe(3);
    expect(units(await call('Scan', { TableName: table, Select: 'COUNT', ...TOTAL }))).toBe(1.5);
  });

  it('in a batch what each item costs', async () => {
    const keys = [newKey(), newKey(), newKey()];
    for (const key of keys) await put(sized(key, 5000));
    const { ConsumedCapacity } = await call('BatchGetItem', { RequestItems: { [TableName]: { Keys: keys } }, ...TOTAL });
    expect(ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 3 }]);
  });

  it('something also for an item of a batch that is not there', async () => {
    const { ConsumedCapacity } = await call('BatchGetItem', { RequestItems: { [TableName]: { Keys: [newKey()] } }, ...TOTAL });
    expect(ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 0.5 }]);
  });

  it('twice as much in a transaction', async () => {
    const keys = [newKey(), newKey()];
    await put(sized(keys[0]!, 5000));
    const { ConsumedCapacity } = await call('TransactGetItems', {
      TransactItems: keys.map((Key) => ({ Get: { TableName, Key } })),
      ...TOTAL,
    });
    expect(ConsumedCapacity).toMatchObject([{ TableName, CapacityUnits: 6 }]);
  });
});

describe('a write costs', () => {
  it.each([
    [1, 100],
    [1, 1024],
    [2, 1025],
    [3, 3000],
  ])('%d units for %d bytes', async (cost, bytes) => {
    const key = newKey();
    const item = sized(key, bytes);
    expect(units(await put(item, TOTAL))).toBe(cost);
    // The same again costs the same.
    expect(units(await put(item, TOTAL))).toBe(cost);
    // The greater of before and after.
    expect(units(await put(key, TOTAL))).toBe(cost);
    await put(item);
    const update = { UpdateExpression: 'SET y = :y', ExpressionAttributeValues: { ':y': { NULL: true } } };
    expect(units(await call('UpdateItem', { TableName, Key: key, ...update, ...TOTAL }))).toBe(bytes % 1024 === 0 ? cost + 1 : cost);
    expect(units(await call('UpdateItem', { TableName, Key: key, UpdateExpression: 'REMOVE y, z', ...TOTAL }))).toBe(
      bytes % 1024 === 0 ? cost + 1 : cost,
    );
    await put(item);
    expect(units(await call('DeleteItem', { TableName, Key: key, ...TOTAL }))).toBe(cost);
    // Also when there is nothing.
    expect(units(await call('DeleteItem', { TableName, Key: key, ...TOTAL }))).toBe(1);
  });

  const index = async (before: Item | undefined, after: Item | undefined): Promise<Record<string, number>> => {
    const key = newKey();
    if (before) await put({ ...key, ...before });
    const answer = after ? await put({ ...key, ...after }, INDEXES) : await call('DeleteItem', { TableName, Key: key, ...INDEXES });
    const { CapacityUnits, Table, GlobalSecondaryIndexes = {} } = answer.ConsumedCapacity as Capacity;
    const each = Object.fromEntries(Object.entries(GlobalSecondaryIndexes).map(([name, cost]) => [name, cost.CapacityUnits]));
    expect(CapacityUnits).toBe(Table!.CapacityUnits + Object.values(each).reduce((sum, cost) => sum + cost, 0));
    return each;
  };
  const g = s('g');
  it.each<[string, Item | undefined, Item | undefined, Record<string, number>]>([
    ['nothing without an index key', undefined, { x: g }, {}],
    ['one for an entry that comes', undefined, { g }, { byG: 1 }],
    ['one for each index', undefined, { g, h: g }, { byG: 1, byH: 1 }],
    ['nothing for an entry that stays', { g, x: s('1') }, { g, x: s('1') }, {}],
    ['nothing for an attribute that is not projected', { g, h: g, y: s('1') }, { g, h: g, y: s('2') }, {}],
    ['one where the attribute is projected', { g, h: g, x: s('1') }, { g, h: g, x: s('2') }, { byG: 1 }],
    ['two for a key that changes', { g }, { g: s('other') }, { byG: 2 }],
    ['one for an entry that goes', { g }, {}, { byG: 1 }],
    ['one for an entry of a deleted item', { g, h: g }, undefined, { byG: 1, byH: 1 }],
    ['as much as the entry is large', undefined, { g, x: s('x'.repeat(2000)), y: s('y'.repeat(2000)) }, { byG: 2 }],
    ['as much as the larger entry', { g, x: s('x'.repeat(2000)) }, { g, x: s('x') }, { byG: 2 }],
  ])('in the indexes %s', async (_, before, after, expected) => expect(await index(before, after)).toEqual(expected));

  it('in a batch what each write costs', async () => {
    const gone = newKey();
    await put(gone);
    const requests = [
      { PutRequest: { Item: sized(newKey(), 1500) } },
      { PutRequest: { Item: newKey() } },
      { DeleteRequest: { Key: gone } },
    ];
    const { ConsumedCapacity } = await call('BatchWriteItem', { RequestItems: { [TableName]: requests }, ...TOTAL });
    expect(ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 4 }]);
  });

  it.each<[string, (there: Item) => unknown, number, Record<string, unknown>?]>([
    ['put', () => ({ Put: { TableName, Item: { ...sized(newKey(), 1500), g } } }), 4, { byG: { CapacityUnits: 2 } }],
    ['an update', () => ({ Update: { TableName, Key: newKey(), UpdateExpression: 'REMOVE x' } }), 2],
    ['a delete', (Key) => ({ Delete: { TableName, Key } }), 2],
    ['a check', () => ({ ConditionCheck: { TableName, Key: newKey(), ConditionExpression: 'attribute_not_exists(p)' } }), 2],
  ])('twice as much in a transaction: %s', async (_, part, cost, GlobalSecondaryIndexes) => {
    const there = newKey();
    await put(there);
    const { ConsumedCapacity } = await call('TransactWriteItems', { TransactItems: [part(there)], ...INDEXES });
    const ofIndexes = GlobalSecondaryIndexes ? { GlobalSecondaryIndexes } : {};
    expect(ConsumedCapacity).toMatchObject([{ TableName, Table: { CapacityUnits: cost }, ...ofIndexes }]);
  });

  it('in a transaction the sum of its parts', async () => {
    const gone = newKey();
    await put(gone);
    const TransactItems = [
      { Put: { TableName, Item: { ...sized(newKey(), 1500), g } } },
      { Update: { TableName, Key: newKey(), UpdateExpression: 'REMOVE x' } },
      { Delete: { TableName, Key: gone } },
      { ConditionCheck: { TableName, Key: newKey(), ConditionExpression: 'attribute_not_exists(p)' } },
    ];
    const { ConsumedCapacity } = await call('TransactWriteItems', { TransactItems, ...INDEXES });
    expect(ConsumedCapacity).toMatchObject([
      { TableName, CapacityUnits: 12, Table: { CapacityUnits: 10 }, GlobalSecondaryIndexes: { byG: { CapacityUnits: 2 } } },
    ]);
  });

  it('one in a batch and two in a transaction to delete nothing', async () => {
    const requests = [{ DeleteRequest: { Key: newKey() } }];
    const batch = await call('BatchWriteItem', { RequestItems: { [TableName]: requests }, ...TOTAL });
    expect(batch.ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 1 }]);
    const transaction = await call('TransactWriteItems', { TransactItems: [{ Delete: { TableName, Key: newKey() } }], ...TOTAL });
    expect(transaction.ConsumedCapacity).toMatchObject([{ TableName, CapacityUnits: 2 }]);
  });

  it('reading instead when the answer to a transaction is given again', async () => {
    const input = { TransactItems: [{ Put: { TableName, Item: newKey() } }], ClientRequestToken: uniqueName('token'), ...TOTAL };
    expect((await call('TransactWriteItems', input)).ConsumedCapacity).toMatchObject([{ CapacityUnits: 2 }]);
    expect((await call('TransactWriteItems', input)).ConsumedCapacity).toMatchObject([{ CapacityUnits: 2 }]);
  });
});
