import { beforeAll, describe, expect, it } from 'vitest';
import { call, createTable, expectRefusal, failure, uniqueName, useDynamoDb, wording, type Item } from '../support/dynamodb-service.ts';

useDynamoDb();

let TableName: string;
let other: string;
beforeAll(async () => {
  TableName = await createTable({ keys: { p: 'S' }, indexes: { byG: { keys: { g: 'S' } } } });
  other = await createTable({ keys: { p: 'S', s: 'N' } });
});

const newKey = () => ({ p: { S: uniqueName('p') } });
const a = { S: 'a' };
const one = { N: '1' };
const put = (Item: Item, table = TableName) => call('PutItem', { TableName: table, Item });
const read = async (Key: Item, table = TableName) => (await call('GetItem', { TableName: table, Key, ConsistentRead: true })).Item;
const write = (TransactItems: unknown, more = {}) => call('TransactWriteItems', { TransactItems, ...more });
const putNew = (Item: Item, more = {}) => ({ Put: { TableName, Item, ConditionExpression: 'attribute_not_exists(p)', ...more } });
const cancelled = (...codes: string[]) =>
  `TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons [${codes.join(', ')}]`;
const failed = { Code: 'ConditionalCheckFailed', Message: wording('The conditional request failed') };
const invalid = 'One or more parameter values were invalid:';

describe('TransactWriteItems', () => {
  it('does everything', async () => {
    const [made, changed, gone, checked] = [newKey(), newKey(), newKey(), newKey()];
    const elsewhere = { ...newKey(), s: one };
    for (const key of [changed, gone, checked]) await put({ ...key, x: a });
    const answer = await write([
      putNew({ ...made, x: a }),
      { Update: { TableName, Key: changed, UpdateExpression: 'SET y = :y', ExpressionAttributeValues: { ':y': one } } },
      {
        Delete: {
          TableName,
          Key: gone,
          ConditionExpression: '#x = :a',
          ExpressionAttributeNames: { '#x': 'x' },
          ExpressionAttributeValues: { ':a': a },
        },
      },
      { ConditionCheck: { TableName, Key: checked, ConditionExpression: 'attribute_exists(p)' } },
      { Put: { TableName: other, Item: elsewhere } },
    ]);
    expect(answer).toEqual({});
    expect(await read(made)).toEqual({ ...made, x: a });
    expect(await read(changed)).toEqual({ ...changed, x: a, y: one });
    expect(await read(gone)).toBeUndefined();
    expect(await read(checked)).toEqual({ ...checked, x: a });
    expect(await read(elsewhere, other)).toEqual(elsewhere);
  });

  it('makes the item of an update, and deletes what is not there', async () => {
    const [made, gone] = [newKey(), newKey()];
    await write([
      { Update: { TableName, Key: made, UpdateExpression: 'ADD i :one', ExpressionAttributeValues: { ':one': one } } },
      { Delete: { TableName, Key: gone } },
    ]);
    expect(await read(made)).toEqual({ ...made, i: one });
  });

  it('does nothing when a condition fails, and says which', async () => {
    const [made, there, missing] = [newKey(), newKey(), newKey()];
    await put({ ...there, x: a });
    const items = [
      putNew(made),
      putNew(there),
      { ConditionCheck: { TableName, Key: missing, ConditionExpression: 'attribute_exists(p)' } },
    ];
    await expectRefusal(
      'TransactWriteItems',
      { TransactItems: items },
      cancelled('None', 'ConditionalCheckFailed', 'ConditionalCheckFailed'),
    );
    const { fields: body } = await failure('TransactWriteItems', { TransactItems: items });
    expect(body['CancellationReasons']).toEqual([{ Code: 'None' }, failed, failed]);
    expect(await read(made)).toBeUndefined();
    expect(await read(there)).toEqual({ ...there, x: a });
    expect((await call('Scan', { TableName, ConsistentRead: true })).Items).not.toContainEqual(missing);
  });

  it('gives the items of failed conditions where it is asked to', async () => {
    const [there, missing] = [newKey(), newKey()];
    await put({ ...there, x: a });
    const ALL_OLD = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' };
    const where = (Key: Item) => ({
      TableName,
      Key,
      ConditionExpression: 'x = :one',
      ExpressionAttributeValues: { ':one': one },
      ...ALL_OLD,
    });
    const update = { ...where(there), UpdateExpression: 'SET y = :one' };
    for (const [item, reason] of [
      [putNew(there, ALL_OLD), { ...failed, Item: { ...there, x: a } }],
      [{ Update: update }, { ...failed, Item: { ...there, x: a } }],
      [{ Delete: where(there) }, { ...failed, Item: { ...there, x: a } }],
      [{ ConditionCheck: where(there) }, { ...failed, Item: { ...there, x: a } }],
      [{ ConditionCheck: where(missing) }, failed],
    ]) {
      const { fields: body } = await failure('TransactWriteItems', { TransactItems: [item] });
      expect(body['CancellationReasons']).toEqual([reason]);
    }
  });

  it('takes 100 items', async () => {
    const keys = Array.from({ length: 100 }, newKey);
    await write(keys.map((key) => putNew(key)));
    expect(await read(keys[99]!)).toEqual(keys[99]);
  });

  const twice = () => {
    const key = newKey();
    return [putNew(key), { ConditionCheck: { TableName, Key: key, ConditionExpression: 'attribute_exists(p)' } }];
  };
  const key = newKey();
  it.each<[string, () => unknown, string]>([
    ['two operations on one item', twice, 'ValidationException: Transaction request cannot include multiple operations on one item'],
    [
      'no items',
      () => [],
      "ValidationException: 1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    ['101 items', () => Array.from({ length: 101 }, () => putNew(newKey())), 'ValidationException'],
    ['an empty item', () => [{}], 'ValidationException'],
    [
      'two operations in one',
      () => [{ ...putNew(newKey()), Delete: { TableName, Key: newKey() } }],
      'ValidationException: TransactItems can only contain one of Check, Put, Update or Delete',
    ],
    ['a check without condition', () => [{ ConditionCheck: { TableName, Key: key } }], 'ValidationException'],
    ['an update without expression', () => [{ Update: { TableName, Key: key } }], 'ValidationException'],
    [
      'an unknown table',
      () => [{ Delete: { TableName: uniqueName('missing'), Key: key } }],
      'ResourceNotFoundException: Requested resource not found',
    ],
    // What can be known without the item is a mistake of the request...
    [
      'a condition that makes no sense',
      () => [putNew(newKey(), { ConditionExpression: 'x = ' })],
      'ValidationException: Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "= "',
    ],
    [
      'a value that is not used',
      () => [putNew(newKey(), { ExpressionAttributeValues: { ':a': a } })],
      'ValidationException: Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}',
    ],
    [
      'a number that is none',
      () => [putNew({ ...newKey(), x: { N: 'x' } })],
      'ValidationException: The parameter cannot be converted to a numeric value: x',
    ],
  ])('is refused with %s', (_, items, expected) => expectRefusal('TransactWriteItems', { TransactItems: items() }, expected));

  // ...and what the table or the item says cancels the transaction.
  it.each<[string, (there: Item) => unknown, string]>([
    ['an item without its key', () => ({ Put: { TableName, Item: { x: a } } }), `${invalid} Missing the key p in the item`],
    ['a key of another type', () => ({ Delete: { TableName, Key: { p: one } } }), 'The provided key element does not match the schema'],
    [
      'an index key of another type',
      () => ({ Put: { TableName, Item: { ...newKey(), g: one } } }),
      `${invalid} Type mismatch for Index Key g Expected: S Actual: N IndexName: byG`,
    ],
    [
      'an item that is too large',
      () => ({ Put: { TableName, Item: { ...newKey(), x: { S: 'x'.repeat(410_000) } } } }),
      'Item size has exceeded the maximum allowed size',
    ],
    [
      'an operand that does not fit the item',
      (Key) => ({ Update: { TableName, Key, UpdateExpression: 'SET x = x + :one', ExpressionAttributeValues: { ':one': one } } }),
      'An operand in the update expression has an incorrect data type',
    ],
    [
      'an attribute that the item lacks',
      (Key) => ({ Update: { TableName, Key, UpdateExpression: 'SET x = gone' } }),
      'The provided expression refers to an attribute that does not exist in the item',
    ],
    [
      'a path that the item lacks',
      (Key) => ({ Update: { TableName, Key, UpdateExpression: 'SET gone.y = :one', ExpressionAttributeValues: { ':one': one } } }),
      'The document path provided in the update expression is invalid for update',
    ],
  ])('is cancelled by %s', async (_, item, Message) => {
    const there = newKey();
    await put({ ...there, x: a });
    const made = newKey();
    const { name, fields: body } = await failure('TransactWriteItems', { TransactItems: [putNew(made), item(there)] });
    expect(await read(made)).toBeUndefined();
    expect(name).toBe('TransactionCanceledException');
    expect(body['CancellationReasons']).toEqual([{ Code: 'None' }, { Code: 'ValidationError', Message: wording(Message) }]);
  });

  it('may not hold more than 4 MB', async () => {
    const items = (count: number) => Array.from({ length: count }, () => putNew({ ...newKey(), x: { S: 'x'.repeat(400_000) } }));
    await write(items(10));
    await expectRefusal('TransactWriteItems', { TransactItems: items(11) }, 'ValidationException');
  });

  describe('with a token', () => {
    it('is done once, and answers again as it did', async () => {
      const key = newKey();
      const add = { Update: { TableName, Key: key, UpdateExpression: 'ADD i :one', ExpressionAttributeValues: { ':one': one } } };
      const ClientRequestToken = uniqueName('token');
      expect(await write([add], { ClientRequestToken })).toEqual({});
      expect(await write([add], { ClientRequestToken })).toEqual({});
      expect(await read(key)).toEqual({ ...key, i: one });
      // Also when its condition does not hold any more.
      const made = newKey();
      const token = { ClientRequestToken: uniqueName('token') };
      await write([putNew(made)], token);
      await write([putNew(made)], token);
      await expectRefusal('TransactWriteItems', { TransactItems: [putNew(made)] }, cancelled('ConditionalCheckFailed'));
    });

    it('may not be another one', async () => {
      const ClientRequestToken = uniqueName('token');
      const items = (x: string) => ({
        ClientRequestToken,
        TransactItems: [{ Put: { TableName, Item: { p: { S: ClientRequestToken }, x: { S: x } } } }],
      });
      await call('TransactWriteItems', items('a'));
      await expectRefusal('TransactWriteItems', items('b'), 'IdempotentParameterMismatchException');
    });

    it('may be tried again after it was cancelled', async () => {
      const key = newKey();
      await put(key);
      const token = { ClientRequestToken: uniqueName('token') };
      await expectRefusal('TransactWriteItems', { TransactItems: [putNew(key)], ...token }, cancelled('ConditionalCheckFailed'));
      await call('DeleteItem', { TableName, Key: key });
      await write([putNew(key)], token);
      expect(await read(key)).toEqual(key);
    });

    it('of more than 36 characters is refused', () =>
      expectRefusal(
        'TransactWriteItems',
        { TransactItems: [putNew(newKey())], ClientRequestToken: 't'.repeat(37) },
        'ValidationException',
      ));
  });
});

describe('TransactGetItems', () => {
  const get = (Key: Item, more = {}) => ({ Get: { TableName, Key, ...more } });

  it('reads in the order of the request, with nothing for what is missing', async () => {
    const [there, missing, elsewhere] = [newKey(), newKey(), { ...newKey(), s: one }];
    await put({ ...there, x: a, y: one });
    await put(elsewhere, other);
    const TransactItems = [
      get(missing),
      get(there, { ProjectionExpression: '#x', ExpressionAttributeNames: { '#x': 'x' } }),
      { Get: { TableName: other, Key: elsewhere } },
    ];
    expect(await call('TransactGetItems', { TransactItems })).toEqual({ Responses: [{}, { Item: { x: a } }, { Item: elsewhere }] });
  });

  it.each<[string, () => unknown, string]>([
    [
      'no items',
      () => [],
      "ValidationException: 1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    ['101 items', () => Array.from({ length: 101 }, () => get(newKey())), 'ValidationException'],
    [
      'one item twice',
      () => [newKey()].flatMap((key) => [get(key), get(key)]),
      'ValidationException: Transaction request cannot include multiple operations on one item',
    ],
    [
      'a projection that makes no sense',
      () => [get(newKey(), { ProjectionExpression: '!!!' })],
      'ValidationException: Invalid ProjectionExpression: Syntax error; token: "!", near: "!!"',
    ],
    [
      'an unknown table',
      () => [{ Get: { TableName: uniqueName('missing'), Key: newKey() } }],
      'ResourceNotFoundException: Requested resource not found',
    ],
  ])('is refused with %s', (_, items, expected) => expectRefusal('TransactGetItems', { TransactItems: items() }, expected));

  it('is cancelled by a key that is none', async () => {
    const { name, fields: body } = await failure('TransactGetItems', { TransactItems: [get(newKey()), get({})] });
    expect(name).toBe('TransactionCanceledException');
    expect(body).toMatchObject({
      CancellationReasons: [{ Code: 'None' }, { Code: 'ValidationError', Message: 'The provided key element does not match the schema' }],
    });
  });
});
