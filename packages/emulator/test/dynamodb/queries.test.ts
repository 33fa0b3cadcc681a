import { beforeAll, describe, expect, it } from 'vitest';
import {
  call,
  createTable,
  expectRefusal,
  uniqueName,
  useDynamoDb,
  type Answer,
  type Item,
  type Value,
} from '../support/dynamodb-service.ts';

useDynamoDb();

const n = (value: number | string): Value => ({ N: String(value) });
const s = (value: string): Value => ({ S: value });

let TableName: string;
let byNumber: string;
let byBytes: string;
let hashOnly: string;
const indexes = {
  all: { keys: { g: 'S', r: 'N' } },
  keysOnly: { keys: { g: 'S' }, projection: 'KEYS_ONLY' },
  included: { keys: { g: 'S', r: 'N' }, projection: ['x'] },
  sparse: { keys: { rare: 'S' } },
} as const;
const localIndexes = { local: { keys: { p: 'S', lr: 'N' }, projection: 'KEYS_ONLY' } } as const;
beforeAll(async () => {
  TableName = await createTable({ keys: { p: 'S', s: 'S' }, indexes, localIndexes });
  byNumber = await createTable({ keys: { p: 'S', s: 'N' } });
  byBytes = await createTable({ keys: { p: 'S', s: 'B' } });
  hashOnly = await createTable({ keys: { p: 'S' } });
});

const put = (Item: Item, table = TableName) => call('PutItem', { TableName: table, Item });
const query = (KeyConditionExpression: string, ExpressionAttributeValues: Item, more = {}): Promise<Answer> =>
  call('Query', { TableName, KeyConditionExpression, ExpressionAttributeValues, ConsistentRead: true, ...more });
/** An index takes no consistent reads. */
const queryIndex = (IndexName: string, condition: string, of: Item, more = {}) =>
  query(condition, of, { IndexName, ConsistentRead: false, ...more });
const sortKeys = ({ Items = [] }: Answer, name = 's') => Items.map((item) => Object.values(item[name]!)[0] as string);

/** Reads page after page. @returns the pages */
async function pages(operation: 'Query' | 'Scan', input: object): Promise<Answer[]> {
  const all: Answer[] = [];
  let ExclusiveStartKey: Item | undefined;
  do {
    const page: Answer = await call(operation, { ...input, ExclusiveStartKey });
    all.push(page);
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  return all;
}

describe('the order of a sort key', () => {
  // By the bytes of UTF-8: a character beyond the basic plane comes after U+FFFD, whose UTF-16 unit is greater.
  const texts = [' ', '0', '10', '9', 'A', 'Z', 'a', 'aa', 'ab', 'b', 'z', '~', 'é', 'ÿ', '中', '\uFFFD', '😀', '😁'];
  const numbers = [
    '-1e125',
    '-100',
    '-20',
    '-19.5',
    '-3',
    '-0.5',
    '-0.05',
    '-1e-130',
    '0',
    '1e-130',
    '0.05',
    '0.1',
    '0.11',
    '1',
    '1.5',
    '2',
    '9',
    '10',
    '9007199254740992',
    '9007199254740993',
    '1e30',
    '9e125',
  ];
  const bytes = ['AA==', 'AAA=', 'AAE=', 'AQ==', 'AQAA', 'fw==', 'gA==', '/w==', '/wA='];
  const plain = (value: string) => (value.includes('e') ? BigInt(Number(value)).toString() : value);
  it.each<[string, () => string, string, readonly string[]]>([
    ['strings', () => TableName, 'S', texts],
    ['numbers', () => byNumber, 'N', numbers],
    ['bytes', () => byBytes, 'B', bytes],
  ])('of %s', async (_, table, type, ordered) => {
    const p = s(uniqueName('p'));
    for (const value of ordered.toReversed()) await put({ p, s: { [type]: value } }, table());
    const read = async (more = {}) => sortKeys(await query('p = :p', { ':p': p }, { TableName: table(), ...more }));
    const forward = await read();
    // Numbers are compared as such: they are read in their plain form.
    if (type === 'N') expect(forward.map(Number)).toEqual(ordered.map(Number));
    else expect(forward).toEqual(ordered);
    if (type === 'N') expect(forward.slice(-4, -2)).toEqual(['9007199254740992', '9007199254740993'].map(plain));
    expect(await read({ ScanIndexForward: false })).toEqual(forward.toReversed());
  });
});

describe('a key condition', () => {
  const p = s(uniqueName('p'));
  const keys = ['a', 'b', 'ba', 'bb', 'c', 'd'];
  const of = { ':p': p, ':b': s('b'), ':bb': s('bb'), ':z': s('z') };
  beforeAll(async () => {
    for (const key of keys) await put({ p, s: s(key), g: p, r: n(key.charCodeAt(0)), x: s(key), lr: n(100 - key.charCodeAt(0)) });
    await put({ p: s(`${p['S'] as string}2`), s: s('b') });
  });

  it.each<[string, readonly string[], Readonly<Record<string, string>>?]>([
    ['p = :p', keys],
    [':p = p', keys],
    ['(p = :p)', keys],
    ['p = :p AND s = :b', ['b']],
    ['s = :b AND p = :p', ['b']],
    ['p = :p and (s = :b)', ['b']],
    ['(p = :p AND s = :b)', ['b']],
    ['p = :p AND s < :bb', ['a', 'b', 'ba']],
    ['p = :p AND s <= :bb', ['a', 'b', 'ba', 'bb']],
    ['p = :p AND s > :bb', ['c', 'd']],
    ['p = :p AND s >= :bb', ['bb', 'c', 'd']],
    ['p = :p AND :bb <= s', ['bb', 'c', 'd']],
    ['p = :p AND s BETWEEN :b AND :bb', ['b', 'ba', 'bb']],
    ['p = :p AND begins_with(s, :b)', ['b', 'ba', 'bb']],
    ['begins_with(s, :z) AND p = :p', []],
    ['p = :z', []],
    ['#p = :p AND #s = :b', ['b'], { '#p': 'p', '#s': 's' }],
  ])('%s', async (expression, expected, ExpressionAttributeNames) => {
    const values = Object.fromEntries(Object.entries(of).filter(([name]) => new RegExp(`${name}\\b`).test(expression)));
    const answer = await query(expression, values, { ExpressionAttributeNames });
    expect(sortKeys(answer)).toEqual(expected);
    expect(answer).toMatchObject({ Count: expected.length, ScannedCount: expected.length });
    expect(answer).not.toHaveProperty('LastEvaluatedKey');
  });

  const wrongType = 'ValidationException: One or more parameter values were invalid: Condition parameter type does not match schema type';
  const operator = 'ValidationException: Invalid operator used in KeyConditionExpression:';
  it.each<[string, Item, string, Record<string, unknown>?]>([
    ['', {}, 'ValidationException: Invalid KeyConditionExpression: The expression can not be empty;'],
    ['s = :b', { ':b': s('b') }, 'ValidationException: Query condition missed key schema element: p'],
    ['x = :b', { ':b': s('b') }, 'ValidationException: Query condition missed key schema element: p'],
    ['p = :p AND x = :p', { ':p': p }, 'ValidationException: Query condition missed key schema element: s'],
    ['p = :p AND s = :p AND x = :p', { ':p': p }, 'ValidationException: Conditions can be of length 1 or 2 only'],
    ['p < :p', { ':p': p }, 'ValidationException: Query key condition not supported'],
    ['begins_with(p, :p)', { ':p': p }, 'ValidationException: Query key condition not supported'],
    ['p = :p OR s = :p', { ':p': p }, `${operator} OR`],
    ['NOT p = :p', { ':p': p }, `${operator} NOT`],
    ['p = :p AND s <> :p', { ':p': p }, `${operator} <>`],
    ['p = :p AND s IN (:p)', { ':p': p }, `${operator} IN`],
    ['p = :p AND contains(s, :p)', { ':p': p }, `${operator} contains`],
    ['p = :p AND attribute_exists(s)', { ':p': p }, `${operator} attribute_exists`],
    ['p = :p AND s > :p AND s < :p', { ':p': p }, 'ValidationException: KeyConditionExpressions must only contain one condition per key'],
    ['p = :p AND s.x = :p', { ':p': p }, 'ValidationException'],
    ['p = :p AND size(s) = :n', { ':p': p, ':n': n(1) }, 'ValidationException: KeyConditionExpressions cannot contain nested operations'],
    ['p = s', {}, 'ValidationException: Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition'],
    ['p = :n', { ':n': n(1) }, wrongType],
    ['p = :p AND s > :n', { ':p': p, ':n': n(1) }, wrongType],
    [
      'p = :p AND s BETWEEN :z AND :b',
      { ':p': p, ':b': s('b'), ':z': s('z') },
      'ValidationException: Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:z}, upper bound operand: AttributeValue: {S:b}',
    ],
    [
      'p = :p AND begins_with(s, :n)',
      { ':p': p, ':n': n(1) },
      'ValidationException: Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N',
    ],
    [
      'p = :e',
      { ':e': s('') },
      'ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: p',
    ],
    [
      'p = :gone',
      { ':p': p },
      'ValidationException: Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; attribute value: :gone',
    ],
    [
      'name = :p',
      { ':p': p },
      'ValidationException: Invalid KeyConditionExpression: Attribute name is a reserved keyword; reserved keyword: name',
    ],
    [
      'p = :p',
      { ':p': p, ':more': p },
      'ValidationException: Value provided in ExpressionAttributeValues unused in expressions: keys: {:more}',
    ],
    [
      'p = :p',
      { ':p': p },
      'ValidationException: Filter Expression can only contain non-primary key attributes: Primary key attribute: s',
      { FilterExpression: 's = :p' },
    ],
    [
      'g = :p',
      { ':p': p },
      'ValidationException: Filter Expression can only contain non-primary key attributes: Primary key attribute: r',
      { IndexName: 'all', FilterExpression: 'r = :p' },
    ],
    ['p = :p', { ':p': p }, 'ValidationException: The table does not have the specified index: nothing', { IndexName: 'nothing' }],
    [
      'g = :p',
      { ':p': p },
      'ValidationException: Consistent reads are not supported on global secondary indexes',
      { IndexName: 'all', ConsistentRead: true },
    ],
    ['g = :p AND s = :p', { ':p': p }, 'ValidationException: Query condition missed key schema element: r', { IndexName: 'all' }],
    ['p = :p', { ':p': p }, 'ValidationException: Query condition missed key schema element: g', { IndexName: 'all' }],
    ['g = :p AND r = :p', { ':p': p }, wrongType, { IndexName: 'all' }],
    [
      'p = :p',
      { ':p': p },
      "ValidationException: 1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
      { Limit: 0 },
    ],
  ])('%j with %j is refused: %s', (KeyConditionExpression, ExpressionAttributeValues, expected, more) =>
    expectRefusal(
      'Query',
      {
        TableName,
        KeyConditionExpression,
        ...(Object.keys(ExpressionAttributeValues).length > 0 ? { ExpressionAttributeValues } : {}),
        ...more,
      },
      expected,
    ),
  );

  it('is needed', () =>
    expectRefusal(
      'Query',
      { TableName },
      'ValidationException: Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.',
    ));

  it('on a table without sort key has one part', () =>
    expectRefusal(
      'Query',
      { TableName: hashOnly, KeyConditionExpression: 'p = :p AND s = :p', ExpressionAttributeValues: { ':p': p } },
      'ValidationException: Query key condition not supported',
    ));

  it('of an index', async () => {
    const byR = await queryIndex('all', 'g = :p AND r BETWEEN :from AND :to', { ':p': p, ':from': n(97), ':to': n(98) });
    expect(byR.Items![0]).toMatchObject({ s: s('a'), x: s('a') });
    expect(sortKeys(byR).toSorted()).toEqual(['a', 'b', 'ba', 'bb']);
    const local = await query('p = :p AND lr < :n', { ':p': p, ':n': n(2) }, { IndexName: 'local' });
    expect(sortKeys(local)).toEqual(['d', 'c']);
  });
});

describe('an index', () => {
  const g = s(uniqueName('g'));
  const of = { ':g': g };
  const item = (key: string, more: Item = {}): Item => ({
    p: s(`${g['S'] as string}-${key}`),
    s: s(key),
    g,
    x: s('x'),
    y: s('y'),
    ...more,
  });
  beforeAll(async () => {
    for (const key of ['a', 'b', 'c', 'd', 'e']) await put(item(key, { r: n(1) }));
    await put(item('no sort key'));
  });

  it('holds the items that have its keys', async () => {
    expect(sortKeys(await queryIndex('all', 'g = :g', of)).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect((await queryIndex('keysOnly', 'g = :g', of)).Count).toBe(6);
  });

  it('follows the writes', async () => {
    const rare = s(uniqueName('rare'));
    const found = async () => (await queryIndex('sparse', 'rare = :r', { ':r': rare })).Items;
    const Key = { p: s(uniqueName('p')), s: s('1') };
    await put(Key);
    expect(await found()).toEqual([]);
    const set = { TableName, Key, UpdateExpression: 'SET rare = :r', ExpressionAttributeValues: { ':r': rare } };
    await call('UpdateItem', set);
    expect(await found()).toEqual([{ ...Key, rare }]);
    await put({ ...Key, rare, x: s('x') });
    expect(await found()).toEqual([{ ...Key, rare, x: s('x') }]);
    await call('UpdateItem', { TableName, Key, UpdateExpression: 'REMOVE rare' });
    expect(await found()).toEqual([]);
    await call('UpdateItem', set);
    await call('DeleteItem', { TableName, Key });
    expect(await found()).toEqual([]);
  });

  it.each<[keyof typeof indexes | 'local', Item]>([
    ['all', item('a', { r: n(1) })],
    ['keysOnly', { p: item('a')['p']!, s: s('a'), g }],
    ['included', { p: item('a')['p']!, s: s('a'), g, r: n(1), x: s('x') }],
  ])('%s has what it projects', async (IndexName, expected) => {
    const { Items } = await queryIndex(IndexName, 'g = :g', of);
    expect(Items!.find((found) => found['s']!['S'] === 'a')).toEqual(expected);
  });

  it('gives a projection of what it has', async () => {
    const { Items } = await queryIndex('included', 'g = :g', of, { ProjectionExpression: 'x, s' });
    expect(Items).toContainEqual({ x: s('x'), s: s('a') });
  });

  it('that is local reads the rest of the item from the table', async () => {
    const p = s(uniqueName('p'));
    const whole = { p, s: s('a'), lr: n(1), x: s('x') };
    await put(whole);
    const local = (more = {}) => query('p = :p', { ':p': p }, { IndexName: 'local', ...more });
    expect((await local()).Items).toEqual([{ p, s: s('a'), lr: n(1) }]);
    expect((await local({ Select: 'ALL_ATTRIBUTES' })).Items).toEqual([whole]);
    expect((await local({ ProjectionExpression: 'x' })).Items).toEqual([{ x: s('x') }]);
  });

  it('is in the order of its sort key, and goes on behind an entry that is gone', async () => {
    const own = s(uniqueName('g'));
    const numbers = ['-20', '-3', '0.5', '3', '20', '100'];
    for (const [place, r] of numbers.toReversed().entries())
      await put({ p: s(`${own['S'] as string}-${place}`), s: s('a'), g: own, r: n(r) });
    const read = (more = {}) => queryIndex('all', 'g = :g', { ':g': own }, more);
    expect(sortKeys(await read(), 'r')).toEqual(numbers);
    expect(sortKeys(await read({ ScanIndexForward: false }), 'r')).toEqual(numbers.toReversed());
    const { LastEvaluatedKey } = await read({ Limit: 3 });
    const { p, s: sort } = LastEvaluatedKey!;
    await call('DeleteItem', { TableName, Key: { p, s: sort } });
    expect(sortKeys(await read({ ExclusiveStartKey: LastEvaluatedKey }), 'r')).toEqual(numbers.slice(3));
    // It moves with its sort key.
    const { Items } = await read({ Limit: 1 });
    const Key = { p: Items![0]!['p'], s: Items![0]!['s'] };
    await call('UpdateItem', { TableName, Key, UpdateExpression: 'SET r = :r', ExpressionAttributeValues: { ':r': n(50) } });
    expect(sortKeys(await read(), 'r')).toEqual(['-3', '3', '20', '50', '100']);
  });

  it('is read in pages also where all index keys are equal', async () => {
    const input = { TableName, IndexName: 'all', KeyConditionExpression: 'g = :g', ExpressionAttributeValues: of, Limit: 2 };
    for (const ScanIndexForward of [true, false]) {
      const read = await pages('Query', { ...input, ScanIndexForward });
      expect(read.map(({ Count }) => Count)).toEqual([2, 2, 1]);
      expect(Object.keys(read[0]!.LastEvaluatedKey!).toSorted()).toEqual(['g', 'p', 'r', 's']);
      expect(read.flatMap((page) => sortKeys(page)).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
    }
  });

  const notAll = (index: string) =>
    `ValidationException: One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index ${index} because its projection type is not ALL`;
  it('does not give what it lacks', async () => {
    const input = { TableName, KeyConditionExpression: 'g = :g', ExpressionAttributeValues: of };
    await expectRefusal('Query', { ...input, IndexName: 'keysOnly', Select: 'ALL_ATTRIBUTES' }, notAll('keysOnly'));
    await expectRefusal('Scan', { TableName, IndexName: 'included', Select: 'ALL_ATTRIBUTES' }, notAll('included'));
    await expectRefusal('Query', { ...input, IndexName: 'keysOnly', ProjectionExpression: 'x' }, 'ValidationException');
    expect((await queryIndex('all', 'g = :g', of, { Select: 'ALL_ATTRIBUTES' })).Count).toBe(5);
  });

  it('is filtered by the keys of the table', async () => {
    const answer = await queryIndex('all', 'g = :g', { ...of, ':s': s('b') }, { FilterExpression: 's = :s' });
    expect([sortKeys(answer), answer.ScannedCount]).toEqual([['b'], 5]);
  });

  it('is scanned', async () => {
    const read = await pages('Scan', { TableName, IndexName: 'all', Limit: 3 });
    const ours = read.flatMap(({ Items }) => Items!).filter((found) => found['g']!['S'] === g['S']);
    expect(ours.map((found) => found['s']!['S']).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
    await expectRefusal(
      'Scan',
      { TableName, IndexName: 'all', ConsistentRead: true },
      'ValidationException: Consistent reads are not supported on global secondary indexes',
    );
  });
});

describe('pages', () => {
  const p = s(uniqueName('p'));
  const of = { ':p': p };
  const keys = ['a', 'b', 'c', 'd', 'e'];
  beforeAll(async () => {
    for (const [place, key] of keys.entries()) await put({ p, s: s(key), place: n(place) });
  });

  it.each<[number | undefined, boolean, string[][]]>([
    [undefined, true, [keys]],
    [2, true, [['a', 'b'], ['c', 'd'], ['e']]],
    [2, false, [['e', 'd'], ['c', 'b'], ['a']]],
    // The last item fills the page: whether more follows is not known yet.
    [5, true, [keys, []]],
    [1, true, [...keys.map((key) => [key]), []]],
    [6, true, [keys]],
  ])('of %s, forward %s', async (Limit, ScanIndexForward, expected) => {
    const input = { TableName, KeyConditionExpression: 'p = :p', ExpressionAttributeValues: of, Limit, ScanIndexForward };
    const read = await pages('Query', input);
    expect(read.map((page) => sortKeys(page))).toEqual(expected);
    const last = expected[0]!.at(-1)!;
    expect(read[0]!.LastEvaluatedKey).toEqual(read.length > 1 ? { p, s: s(last) } : undefined);
  });

  it('start behind a key, also behind one of an item that is gone', async () => {
    const from = (key: string, more = {}) => query('p = :p', of, { ExclusiveStartKey: { p, s: s(key) }, ...more });
    expect(sortKeys(await from('c'))).toEqual(['d', 'e']);
    expect(sortKeys(await from('bb'))).toEqual(['c', 'd', 'e']);
    expect(sortKeys(await from('bb', { ScanIndexForward: false }))).toEqual(['b', 'a']);
    expect(sortKeys(await from('z'))).toEqual([]);
  });

  it('count what they read before the filter', async () => {
    const filter = { FilterExpression: 'place >= :n', Limit: 2 };
    const first = await query('p = :p', { ...of, ':n': n(3) }, filter);
    expect(first).toEqual({ Items: [], Count: 0, ScannedCount: 2, LastEvaluatedKey: { p, s: s('b') } });
    const second = await query('p = :p', { ...of, ':n': n(3) }, { ...filter, ExclusiveStartKey: first.LastEvaluatedKey });
    expect(second).toMatchObject({ Count: 1, ScannedCount: 2, LastEvaluatedKey: { p, s: s('d') } });
    expect(sortKeys(second)).toEqual(['d']);
  });

  const start = 'ValidationException: The provided starting key is';
  it.each<[string, unknown, string, Record<string, unknown>?]>([
    ['half a key', { p }, `${start} invalid`],
    ['one attribute too many', { p, s: s('a'), x: s('a') }, `${start} invalid`],
    ['another type', { p, s: n(1) }, 'ValidationException'],
    ['another partition', { p: s('other'), s: s('a') }, `${start} outside query boundaries based on provided conditions`],
    ['no index keys', { p, s: s('a') }, `${start} invalid`, { IndexName: 'sparse', KeyConditionExpression: 'rare = :p' }],
  ])('may not start at %s', (_, ExclusiveStartKey, expected, more) =>
    expectRefusal(
      'Query',
      { TableName, KeyConditionExpression: 'p = :p', ExpressionAttributeValues: of, ExclusiveStartKey, ...more },
      expected,
    ),
  );

  it('may not start outside of the sort key’s condition', () =>
    expectRefusal(
      'Query',
      {
        TableName,
        KeyConditionExpression: 'p = :p AND s > :c',
        ExpressionAttributeValues: { ...of, ':c': s('c') },
        ExclusiveStartKey: { p, s: s('a') },
      },
      `${start.replace(' is', '')} does not match the range key predicate`,
    ));

  it('end after a megabyte', async () => {
    const big = s(uniqueName('p'));
    for (const key of keys) await put({ p: big, s: s(key), x: s('x'.repeat(300_000)) });
    const input = { TableName, KeyConditionExpression: 'p = :p', ExpressionAttributeValues: { ':p': big } };
    const read = await pages('Query', input);
    // The item that reaches the limit is still in the page: 4 of 300 KB are more than a megabyte.
    expect(read.map(({ Count }) => Count)).toEqual([4, 1]);
    // What is not returned counts too.
    const counted = await pages('Query', { ...input, Select: 'COUNT' });
    expect(counted.map(({ Count }) => Count)).toEqual([4, 1]);
    const projected = await pages('Query', { ...input, ProjectionExpression: 's' });
    expect(projected.map(({ Count }) => Count)).toEqual([4, 1]);
  });

  it('end after a megabyte that a filter leaves out', async () => {
    const big = s(uniqueName('p'));
    for (const key of keys) await put({ p: big, s: s(key), x: s('x'.repeat(300_000)) });
    const input = { TableName, KeyConditionExpression: 'p = :p', ExpressionAttributeValues: { ':p': big } };
    const filtered = await pages('Query', { ...input, FilterExpression: 'attribute_not_exists(x)' });
    expect(filtered.map(({ ScannedCount }) => ScannedCount)).toEqual([4, 1]);
  });
});

describe('Select', () => {
  const p = s(uniqueName('p'));
  const of = { ':p': p };
  beforeAll(async () => {
    for (const key of ['a', 'b', 'c']) await put({ p, s: s(key), x: s(key) });
  });

  it('COUNT gives numbers alone', async () => {
    const answer = await query('p = :p', { ...of, ':a': s('a') }, { Select: 'COUNT', FilterExpression: 'x > :a' });
    expect(answer).toEqual({ Count: 2, ScannedCount: 3 });
  });

  it('SPECIFIC_ATTRIBUTES gives the projection', async () => {
    const answer = await query('p = :p', of, { Select: 'SPECIFIC_ATTRIBUTES', ProjectionExpression: 'x', Limit: 1 });
    expect(answer.Items).toEqual([{ x: s('a') }]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    [
      'an unknown one',
      { Select: 'SOME' },
      "ValidationException: 1 validation error detected: Value 'SOME' at 'select' failed to satisfy constraint: Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]",
    ],
    ['SPECIFIC_ATTRIBUTES without projection', { Select: 'SPECIFIC_ATTRIBUTES' }, 'ValidationException'],
    ['COUNT with a projection', { Select: 'COUNT', ProjectionExpression: 'x' }, 'ValidationException'],
    ['ALL_ATTRIBUTES with a projection', { Select: 'ALL_ATTRIBUTES', ProjectionExpression: 'x' }, 'ValidationException'],
    [
      'ALL_PROJECTED_ATTRIBUTES without index',
      { Select: 'ALL_PROJECTED_ATTRIBUTES' },
      'ValidationException: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName',
    ],
  ])('is refused: %s', (_, more, expected) =>
    expectRefusal('Query', { TableName, KeyConditionExpression: 'p = :p', ExpressionAttributeValues: of, ...more }, expected),
  );
});

describe('Scan', () => {
  let table: string;
  const keys = Array.from({ length: 40 }, (_, i) => `item-${String(i).padStart(2, '0')}`);
  beforeAll(async () => {
    table = await createTable({ keys: { p: 'S' } });
    for (const [place, key] of keys.entries()) await put({ p: s(key), place: n(place) }, table);
  });
  const found = (all: Answer[]) => all.flatMap((page) => sortKeys(page, 'p')).toSorted();

  it('reads everything once, in one page or in many', async () => {
    const whole = await pages('Scan', { TableName: table, ConsistentRead: true });
    expect(whole.length).toBe(1);
    expect(whole[0]).toMatchObject({ Count: 40, ScannedCount: 40 });
    const paged = await pages('Scan', { TableName: table, Limit: 7 });
    expect(paged.map(({ Count }) => Count)).toEqual([7, 7, 7, 7, 7, 5]);
    expect([found(whole), found(paged)]).toEqual([keys, keys]);
    // The last item fills the page: whether more follows is not known yet.
    expect((await pages('Scan', { TableName: table, Limit: 20 })).map(({ Count }) => Count)).toEqual([20, 20, 0]);
    // In the same order.
    expect(paged.flatMap(({ Items }) => Items)).toEqual(whole[0]!.Items);
  });

  it.each([1, 3, 8])('reads everything once in %d segments', async (TotalSegments) => {
    const segments = Array.from({ length: TotalSegments }, (_, Segment) =>
      pages('Scan', { TableName: table, Segment, TotalSegments, Limit: 4 }),
    );
    expect(found((await Promise.all(segments)).flat())).toEqual(keys);
  });

  it('filters, also by key attributes', async () => {
    const filter = (FilterExpression: string, ExpressionAttributeValues: Item, more = {}) =>
      call('Scan', { TableName: table, FilterExpression, ExpressionAttributeValues, ...more });
    expect(await filter('place < :n', { ':n': n(3) })).toMatchObject({ Count: 3, ScannedCount: 40 });
    expect((await filter('p = :p', { ':p': s('item-07') })).Items).toEqual([{ p: s('item-07'), place: n(7) }]);
    expect(await filter('place < :n', { ':n': n(3) }, { Select: 'COUNT' })).toEqual({ Count: 3, ScannedCount: 40 });
    const { Items } = await filter('p = :p', { ':p': s('item-07') }, { ProjectionExpression: 'place' });
    expect(Items).toEqual([{ place: n(7) }]);
  });

  it('goes on behind an item that is gone', async () => {
    const { LastEvaluatedKey } = await call('Scan', { TableName: table, Limit: 10 });
    const rest = async () => (await call('Scan', { TableName: table, ExclusiveStartKey: LastEvaluatedKey })).Items;
    const before = await rest();
    const { Item } = await call('GetItem', { TableName: table, Key: LastEvaluatedKey });
    await call('DeleteItem', { TableName: table, Key: LastEvaluatedKey });
    expect(await rest()).toEqual(before);
    await put(Item!, table);
  });

  it.each<[string, Record<string, unknown>, string]>([
    [
      'a segment without their number',
      { Segment: 0 },
      'ValidationException: The TotalSegments parameter is required but was not present in the request when Segment parameter is present',
    ],
    [
      'a number of segments without one',
      { TotalSegments: 4 },
      'ValidationException: The Segment parameter is required but was not present in the request when parameter TotalSegments is present',
    ],
    [
      'a segment beyond their number',
      { Segment: 4, TotalSegments: 4 },
      'ValidationException: The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than TotalSegments: 4',
    ],
    [
      'a limit of 0',
      { Limit: 0 },
      "ValidationException: 1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    ['an unknown index', { IndexName: 'nothing' }, 'ValidationException: The table does not have the specified index: nothing'],
    [
      'a starting key of another table',
      { ExclusiveStartKey: { x: s('a') } },
      'ValidationException: The provided starting key is invalid: The provided key element does not match the schema',
    ],
    ['a filter that is empty', { FilterExpression: '' }, 'ValidationException: Invalid FilterExpression: The expression can not be empty;'],
    [
      'a filter that makes no sense',
      { FilterExpression: 'x = = :a' },
      'ValidationException: Invalid FilterExpression: Syntax error; token: "=", near: "= = :a"',
    ],
  ])('is refused with %s', (_, more, expected) => expectRefusal('Scan', { TableName: table, ...more }, expected));
});
