import { beforeAll, describe, expect, it } from 'vitest';
import { call, createTable, expectRefusal, failure, uniqueName, useDynamoDb } from '../support/dynamodb-service.ts';

useDynamoDb();

let TableName: string;
let hashOnly: string;
beforeAll(async () => {
  TableName = await createTable({ keys: { p: 'S', s: 'N' }, indexes: { byQ: { keys: { q: 'S', r: 'N' } } } });
  hashOnly = await createTable({ keys: { p: 'B' } });
});

/** A key that no other test uses. */
const newKey = () => ({ p: { S: uniqueName('p') }, s: { N: '1' } });
const put = (Item: unknown, more = {}) => call('PutItem', { TableName, Item, ...more });
const get = async (Key: unknown, more = {}) => (await call('GetItem', { TableName, Key, ConsistentRead: true, ...more })).Item;
const conditionFailed = 'ConditionalCheckFailedException: The conditional request failed';
const invalid = 'ValidationException: One or more parameter values were invalid:';
const mismatch = 'ValidationException: The provided key element does not match the schema';
const a = { S: 'a' };
const one = { N: '1' };

describe('an item', () => {
  it('is written, read, replaced and deleted', async () => {
    const key = newKey();
    expect(await call('GetItem', { TableName, Key: key })).toEqual({});
    expect(await put({ ...key, x: a, y: one })).toEqual({});
    expect(await get(key)).toEqual({ ...key, x: a, y: one });
    await put({ ...key, z: a });
    expect(await get(key)).toEqual({ ...key, z: a });
    await call('DeleteItem', { TableName, Key: key });
    expect(await get(key)).toBeUndefined();
    await call('DeleteItem', { TableName, Key: key });
  });

  it('is another one for each sort key, and a number is the same however it is written', async () => {
    const { p } = newKey();
    await put({ p, s: { N: '1' }, x: { S: 'one' } });
    await put({ p, s: { N: '2' }, x: { S: 'two' } });
    expect(await get({ p, s: { N: '1.0' } })).toEqual({ p, s: one, x: { S: 'one' } });
    await put({ p, s: { N: '0.1e1' }, x: { S: 'again' } });
    expect(await get({ p, s: one })).toEqual({ p, s: one, x: { S: 'again' } });
  });

  it('has a key of bytes', async () => {
    const Item = { p: { B: 'AAH/' }, x: a };
    await call('PutItem', { TableName: hashOnly, Item });
    expect((await call('GetItem', { TableName: hashOnly, Key: { p: { B: 'AAH/' } } })).Item).toEqual(Item);
    expect((await call('GetItem', { TableName: hashOnly, Key: { p: { B: 'AAH+' } } })).Item).toBeUndefined();
  });

  it('may be a key alone, also by an update without expression', async () => {
    const key = newKey();
    await call('UpdateItem', { TableName, Key: key });
    expect(await get(key)).toEqual(key);
  });
});

describe('writes at the same time', () => {
  it('are all counted', async () => {
    const key = newKey();
    const add = { UpdateExpression: 'ADD i :one', ExpressionAttributeValues: { ':one': one } };
    await Promise.all(Array.from({ length: 50 }, () => call('UpdateItem', { TableName, Key: key, ...add })));
    expect(await get(key)).toEqual({ ...key, i: { N: '50' } });
  });

  it('on one condition are done once', async () => {
    const key = newKey();
    const attempt = (x: number) =>
      put({ ...key, x: { N: String(x) } }, { ConditionExpression: 'attribute_not_exists(p)' }).then(
        () => x,
        () => undefined,
      );
    const done = (await Promise.all(Array.from({ length: 20 }, (_, x) => attempt(x)))).filter((x) => x !== undefined);
    expect(done.length).toBe(1);
    expect(await get(key)).toEqual({ ...key, x: { N: String(done[0]) } });
  });
});

describe('ReturnValues', () => {
  it.each<[string, string, Record<string, unknown>, unknown]>([
    ['PutItem', 'NONE', {}, undefined],
    ['PutItem', 'ALL_OLD', {}, { x: a, y: one }],
    ['DeleteItem', 'NONE', {}, undefined],
    ['DeleteItem', 'ALL_OLD', {}, { x: a, y: one }],
    ['UpdateItem', 'NONE', {}, undefined],
    ['UpdateItem', 'ALL_OLD', {}, { x: a, y: one }],
    ['UpdateItem', 'ALL_NEW', {}, { x: { S: 'b' }, y: one, z: { S: 'b' } }],
    // Only those that the expression names.
    ['UpdateItem', 'UPDATED_OLD', {}, { x: a }],
    ['UpdateItem', 'UPDATED_NEW', {}, { x: { S: 'b' }, z: { S: 'b' } }],
  ])('of %s: %s', async (operation, ReturnValues, more, expected) => {
    const key = newKey();
    await put({ ...key, x: a, y: one });
    const input = {
      PutItem: { Item: { ...key, n: one } },
      DeleteItem: { Key: key },
      UpdateItem: { Key: key, UpdateExpression: 'SET x = :b, z = :b', ExpressionAttributeValues: { ':b': { S: 'b' } } },
    }[operation];
    const answer = await call(operation, { TableName, ReturnValues, ...input, ...more });
    const whole = ReturnValues.startsWith('ALL') && expected !== undefined;
    expect(answer.Attributes).toEqual(whole ? { ...key, ...(expected as object) } : expected);
  });

  it.each([
    ['PutItem', 'ALL_OLD'],
    ['DeleteItem', 'ALL_OLD'],
    ['UpdateItem', 'ALL_OLD'],
    ['UpdateItem', 'UPDATED_OLD'],
  ])('of %s: %s is nothing when there was no item', async (operation, ReturnValues) => {
    const key = newKey();
    const update = { UpdateExpression: 'SET x = :b', ExpressionAttributeValues: { ':b': { S: 'b' } } };
    const input = operation === 'PutItem' ? { Item: key } : { Key: key, ...(operation === 'UpdateItem' ? update : {}) };
    expect((await call(operation, { TableName, ReturnValues, ...input })).Attributes).toBeUndefined();
  });

  it('of a nested path: the path alone', async () => {
    const key = newKey();
    await put({ ...key, m: { M: { i: one, j: one } }, l: { L: [a, a, a] } });
    const input = {
      TableName,
      Key: key,
      UpdateExpression: 'SET m.i = :n, l[1] = :n',
      ExpressionAttributeValues: { ':n': { N: '2' } },
    };
    const old = await call('UpdateItem', { ...input, ReturnValues: 'UPDATED_OLD' });
    expect(old.Attributes).toEqual({ m: { M: { i: one } }, l: { L: [a] } });
    const now = await call('UpdateItem', { ...input, ReturnValues: 'UPDATED_NEW' });
    expect(now.Attributes).toEqual({ m: { M: { i: { N: '2' } } }, l: { L: [{ N: '2' }] } });
  });

  it('of removed attributes: the old ones', async () => {
    const key = newKey();
    await put({ ...key, x: a });
    const input = { TableName, Key: key, UpdateExpression: 'REMOVE x' };
    expect((await call('UpdateItem', { ...input, ReturnValues: 'UPDATED_OLD' })).Attributes).toEqual({ x: a });
    expect((await call('UpdateItem', { ...input, ReturnValues: 'UPDATED_NEW' })).Attributes).toBeUndefined();
  });

  it.each([
    ['PutItem', 'ALL_NEW', 'ValidationException: ReturnValues can only be ALL_OLD or NONE'],
    ['PutItem', 'UPDATED_OLD', 'ValidationException: ReturnValues can only be ALL_OLD or NONE'],
    ['DeleteItem', 'ALL_NEW', 'ValidationException: ReturnValues can only be ALL_OLD or NONE'],
    [
      'UpdateItem',
      'SOME',
      "ValidationException: 1 validation error detected: Value 'SOME' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
    ],
  ])('of %s may not be %s', (operation, ReturnValues, expected) => {
    const input = operation === 'PutItem' ? { Item: newKey() } : { Key: newKey() };
    return expectRefusal(operation, { TableName, ReturnValues, ...input }, expected);
  });
});

describe('a failed condition', () => {
  it.each(['PutItem', 'UpdateItem', 'DeleteItem'])('of %s changes nothing, and gives the item only when asked', async (operation) => {
    const key = newKey();
    const item = { ...key, x: a };
    await put(item);
    const input = {
      TableName,
      ...(operation === 'PutItem' ? { Item: key } : { Key: key }),
      ConditionExpression: 'attribute_not_exists(p)',
    };
    await expectRefusal(operation, input, conditionFailed);
    expect((await failure(operation, input)).fields).not.toHaveProperty('Item');
    const told = await failure(operation, { ...input, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' });
    expect(told.fields['Item']).toEqual(item);
    expect(await get(key)).toEqual(item);
  });

  it('gives no item when there is none', async () => {
    const input = { TableName, Key: newKey(), ConditionExpression: 'attribute_exists(p)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' };
    const { name, fields: body } = await failure('DeleteItem', input);
    expect(name).toBe('ConditionalCheckFailedException');
    expect(body).not.toHaveProperty('Item');
  });
});

describe('a key', () => {
  const { p } = newKey();
  const emptyKey =
    'ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an';
  it.each<[string, unknown, string]>([
    ['has no partition key', { s: one }, `${invalid} Missing the key p in the item`],
    ['has no sort key', { p }, `${invalid} Missing the key s in the item`],
    ['has a partition key of another type', { p: one, s: one }, `${invalid} Type mismatch for key p expected: S actual: N`],
    ['has a sort key of another type', { p, s: a }, `${invalid} Type mismatch for key s expected: N actual: S`],
    ['has a boolean as a key', { p: { BOOL: true }, s: one }, `${invalid} Type mismatch for key p expected: S actual: BOOL`],
    ['has an empty key', { p: { S: '' }, s: one }, `${emptyKey} empty string value. Key: p`],
    [
      'has an index key of another type',
      { p, s: one, q: one },
      `${invalid} Type mismatch for Index Key q Expected: S Actual: N IndexName: byQ`,
    ],
    [
      'has an empty index key',
      { p, s: one, q: { S: '' }, r: one },
      'ValidationException: One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: byQ, IndexKey: q',
    ],
  ])('is refused by PutItem when the item %s', (_, Item, expected) => expectRefusal('PutItem', { TableName, Item }, expected));

  it('is refused by PutItem when it is empty bytes', () =>
    expectRefusal('PutItem', { TableName: hashOnly, Item: { p: { B: '' } } }, `${emptyKey} empty binary value. Key: p`));

  const keys: [string, unknown, string][] = [
    ['is empty', {}, mismatch],
    ['lacks the sort key', { p }, mismatch],
    ['lacks the partition key', { s: one }, mismatch],
    ['has one attribute too many', { p, s: one, x: a }, mismatch],
    ['has another attribute', { p, x: one }, mismatch],
    ['is of another type', { p, s: a }, mismatch],
    ['is an empty string', { p: { S: '' }, s: one }, `${emptyKey} empty string value. Key: p`],
  ];
  it.each(['GetItem', 'UpdateItem', 'DeleteItem'].flatMap((operation) => keys.map((row) => [operation, ...row] as const)))(
    'is refused by %s when it %s',
    (operation, _, Key, expected) => expectRefusal(operation, { TableName, Key }, expected),
  );

  it.each([
    ['PutItem', 'item'],
    ['GetItem', 'key'],
    ['UpdateItem', 'key'],
    ['DeleteItem', 'key'],
  ])('must be given to %s', (operation, member) =>
    expectRefusal(
      operation,
      { TableName },
      `ValidationException: 1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
    ),
  );

  it('of an index may not be made empty by an update', () =>
    expectRefusal(
      'UpdateItem',
      { TableName, Key: newKey(), UpdateExpression: 'SET q = :e', ExpressionAttributeValues: { ':e': { S: '' } } },
      'ValidationException: One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.',
    ));

  it('of an index may not be null', () =>
    expectRefusal(
      'PutItem',
      { TableName, Item: { ...newKey(), q: { NULL: true } } },
      `${invalid} Type mismatch for Index Key q Expected: S Actual: NULL IndexName: byQ`,
    ));

  it('must have an update keep the types of index keys', () =>
    expectRefusal(
      'UpdateItem',
      { TableName, Key: newKey(), UpdateExpression: 'SET q = :n', ExpressionAttributeValues: { ':n': one } },
      'ValidationException: The update expression attempted to update the secondary index key to unsupported type',
    ));
});

describe('a projection', () => {
  const item = {
    x: a,
    y: one,
    m: { M: { i: one, j: { M: { k: a, n: one } }, deep: { L: [a, one] } } },
    l: { L: [{ S: '0' }, { S: '1' }, { S: '2' }, { M: { i: one, j: a } }] },
    'a.b': a,
  };
  let key: ReturnType<typeof newKey>;
  beforeAll(async () => {
    key = newKey();
    await put({ ...key, ...item });
  });

  it.each<[string, unknown, Record<string, string>?]>([
    ['x', { x: a }],
    ['x, y', { x: a, y: one }],
    [' x ,\n y ', { x: a, y: one }],
    ['#x, s', { x: a, s: one }, { '#x': 'x' }],
    ['#d', { 'a.b': a }, { '#d': 'a.b' }],
    ['m.i', { m: { M: { i: one } } }],
    ['m.j.k, m.i', { m: { M: { i: one, j: { M: { k: a } } } } }],
    ['#m.#i', { m: { M: { i: one } } }, { '#m': 'm', '#i': 'i' }],
    ['m.deep[1]', { m: { M: { deep: { L: [one] } } } }],
    // Elements come in the order of the list, and close up.
    ['l[2], l[0]', { l: { L: [{ S: '0' }, { S: '2' }] } }],
    ['l[3].j', { l: { L: [{ M: { j: a } }] } }],
    ['nothing', {}],
    ['l[9]', {}],
    ['x.i, y[0]', {}],
    ['m[0], l.i', {}],
    ['x, nothing, m.nothing', { x: a }],
  ])('of %s', async (ProjectionExpression, expected, ExpressionAttributeNames) => {
    expect(await get(key, { ProjectionExpression, ExpressionAttributeNames })).toEqual(expected);
  });

  it('of an item that is not there is nothing', async () => {
    expect(await call('GetItem', { TableName, Key: newKey(), ProjectionExpression: 'x' })).toEqual({});
  });

  const overlap = (one: string, two: string) =>
    `ValidationException: Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: ${one}, path two: ${two}`;
  it.each<[string, string, Record<string, string>?]>([
    ['x, x', overlap('[x]', '[x]')],
    ['m, m.i', overlap('[m]', '[m, i]')],
    ['m.i, m', overlap('[m, i]', '[m]')],
    ['l[0], l', overlap('[l, [0]]', '[l]')],
    [
      'x.i, x[0]',
      'ValidationException: Invalid ProjectionExpression: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [x, i], path two: [x, [0]]',
    ],
    ['#x, x', overlap('[x]', '[x]'), { '#x': 'x' }],
    ['', 'ValidationException: Invalid ProjectionExpression: The expression can not be empty;'],
    ['x y', 'ValidationException: Invalid ProjectionExpression: Syntax error; token: "y", near: "x y"'],
    ['x,', 'ValidationException: Invalid ProjectionExpression: Syntax error; token: "<EOF>", near: ","'],
    ['!', 'ValidationException: Invalid ProjectionExpression: Syntax error; token: "!", near: "!"'],
    ['x, name', 'ValidationException: Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: name'],
    [
      '#y',
      'ValidationException: Invalid ProjectionExpression: An expression attribute name used in the document path is not defined; attribute name: #y',
      { '#x': 'x' },
    ],
    ['x', 'ValidationException: Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}', { '#x': 'x' }],
    ['x', 'ValidationException: ExpressionAttributeNames must not be empty', {}],
    ['#x', 'ValidationException: ExpressionAttributeNames contains invalid key: Syntax error; key: "x"', { x: 'x' }],
  ])('of %j is refused: %s', (ProjectionExpression, expected, ExpressionAttributeNames) =>
    expectRefusal('GetItem', { TableName, Key: key, ProjectionExpression, ExpressionAttributeNames }, expected),
  );

  it('is needed for names', () =>
    expectRefusal(
      'GetItem',
      { TableName, Key: key, ExpressionAttributeNames: { '#x': 'x' } },
      'ValidationException: ExpressionAttributeNames can only be specified when using expressions',
    ));
});

describe('BatchWriteItem', () => {
  const write = (requests: unknown, table = TableName) => ({ RequestItems: { [table]: requests } });
  const items = (count: number) => Array.from({ length: count }, () => ({ PutRequest: { Item: newKey() } }));

  it('puts and deletes in several tables', async () => {
    const [kept, gone] = [newKey(), newKey()];
    await put(gone);
    const p = { B: 'AQ==' };
    const RequestItems = {
      [TableName]: [{ PutRequest: { Item: { ...kept, x: a } } }, { DeleteRequest: { Key: gone } }],
      [hashOnly]: [{ PutRequest: { Item: { p } } }],
    };
    expect(await call('BatchWriteItem', { RequestItems })).toEqual({ UnprocessedItems: {} });
    expect(await get(kept)).toEqual({ ...kept, x: a });
    expect(await get(gone)).toBeUndefined();
    expect((await call('GetItem', { TableName: hashOnly, Key: { p } })).Item).toEqual({ p });
  });

  it('takes 25 requests', async () => {
    expect(await call('BatchWriteItem', write(items(25)))).toEqual({ UnprocessedItems: {} });
  });

  it.each<[string, () => unknown, string]>([
    ['26 requests', () => write(items(26)), 'ValidationException'],
    ['no requests', () => ({ RequestItems: {} }), 'ValidationException'],
    ['no requests for a table', () => write([]), 'ValidationException'],
    ['an empty request', () => write([{}]), 'ValidationException'],
    [
      'the same key twice',
      () => {
        const key = newKey();
        return write([{ PutRequest: { Item: { ...key, x: a } } }, { DeleteRequest: { Key: key } }]);
      },
      'ValidationException: Provided list of item keys contains duplicates',
    ],
    ['a put without key', () => write([{ PutRequest: { Item: { p: a } } }]), `${invalid} Missing the key s in the item`],
    [
      'an item that is too large',
      () => write([{ PutRequest: { Item: { ...newKey(), x: { S: 'x'.repeat(410_000) } } } }]),
      'ValidationException: Item size has exceeded the maximum allowed size',
    ],
    ['a delete with half a key', () => write([{ DeleteRequest: { Key: { p: a } } }]), mismatch],
    ['an unknown table', () => write(items(1), uniqueName('missing')), 'ResourceNotFoundException: Requested resource not found'],
  ])('is refused with %s', (_, input, expected) => expectRefusal('BatchWriteItem', input(), expected));

  it('writes nothing when one request is invalid', async () => {
    const key = newKey();
    await failure('BatchWriteItem', write([{ PutRequest: { Item: key } }, { PutRequest: { Item: { p: a } } }]));
    expect(await get(key)).toBeUndefined();
  });
});

describe('BatchGetItem', () => {
  const read = (Keys: unknown, more = {}, table = TableName) => ({ RequestItems: { [table]: { Keys, ...more } } });
  const keys = (count: number) => Array.from({ length: count }, newKey);

  it('reads from several tables, projected, without what is missing', async () => {
    const key = newKey();
    await put({ ...key, x: a, y: one });
    const p = { B: 'Ag==' };
    await call('PutItem', { TableName: hashOnly, Item: { p } });
    const RequestItems = {
      [TableName]: { Keys: [newKey(), key], ProjectionExpression: '#x', ExpressionAttributeNames: { '#x': 'x' }, ConsistentRead: true },
      [hashOnly]: { Keys: [{ p }] },
    };
    expect(await call('BatchGetItem', { RequestItems })).toEqual({
      Responses: { [TableName]: [{ x: a }], [hashOnly]: [{ p }] },
      UnprocessedKeys: {},
    });
  });

  it('names a table that has none of the items', async () => {
    expect(await call('BatchGetItem', read(keys(100)))).toEqual({ Responses: { [TableName]: [] }, UnprocessedKeys: {} });
  });

  it.each<[string, () => unknown, string]>([
    ['101 keys', () => read(keys(101)), 'ValidationException'],
    ['no tables', () => ({ RequestItems: {} }), 'ValidationException'],
    ['no keys', () => read([]), 'ValidationException'],
    [
      'the same key twice',
      () => read([newKey()].flatMap((key) => [key, key])),
      'ValidationException: Provided list of item keys contains duplicates',
    ],
    ['half a key', () => read([{ p: a }]), mismatch],
    ['an unknown table', () => read(keys(1), {}, uniqueName('missing')), 'ResourceNotFoundException: Requested resource not found'],
  ])('is refused with %s', (_, input, expected) => expectRefusal('BatchGetItem', input(), expected));

  it('answers with what fits into 16 MB', async () => {
    const big = await Promise.all(
      keys(45).map(async (key) => {
        await put({ ...key, x: { S: 'x'.repeat(390_000) } });
        return key;
      }),
    );
    const { Responses, UnprocessedKeys } = (await call('BatchGetItem', read(big))) as {
      Responses?: Record<string, unknown[]>;
      UnprocessedKeys?: Record<string, { Keys: unknown[] }>;
    };
    const [answered, left] = [Responses![TableName]!.length, UnprocessedKeys?.[TableName]?.Keys.length ?? 0];
    expect(answered + left).toBe(45);
    expect(left).toBeGreaterThan(0);
  });
});
