import { DeleteCommand, GetCommand, PutCommand, QueryCommand, TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTables, type TestTables } from '../support/tables.ts';

// What the stores rely on, said directly: the simulation's memory stands for DynamoDB only as far as this holds for both.
let tables: TestTables;
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());
beforeEach(() => tables.clear('outbox'));

const TableName = 'outbox';
const key = (n: number) => ({ aggregateId: 'a', messageId: `m${n}` });
const put = (n: number, more = {}) => tables.database.send(new PutCommand({ TableName, Item: { ...key(n), ...more } }));
const get = async (n: number) => (await tables.database.send(new GetCommand({ TableName, Key: key(n), ConsistentRead: true }))).Item;

describe('a table', () => {
  it('keeps what was put, without undefined members, and forgets what was deleted', async () => {
    await put(1, { text: 'x', nested: { list: [1, { a: undefined, b: true }] }, gone: undefined });
    expect(await get(1)).toEqual({ ...key(1), text: 'x', nested: { list: [1, { b: true }] } });
    await tables.database.send(new DeleteCommand({ TableName, Key: key(1) }));
    expect(await get(1)).toBeUndefined();
  });

  it('updates what is there and makes what is not', async () => {
    const update = (UpdateExpression: string, values: Record<string, unknown>, names?: Record<string, string>) =>
      tables.database.send(
        new UpdateCommand({
          TableName,
          Key: key(2),
          UpdateExpression,
          ExpressionAttributeValues: values,
          ...(names ? { ExpressionAttributeNames: names } : {}),
          ReturnValues: 'ALL_NEW',
        }),
      );
    await update('SET #s = :s, n = if_not_exists(n, :n) ADD version :one', { ':s': 'new', ':n': 5, ':one': 1 }, { '#s': 'status' });
    const { Attributes } = await update(
      'SET n = n - :q, m = n + :q REMOVE #s ADD version :one',
      { ':q': 2, ':one': 1 },
      { '#s': 'status' },
    );
    // Every clause sees the item as it was.
    expect(Attributes).toEqual({ ...key(2), n: 3, m: 7, version: 2 });
    await expect(update('SET x = nothing + :q', { ':q': 1 })).rejects.toMatchObject({ name: 'ValidationException' });
  });

  it('reaches into a map by a path', async () => {
    await put(3, { request: { card: 't', shipTo: { city: 'x' }, amount: 5 } });
    const update = (UpdateExpression: string, ConditionExpression: string, ExpressionAttributeValues?: Record<string, unknown>) =>
      tables.database.send(
        new UpdateCommand({
          TableName,
          Key: key(3),
          UpdateExpression,
          ConditionExpression,
          ExpressionAttributeNames: { '#request': 'request' },
          ...(ExpressionAttributeValues ? { ExpressionAttributeValues } : {}),
        }),
      );
    await update('SET #request.card = :t', 'attribute_exists(#request.card)', { ':t': 'erased' });
    await update('REMOVE #request.shipTo', 'attribute_exists(#request.shipTo)');
    expect(await get(3)).toEqual({ ...key(3), request: { card: 'erased', amount: 5 } });
    await expect(update('REMOVE #request.shipTo', 'attribute_exists(#request.shipTo)')).rejects.toMatchObject({
      name: 'ConditionalCheckFailedException',
    });
  });

  it.each([
    ['400 KB in one item', { text: 'x'.repeat(400 * 1024) }, /size/],
    ['an integer that a number cannot hold', { n: 2 ** 53 }, /MAX_SAFE_INTEGER/],
    ['no number', { n: Number.NaN }, /not allowed/],
    ['an empty set', { set: new Set() }, /non-empty set/],
  ])('refuses %s', async (_what, more, message) => {
    await expect(put(4, more)).rejects.toThrow(message);
    expect(await get(4)).toBeUndefined();
  });

  it('gives back at most 1 MB in one page', async () => {
    for (let n = 0; n < 4; n++) await put(n, { text: 'x'.repeat(350_000) });
    const page = (ExclusiveStartKey?: Record<string, unknown>) =>
      tables.database.send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: 'aggregateId = :a',
          ExpressionAttributeValues: { ':a': 'a' },
          ConsistentRead: true,
          ExclusiveStartKey,
        }),
      );
    const first = await page();
    expect(first.Items!.length).toBeLessThan(4);
    const second = await page(first.LastEvaluatedKey);
    expect([...first.Items!, ...second.Items!].map((item) => item['messageId'] as string)).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(second.LastEvaluatedKey).toBeUndefined();
  });

  it.each([
    ['attribute_exists(n) AND n > :five', true],
    ['attribute_not_exists(n) OR n = :five', false],
    ['n <> :five AND NOT n < :five', true],
    ['n IN (:five, :seven)', true],
    ['nothing = :five', false],
    ['nothing < :five', false],
    ['s > :five', false],
    ['(n = :five OR n = :seven) AND s = :text', true],
    ['n = :five OR n = :seven AND s = :five', false],
    ['begins_with(s, :text)', true],
  ])('holds %s: %s', async (ConditionExpression, holds) => {
    await put(3, { n: 7, s: 'text' });
    const used = Object.fromEntries(
      Object.entries({ ':five': 5, ':seven': 7, ':text': 'text' }).filter(([name]) => ConditionExpression.includes(name)),
    );
    const write = tables.database.send(
      new PutCommand({ TableName, Item: { ...key(3), done: true }, ConditionExpression, ExpressionAttributeValues: used }),
    );
    if (holds) await write;
    else await expect(write).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
    expect((await get(3))?.['done']).toBe(holds ? true : undefined);
  });

  it('shows the item that refused a write when it is asked to', async () => {
    await put(4, { n: 1 });
    const write = new PutCommand({
      TableName,
      Item: key(4),
      ConditionExpression: 'attribute_not_exists(aggregateId)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    await expect(tables.database.send(write)).rejects.toMatchObject({ Item: { n: { N: '1' } } });
  });
});

describe('a transaction', () => {
  const refused = (write: Promise<unknown>) =>
    write.then(
      () => expect.unreachable(),
      (error: { name: string; CancellationReasons: { Code: string; Item?: unknown }[] }) => error,
    );

  it('writes all or nothing, and says which write was refused, with its item', async () => {
    await put(1, { n: 1 });
    const error = await refused(
      tables.database.send(
        new TransactWriteCommand({
          TransactItems: [
            { Put: { TableName, Item: key(2) } },
            {
              Put: {
                TableName,
                Item: key(1),
                ConditionExpression: 'attribute_not_exists(aggregateId)',
                ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
              },
            },
            { Update: { TableName, Key: key(3), UpdateExpression: 'SET n = :n', ExpressionAttributeValues: { ':n': 1 } } },
          ],
        }),
      ),
    );
    expect(error.name).toBe('TransactionCanceledException');
    expect(error.CancellationReasons.map(({ Code }) => Code)).toEqual(['None', 'ConditionalCheckFailed', 'None']);
    expect(error.CancellationReasons[1]!.Item).toMatchObject({ n: { N: '1' } });
    expect(await get(2)).toBeUndefined();
    expect(await get(3)).toBeUndefined();
  });

  it('refuses to touch one item twice', async () => {
    const twice = { Put: { TableName, Item: key(1) } };
    await expect(tables.database.send(new TransactWriteCommand({ TransactItems: [twice, twice] }))).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });
});

describe('a query', () => {
  const query = (input: object) =>
    tables.database.send(
      new QueryCommand({ TableName, KeyConditionExpression: 'aggregateId = :a', ExpressionAttributeValues: { ':a': 'a' }, ...input }),
    );

  it('gives a partition in the order of its sort key, forward and backward, page by page', async () => {
    for (const n of [3, 1, 5, 2, 4]) await put(n, { n });
    const pages = async (forward: boolean): Promise<unknown[][]> => {
      const found: unknown[][] = [];
      let start: Record<string, unknown> | undefined;
      do {
        const page = await query({ ScanIndexForward: forward, Limit: 2, ExclusiveStartKey: start });
        found.push((page.Items ?? []).map((item) => item['n']));
        start = page.LastEvaluatedKey;
      } while (start);
      return found;
    };
    expect(await pages(true)).toEqual([[1, 2], [3, 4], [5]]);
    expect(await pages(false)).toEqual([[5, 4], [3, 2], [1]]);
  });

  it('limits before it filters, and counts what it found', async () => {
    for (const n of [1, 2, 3]) await put(n, { n });
    const filtered = await query({ FilterExpression: 'n > :one', ExpressionAttributeValues: { ':a': 'a', ':one': 1 }, Limit: 2 });
    expect(filtered.Items).toHaveLength(1);
    expect(filtered.LastEvaluatedKey).toEqual(key(2));
    expect(await query({ Select: 'COUNT' })).toMatchObject({ Count: 3 });
  });

  it('finds in a sparse index what has its keys, with nothing but keys, and no longer once they are removed', async () => {
    await put(1, { attention: 'due#0', attentionAt: 5, more: 'x' });
    await put(2, { attention: 'due#0', attentionAt: 9 });
    await put(3, { attention: 'due#0' });
    const due = async (before: number) =>
      (
        await tables.database.send(
          new QueryCommand({
            TableName,
            IndexName: 'attention',
            KeyConditionExpression: 'attention = :p AND attentionAt <= :before',
            ExpressionAttributeValues: { ':p': 'due#0', ':before': before },
          }),
        )
      ).Items;
    expect(await due(5)).toEqual([{ ...key(1), attention: 'due#0', attentionAt: 5 }]);
    expect(await due(10)).toHaveLength(2);
    await tables.database.send(new UpdateCommand({ TableName, Key: key(1), UpdateExpression: 'REMOVE attention, attentionAt' }));
    expect(await due(10)).toHaveLength(1);
  });
});
