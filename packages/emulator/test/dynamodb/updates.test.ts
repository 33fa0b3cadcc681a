import { beforeAll, describe, expect, it } from 'vitest';
import { call, createTable, expectRefusal, uniqueName, useDynamoDb, type Item, type Value } from '../support/dynamodb-service.ts';

useDynamoDb();

let TableName: string;
beforeAll(async () => {
  TableName = await createTable({ keys: { p: 'S', s: 'N' }, indexes: { byQ: { keys: { q: 'S' } } } });
});

const n = (value: number): Value => ({ N: String(value) });
const s = (value: string): Value => ({ S: value });
const before: Item = {
  x: s('x'),
  y: s('y'),
  i: n(5),
  l: { L: [n(0), n(1), n(2)] },
  m: { M: { i: n(1), j: { M: { k: s('k') } }, l: { L: [s('a')] } } },
  ss: { SS: ['a', 'b'] },
  ns: { NS: ['1', '2'] },
  bs: { BS: ['AQ=='] },
  yes: { BOOL: true },
};
const values: Readonly<Record<string, Value>> = {
  ':s': s('new'),
  ':n': n(3),
  ':frac': { N: '0.1' },
  ':neg': n(-3),
  ':list': { L: [s('p'), s('q')] },
  ':map': { M: { z: n(9) } },
  ':ss': { SS: ['b', 'c'] },
  ':ab': { SS: ['a', 'b'] },
  ':ns': { NS: ['2.0', '3'] },
  ':bs': { BS: ['AQ=='] },
  ':big': { N: '9'.repeat(38) },
  ':huge': { N: '9e125' },
  ':yes': { BOOL: true },
};
const names: Readonly<Record<string, string>> = { '#x': 'x', '#m': 'm', '#dotted': 'a.b', '#name': 'name' };

const used = <T>(of: Readonly<Record<string, T>>, expression: string): Record<string, T> | undefined => {
  const words = new Set(expression.match(/[:#][A-Za-z0-9_]+/g) ?? []);
  const entries = Object.entries(of).filter(([name]) => words.has(name));
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
};
const newKey = () => ({ p: s(uniqueName('p')), s: n(1) });
const update = (Key: Item, UpdateExpression: string) => ({
  TableName,
  Key,
  UpdateExpression,
  ExpressionAttributeNames: used(names, UpdateExpression),
  ExpressionAttributeValues: used(values, UpdateExpression),
});
const read = async (Key: Item): Promise<Item | undefined> => (await call('GetItem', { TableName, Key, ConsistentRead: true })).Item;
/** Sets come in any order. */
const sortSets = (item: Item | undefined): unknown =>
  item &&
  Object.fromEntries(
    Object.entries(item).map(([name, value]) => [
      name,
      value['SS'] ? { SS: [...(value['SS'] as string[])].sort() } : value['NS'] ? { NS: [...(value['NS'] as string[])].sort() } : value,
    ]),
  );

/** An update → the attributes that change; undefined for those that are gone. */
const changes: [string, Readonly<Record<string, Value | undefined>>][] = [
  // SET
  ['SET x = :s', { x: s('new') }],
  ['set x = :s', { x: s('new') }],
  ['SET new1 = :s', { new1: s('new') }],
  ['SET x = :s, new1 = :n', { x: s('new'), new1: n(3) }],
  ['SET x = y', { x: s('y') }],
  ['SET #name = :s', { name: s('new') }],
  ['SET #dotted = :s', { 'a.b': s('new') }],
  // All is read from the item as it was before.
  ['SET x = y, y = x', { x: s('y'), y: s('x') }],
  ['SET i = :n, new1 = i', { i: n(3), new1: n(5) }],
  ['SET new1 = x REMOVE x', { new1: s('x'), x: undefined }],
  ['SET i = i + :n', { i: n(8) }],
  ['SET i = i - :n', { i: n(2) }],
  ['SET i = :n - i', { i: n(-2) }],
  ['SET i = i+:n', { i: n(8) }],
  ['SET i = i + i', { i: n(10) }],
  ['SET i = i + :frac', { i: { N: '5.1' } }],
  ['SET i = i + m.i', { i: n(6) }],
  ['SET i = (i + :n)', { i: n(8) }],
  ['SET i = :big + :neg', { i: { N: `${'9'.repeat(37)}6` } }],
  ['SET i = if_not_exists(i, :n)', { i: n(5) }],
  ['SET new1 = if_not_exists(new1, :n)', { new1: n(3) }],
  ['SET new1 = if_not_exists(new1, x)', { new1: s('x') }],
  ['SET new1 = if_not_exists(new1, :n) + :n', { new1: n(6) }],
  ['SET i = if_not_exists(m.i, :n) - if_not_exists(m.gone, :n)', { i: n(-2) }],
  ['SET new1 = if_not_exists(new2, if_not_exists(new3, :n))', { new1: n(3) }],
  ['SET l = list_append(l, :list)', { l: { L: [n(0), n(1), n(2), s('p'), s('q')] } }],
  ['SET l = list_append(:list, l)', { l: { L: [s('p'), s('q'), n(0), n(1), n(2)] } }],
  ['SET new1 = list_append(if_not_exists(new1, :list), :list)', { new1: { L: [s('p'), s('q'), s('p'), s('q')] } }],
  // Paths
  ['SET m.i = :n', { m: { M: { i: n(3), j: { M: { k: s('k') } }, l: { L: [s('a')] } } } }],
  ['SET #m.new1 = :n', { m: { M: { i: n(1), j: { M: { k: s('k') } }, l: { L: [s('a')] }, new1: n(3) } } }],
  ['SET m.j.k = m.i, m.i = m.j.k', { m: { M: { i: s('k'), j: { M: { k: n(1) } }, l: { L: [s('a')] } } } }],
  ['SET m.j = :map', { m: { M: { i: n(1), j: { M: { z: n(9) } }, l: { L: [s('a')] } } } }],
  ['SET m.l[0] = :s', { m: { M: { i: n(1), j: { M: { k: s('k') } }, l: { L: [s('new')] } } } }],
  ['SET l[1] = :s', { l: { L: [n(0), s('new'), n(2)] } }],
  ['SET l[3] = :s', { l: { L: [n(0), n(1), n(2), s('new')] } }],
  // Beyond the end means: at the end, in the order of the indexes.
  ['SET l[9] = :s', { l: { L: [n(0), n(1), n(2), s('new')] } }],
  ['SET l[99] = :s, l[9] = :n', { l: { L: [n(0), n(1), n(2), n(3), s('new')] } }],
  ['SET l[0] = l[2], l[2] = l[0]', { l: { L: [n(2), n(1), n(0)] } }],
  // REMOVE
  ['REMOVE x', { x: undefined }],
  ['REMOVE x, y', { x: undefined, y: undefined }],
  ['REMOVE new1', {}],
  ['REMOVE m.j.k', { m: { M: { i: n(1), j: { M: {} }, l: { L: [s('a')] } } } }],
  ['REMOVE l[0]', { l: { L: [n(1), n(2)] } }],
  // The indexes are those of before.
  ['REMOVE l[0], l[1]', { l: { L: [n(2)] } }],
  ['REMOVE l[9]', {}],
  ['REMOVE m.gone', {}],
  ['REMOVE l[0], l[1], l[2]', { l: { L: [] } }],
  ['REMOVE l[0] SET l[1] = :s', { l: { L: [s('new'), n(2)] } }],
  ['SET l[5] = :s REMOVE l[0]', { l: { L: [n(1), n(2), s('new')] } }],
  // ADD
  ['ADD i :n', { i: n(8) }],
  ['ADD i :neg', { i: n(2) }],
  ['ADD i :frac', { i: { N: '5.1' } }],
  ['ADD new1 :n', { new1: n(3) }],
  ['ADD i :n, new1 :n', { i: n(8), new1: n(3) }],
  ['ADD m.i :n', { m: { M: { i: n(4), j: { M: { k: s('k') } }, l: { L: [s('a')] } } } }],
  ['ADD ss :ss', { ss: { SS: ['a', 'b', 'c'] } }],
  ['ADD ns :ns', { ns: { NS: ['1', '2', '3'] } }],
  ['ADD new1 :ss', { new1: { SS: ['b', 'c'] } }],
  ['ADD bs :bs', {}],
  // DELETE
  ['DELETE ss :ss', { ss: { SS: ['a'] } }],
  ['DELETE ns :ns', { ns: { NS: ['1'] } }],
  // There are no empty sets.
  ['DELETE ss :ab', { ss: undefined }],
  ['DELETE bs :bs', { bs: undefined }],
  ['DELETE new1 :ss', {}],
  // Several clauses, in any order
  ['REMOVE y SET x = :s ADD i :n DELETE ss :ss', { y: undefined, x: s('new'), i: n(8), ss: { SS: ['a'] } }],
  ['ADD new1 :n REMOVE x', { new1: n(3), x: undefined }],
];
it.each(changes)('%s', async (expression, changed) => {
  const key = newKey();
  await call('PutItem', { TableName, Item: { ...key, ...before } });
  await call('UpdateItem', update(key, expression));
  const expected = Object.fromEntries(Object.entries({ ...before, ...changed }).filter(([, value]) => value !== undefined));
  expect(sortSets(await read(key))).toEqual({ ...key, ...expected });
});

describe('an item that is not there', () => {
  it.each<[string, Readonly<Record<string, Value>>]>([
    ['SET x = :s', { x: s('new') }],
    ['SET i = if_not_exists(i, :n)', { i: n(3) }],
    ['ADD i :n', { i: n(3) }],
    ['ADD ss :ss', { ss: { SS: ['b', 'c'] } }],
    ['REMOVE x', {}],
    ['DELETE ss :ss', {}],
  ])('is made by %s', async (expression, made) => {
    const key = newKey();
    await call('UpdateItem', update(key, expression));
    expect(sortSets(await read(key))).toEqual({ ...key, ...made });
  });
});

describe('an update is refused', () => {
  const wrong = 'ValidationException: Invalid UpdateExpression:';
  const path = 'ValidationException: The document path provided in the update expression is invalid for update';
  const operand = 'ValidationException: An operand in the update expression has an incorrect data type';
  const missing = 'ValidationException: The provided expression refers to an attribute that does not exist in the item';
  const overlap = (kind: string, one: string, two: string) =>
    `${wrong} Two document paths ${kind} with each other; must remove or rewrite one of these paths; path one: ${one}, path two: ${two}`;
  const type = (operator: string, is: string) =>
    `${wrong} Incorrect operand type for operator or function; operator: ${operator}, operand type: ${is}, typeSet: ALLOWED_FOR_${operator}_OPERAND`;
  const inFunction = (operator: string, is: string) =>
    `${wrong} Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${is}`;
  const overflow = 'ValidationException: Number overflow. Attempting to store a number with magnitude larger than supported range';
  it.each([
    // The expression itself
    ['', `${wrong} The expression can not be empty;`],
    ['SET', `${wrong} Syntax error; token: "<EOF>", near: "SET"`],
    ['SET x', `${wrong} Syntax error; token: "<EOF>", near: "x"`],
    ['SET x =', `${wrong} Syntax error; token: "<EOF>", near: "="`],
    ['x = :s', `${wrong} Syntax error; token: "x", near: "x ="`],
    ['PUT x = :s', `${wrong} Syntax error; token: "PUT", near: "PUT x"`],
    ['SET x = :s,', `${wrong} Syntax error; token: "<EOF>", near: ","`],
    ['SET x = :s SET y = :s', `${wrong} The "SET" section can only be used once in an update expression;`],
    ['REMOVE x REMOVE y', `${wrong} The "REMOVE" section can only be used once in an update expression;`],
    ['SET i = i * :n', `${wrong} Syntax error; token: "*", near: "i * :n"`],
    ['SET i = i + :n + :n', `${wrong} Syntax error; token: "+", near: ":n + :n"`],
    ['ADD i = :n', `${wrong} Syntax error; token: "=", near: "i = :n"`],
    ['ADD i x', `${wrong} Syntax error; token: "x", near: "i x"`],
    ['SET name = :s', `${wrong} Attribute name is a reserved keyword; reserved keyword: name`],
    ['SET x = :gone', `${wrong} An expression attribute value used in expression is not defined; attribute value: :gone`],
    ['SET #gone = :s', `${wrong} An expression attribute name used in the document path is not defined; attribute name: #gone`],
    ['SET x = nothing(:s)', `${wrong} Invalid function name; function: nothing`],
    ['SET x = size(y)', `${wrong} The function is not allowed in an update expression; function: size`],
    ['SET x = attribute_exists(y)', `${wrong} The function is not allowed in an update expression; function: attribute_exists`],
    [
      'SET x = if_not_exists(y)',
      `${wrong} Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1`,
    ],
    ['SET x = if_not_exists(:s, :n)', `${wrong} Operator or function requires a document path; operator or function: if_not_exists`],
    [
      'SET l = list_append(l)',
      `${wrong} Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1`,
    ],
    ['SET l = list_append(l, :s)', inFunction('list_append', 'S')],
    ['SET i = i + :s', inFunction('+', 'S')],
    ['SET i = :yes - i', inFunction('-', 'BOOL')],
    ['ADD i :s', type('ADD', 'STRING')],
    ['ADD l :list', type('ADD', 'LIST')],
    ['ADD x :yes', type('ADD', 'BOOLEAN')],
    ['DELETE i :n', type('DELETE', 'NUMBER')],
    ['DELETE l :list', type('DELETE', 'LIST')],
    ['SET x = :s, x = :n', overlap('overlap', '[x]', '[x]')],
    ['SET x = :s REMOVE x', overlap('overlap', '[x]', '[x]')],
    ['SET #x = :s ADD x :n', overlap('overlap', '[x]', '[x]')],
    ['SET m = :map, m.i = :n', overlap('overlap', '[m]', '[m, i]')],
    ['SET m.j.k = :s REMOVE m.j', overlap('overlap', '[m, j, k]', '[m, j]')],
    ['SET m.i = :n, m[0] = :n', overlap('conflict', '[m, i]', '[m, [0]]')],
    ['REMOVE l[0], l[0]', overlap('overlap', '[l, [0]]', '[l, [0]]')],
    // The key
    [
      'SET p = :s',
      'ValidationException: One or more parameter values were invalid: Cannot update attribute p. This attribute is part of the key',
    ],
    [
      'REMOVE s',
      'ValidationException: One or more parameter values were invalid: Cannot update attribute s. This attribute is part of the key',
    ],
    [
      'ADD s :n',
      'ValidationException: One or more parameter values were invalid: Cannot update attribute s. This attribute is part of the key',
    ],
    // Against the item
    ['SET x.y = :s', path],
    ['SET gone.y = :s', path],
    ['SET gone[0] = :s', path],
    ['SET m[0] = :s', path],
    ['SET l.y = :s', path],
    ['SET m.gone.y = :s', path],
    ['SET l[7].y = :s', path],
    ['REMOVE gone.y', path],
    ['REMOVE x.y', path],
    ['ADD m.gone.y :n', path],
    ['SET x = gone', missing],
    ['SET i = gone + :n', missing],
    ['SET i = i + m.gone', missing],
    ['SET l = list_append(gone, :list)', missing],
    ['SET x = if_not_exists(gone, gone2)', missing],
    ['SET i = x + :n', operand],
    ['SET i = i + y', operand],
    ['SET l = list_append(x, :list)', operand],
    ['ADD x :n', operand],
    ['ADD i :ss', operand],
    ['ADD ss :ns', operand],
    ['ADD ss :n', operand],
    ['DELETE ss :ns', operand],
    ['DELETE i :ss', operand],
    ['SET i = :huge + :huge', overflow],
    ['ADD huge :huge', overflow],
    ['SET q = :n', 'ValidationException: The update expression attempted to update the secondary index key to unsupported type'],
  ])('that is %s', async (expression, expected) => {
    const key = newKey();
    const item = { ...key, ...before, huge: { N: '9e125' } };
    await call('PutItem', { TableName, Item: item });
    await expectRefusal('UpdateItem', update(key, expression), expected);
    // Nothing of it is done.
    expect(sortSets(await read(key))).toEqual({ ...item, huge: { N: `9${'0'.repeat(125)}` } });
  });

  it('when a result has more than 38 digits', async () => {
    const key = newKey();
    await call('PutItem', { TableName, Item: { ...key, i: { N: '0.1' } } });
    await expectRefusal('UpdateItem', update(key, 'ADD i :big'), 'ValidationException');
  });
});
