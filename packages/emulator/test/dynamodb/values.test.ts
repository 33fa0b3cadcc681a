import { beforeAll, describe, expect, it } from 'vitest';
import { call, createTable, expectRefusal, uniqueName, useDynamoDb, type Value } from '../support/dynamodb-service.ts';

useDynamoDb();

let TableName: string;
let composite: string;
let byNumber: string;
let byBytes: string;
beforeAll(async () => {
  TableName = await createTable({ keys: { p: 'S' } });
  composite = await createTable({ keys: { p: 'S', s: 'S' } });
  byNumber = await createTable({ keys: { p: 'N' } });
  byBytes = await createTable({ keys: { p: 'B', s: 'B' } });
});

/** @returns the value as it is read back */
async function stored(v: unknown): Promise<Value | undefined> {
  const p = { S: uniqueName('p') };
  await call('PutItem', { TableName, Item: { p, v } });
  return (await call('GetItem', { TableName, Key: { p }, ConsistentRead: true })).Item?.['v'];
}
const refused = (v: unknown, expected: string) => expectRefusal('PutItem', { TableName, Item: { p: { S: uniqueName('p') }, v } }, expected);
const equal = async (v: unknown, other: unknown): Promise<boolean> => {
  const p = { S: uniqueName('p') };
  await call('PutItem', { TableName, Item: { p, v } });
  const { Count } = await call('Query', {
    TableName,
    KeyConditionExpression: 'p = :p',
    FilterExpression: 'v = :v',
    ExpressionAttributeValues: { ':p': p, ':v': other },
  });
  return Count === 1;
};
const invalid = 'ValidationException: One or more parameter values were invalid:';
const nines = '9'.repeat(38);

describe('a number', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['0.0', '0'],
    ['1.0', '1'],
    ['+5', '5'],
    ['007', '7'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['-1.50', '-1.5'],
    ['1e2', '100'],
    ['1E+2', '100'],
    ['12e-1', '1.2'],
    ['1e-5', '0.00001'],
    ['1e-7', '0.0000001'],
    ['123456789012345678901234567890', '123456789012345678901234567890'],
    [nines, nines],
    [`-0.${nines}`, `-0.${nines}`],
    // Zeros at the ends do not count.
    [`${nines}00`, `${nines}00`],
    [`0.00${nines}`, `0.00${nines}`],
    [`${nines}.000`, nines],
    ['1e125', `1${'0'.repeat(125)}`],
    [`9.${'9'.repeat(37)}e125`, `${nines}${'0'.repeat(88)}`],
    ['1e-130', `0.${'0'.repeat(129)}1`],
    ['-1e-130', `-0.${'0'.repeat(129)}1`],
  ])('%s is %s', async (written, read) => expect(await stored({ N: written })).toEqual({ N: read }));

  const overflow = 'ValidationException: Number overflow. Attempting to store a number with magnitude larger than supported range';
  const underflow = 'ValidationException: Number underflow. Attempting to store a number with magnitude smaller than supported range';
  const precise = 'ValidationException: Attempting to store more than 38 significant digits in a Number';
  const unreadable = 'ValidationException: The parameter cannot be converted to a numeric value';
  it.each([
    ['1e126', overflow],
    ['-1e126', overflow],
    ['1e-131', underflow],
    ['-1e-131', underflow],
    [`${nines}9`, precise],
    [`1.${nines}`, precise],
    ['a', `${unreadable}: a`],
    ['1 ', `${unreadable}: 1 `],
    ['1,5', `${unreadable}: 1,5`],
    ['0x10', `${unreadable}: 0x10`],
    ['NaN', `${unreadable}: NaN`],
    ['Infinity', `${unreadable}: Infinity`],
    ['1e', `${unreadable}: 1e`],
    ['', unreadable],
  ])('may not be %j', (N, expected) => refused({ N }, expected));

  it('is normalised by an update too', async () => {
    const Key = { p: { S: uniqueName('p') } };
    const set = { UpdateExpression: 'SET v = :v', ExpressionAttributeValues: { ':v': { N: '1.0' } }, ReturnValues: 'UPDATED_NEW' };
    expect((await call('UpdateItem', { TableName, Key, ...set })).Attributes).toEqual({ v: { N: '1' } });
    expect((await call('GetItem', { TableName, Key, ConsistentRead: true })).Item).toEqual({ ...Key, v: { N: '1' } });
  });

  it('must be written as a string', () => refused({ N: 5 }, 'SerializationException'));

  it.each([
    ['1', '1.0', true],
    ['100', '1e2', true],
    ['0', '-0', true],
    ['0.1', '0.10', true],
    [nines, `${nines.slice(0, -1)}8`, false],
    ['9007199254740993', '9007199254740992', false],
  ])('%s = %s: %s', async (N, other, expected) => expect(await equal({ N }, { N: other })).toBe(expected));

  it('is one key however it is written', async () => {
    await call('PutItem', { TableName: byNumber, Item: { p: { N: '1e1' }, v: { S: 'a' } } });
    const { Item } = await call('GetItem', { TableName: byNumber, Key: { p: { N: '10.0' } } });
    expect(Item).toEqual({ p: { N: '10' }, v: { S: 'a' } });
  });
});

describe('a value', () => {
  it.each<[string, Value]>([
    ['a string', { S: 'a' }],
    ['an empty string', { S: '' }],
    ['a string beyond ASCII', { S: 'Größe 😀 \u0000\uFFFD"\\\n' }],
    ['bytes', { B: 'AAEC/w==' }],
    ['no bytes', { B: '' }],
    ['true', { BOOL: true }],
    ['false', { BOOL: false }],
    ['null', { NULL: true }],
    ['an empty list', { L: [] }],
    ['an empty map', { M: {} }],
    ['a mixed list', { L: [{ S: 'a' }, { N: '1' }, { L: [{ NULL: true }] }, { M: { x: { BOOL: false } } }, { S: '' }, { SS: ['a'] }] }],
    ['a map with strange names', { M: { 'a.b': { S: '1' }, '#c': { S: '3' }, __proto: { S: '4' }, constructor: { S: '5' } } }],
  ])('that is %s is read as it was written', async (_, value) => expect(await stored(value)).toEqual(value));

  it('in a list or a map has its numbers normalised', async () => {
    expect(await stored({ L: [{ N: '1.0' }, { M: { x: { N: '1e1' } } }] })).toEqual({ L: [{ N: '1' }, { M: { x: { N: '10' } } }] });
  });

  const empty = 'ValidationException: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes';
  const several =
    'ValidationException: Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes';
  it.each<[string, unknown, string]>([
    ['nothing', {}, empty],
    ['of an unknown type', { X: 'a' }, empty],
    ['of two types', { S: 'a', N: '1' }, several],
    ['nothing in a list', { L: [{}] }, empty],
    ['of two types in a map', { M: { x: { S: 'a', BOOL: true } } }, several],
    ['a null that is not', { NULL: false }, `${invalid} Null attribute value types must have the value of true`],
    ['a number as a string', { S: 1 }, 'SerializationException'],
    ['a string as a boolean', { BOOL: 'maybe' }, 'SerializationException'],
    ['no base64', { B: '*' }, 'SerializationException'],
    ['a list that is none', { L: {} }, 'SerializationException'],
    ['a string alone', 'a', 'SerializationException'],
  ])('may not be %s', (_, value, expected) => refused(value, expected));

  it.each<[unknown, string]>([
    [{}, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes'],
    [{ N: 'x' }, 'The parameter cannot be converted to a numeric value: x'],
    [{ N: '1e126' }, 'Number overflow. Attempting to store a number with magnitude larger than supported range'],
    [{ SS: [] }, 'One or more parameter values were invalid: An string set  may not be empty'],
    [{ NS: ['1', '1.0'] }, 'Input collection contains duplicates'],
    [{ NULL: false }, 'One or more parameter values were invalid: Null attribute value types must have the value of true'],
  ])('that is %j is named in the error when it is one of an expression', (value, why) =>
    expectRefusal(
      'UpdateItem',
      { TableName, Key: { p: { S: 'a' } }, UpdateExpression: 'SET v = :v', ExpressionAttributeValues: { ':v': value } },
      `ValidationException: ExpressionAttributeValues contains invalid value: ${why} for key :v`,
    ),
  );
});

describe('a set', () => {
  const sorted = (value: Value | undefined) =>
    Object.fromEntries(Object.entries(value ?? {}).map(([type, set]) => [type, [...(set as string[])].sort()]));
  it.each<[string, Value, Value]>([
    ['strings', { SS: ['b', 'a', ''] }, { SS: ['', 'a', 'b'] }],
    ['numbers', { NS: ['2.0', '1', '1e1'] }, { NS: ['1', '10', '2'] }],
    ['bytes', { BS: ['Ag==', 'AQ=='] }, { BS: ['AQ==', 'Ag=='] }],
  ])('of %s is read in any order', async (_, written, read) => expect(sorted(await stored(written))).toEqual(read));

  it.each<[Value, Value, boolean]>([
    [{ SS: ['a', 'b'] }, { SS: ['b', 'a'] }, true],
    [{ SS: ['a', 'b'] }, { SS: ['a'] }, false],
    [{ NS: ['1', '2'] }, { NS: ['2.0', '1'] }, true],
    [{ BS: ['AQ==', 'Ag=='] }, { BS: ['Ag==', 'AQ=='] }, true],
    [{ SS: ['1'] }, { NS: ['1'] }, false],
    [{ L: [{ S: 'a' }, { S: 'b' }] }, { L: [{ S: 'b' }, { S: 'a' }] }, false],
    [{ M: { x: { S: 'a' }, y: { N: '1' } } }, { M: { y: { N: '1.0' }, x: { S: 'a' } } }, true],
  ])('%j = %j: %s', async (value, other, expected) => expect(await equal(value, other)).toBe(expected));

  it.each<[string, Value, string]>([
    ['no strings', { SS: [] }, `${invalid} An string set  may not be empty`],
    ['no numbers', { NS: [] }, `${invalid} An number set  may not be empty`],
    ['no bytes', { BS: [] }, `${invalid} Binary sets should not be empty`],
    ['a string twice', { SS: ['a', 'a'] }, `${invalid} Input collection [a, a] contains duplicates.`],
    ['a number twice, written differently', { NS: ['1', '1.0'] }, 'ValidationException: Input collection contains duplicates'],
    ['bytes twice', { BS: ['AQ==', 'AQ=='] }, `${invalid} Input collection [AQ==, AQ==]of type BS contains duplicates.`],
    ['a number that is none', { NS: ['1', 'x'] }, 'ValidationException: The parameter cannot be converted to a numeric value: x'],
    ['a null', { SS: ['a', null] }, 'ValidationException'],
  ])('may not hold %s', (_, value, expected) => refused(value, expected));
});

describe('nesting', () => {
  const nested = (depth: number): Value => (depth === 0 ? { S: 'a' } : { L: [nested(depth - 1)] });
  it('may be 32 levels deep, the innermost value counted', async () => expect(await stored(nested(31))).toEqual(nested(31)));
  it('may not be deeper', () =>
    refused(
      nested(32),
      'ValidationException: Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit',
    ));
});

describe('the size of an item', () => {
  const limit = 400 * 1024;
  const tooLarge = 'ValidationException: Item size has exceeded the maximum allowed size';
  /** Puts an item that has so many bytes, its first ones given. */
  const filled = (bytes: number, item: Readonly<Record<string, Value>>, counted: number) => ({
    TableName,
    Item: { p: { S: 'pp' }, ...item, v: { S: 'x'.repeat(bytes - 1 - 2 - 1 - counted) } },
  });
  it.each<[string, Readonly<Record<string, Value>>, number]>([
    ['names and strings in UTF-8', { ü: { S: '😀' } }, 2 + 4],
    ['bytes', { b: { B: 'AAAAAA==' } }, 1 + 4],
    ['true and null', { b: { BOOL: true }, n: { NULL: true } }, 2 * (1 + 1)],
    ['a set', { b: { SS: ['aa', 'bbb'] } }, 1 + 2 + 3],
    // Three bytes, and one for every element.
    ['a list', { b: { L: [{ S: 'aa' }, { BOOL: true }] } }, 1 + 3 + 2 * 1 + 2 + 1],
    ['a map', { b: { M: { xx: { S: 'aa' } } } }, 1 + 3 + 1 + 2 + 2],
  ])('counts %s', async (_, item, counted) => {
    await call('PutItem', filled(limit, item, counted));
    await expectRefusal('PutItem', filled(limit + 1, item, counted), tooLarge);
  });

  it('is also limited for an update', async () => {
    const Key = { p: { S: uniqueName('p') } };
    await call('PutItem', { TableName, Item: { ...Key, x: { S: 'x'.repeat(limit - 1000) } } });
    const update = (size: number) => ({
      TableName,
      Key,
      UpdateExpression: 'SET y = :y',
      ExpressionAttributeValues: { ':y': { S: 'y'.repeat(size) } },
    });
    await call('UpdateItem', update(500));
    await expectRefusal('UpdateItem', update(1000), 'ValidationException: Item size to update has exceeded the maximum allowed size');
  });
});

describe('the size of a key', () => {
  const long = `${invalid} Size of hashkey has exceeded the maximum size limit of2048 bytes`;
  const longRange = `${invalid} Aggregated size of all range keys has exceeded the size limit of 1024 bytes`;
  it('is up to 2048 and 1024 bytes', async () => {
    const key = { p: { S: 'p'.repeat(2048) }, s: { S: 's'.repeat(1024) } };
    await call('PutItem', { TableName: composite, Item: key });
    expect((await call('GetItem', { TableName: composite, Key: key })).Item).toEqual(key);
  });
  it.each<[string, string, unknown, string]>([
    ['2049 bytes', 'p', { S: 'p'.repeat(2049) }, long],
    ['more bytes than characters', 'p', { S: 'ü'.repeat(1025) }, long],
    ['1025 bytes for a sort key', 's', { S: 's'.repeat(1025) }, longRange],
  ])('may not be %s', async (_, name, value, expected) => {
    const key = { p: { S: 'a' }, s: { S: 'a' }, [name]: value };
    await expectRefusal('PutItem', { TableName: composite, Item: key }, expected);
    await expectRefusal('GetItem', { TableName: composite, Key: key }, expected);
  });
  it('is that of the bytes', async () => {
    const key = { p: { B: Buffer.alloc(2048).toString('base64') }, s: { B: 'AQ==' } };
    await call('PutItem', { TableName: byBytes, Item: key });
    const Item = { ...key, p: { B: Buffer.alloc(2049).toString('base64') } };
    await expectRefusal('PutItem', { TableName: byBytes, Item }, long);
  });
});
