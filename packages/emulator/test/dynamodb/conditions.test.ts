import { beforeAll, describe, expect, it } from 'vitest';
import { call, createTable, expectRefusal, useDynamoDb, type Item, type Value } from '../support/dynamodb-service.ts';

useDynamoDb();

const item: Item = {
  p: { S: 'a' },
  txt: { S: 'hello' },
  blank: { S: '' },
  num: { N: '5' },
  neg: { N: '-5' },
  bin: { B: 'AAEC' },
  yes: { BOOL: true },
  nothing: { NULL: true },
  strs: { SS: ['x', 'y'] },
  nums: { NS: ['1', '2.0'] },
  bins: { BS: ['AQ==', 'Ag=='] },
  l: { L: [{ S: 'zero' }, { N: '1' }, { M: { deep: { S: 'value' } } }, { L: [{ N: '7' }] }] },
  m: { M: { i: { N: '1' }, 'a.b': { S: 'dotted' }, j: { M: { k: { L: [{ S: 'k0' }] } } } } },
};

let TableName: string;
beforeAll(async () => {
  TableName = await createTable({ keys: { p: 'S' } });
  await call('PutItem', { TableName, Item: item });
});

const values: Readonly<Record<string, Value>> = {
  ':hello': { S: 'hello' },
  ':he': { S: 'he' },
  ':x': { S: 'x' },
  ':z': { S: 'z' },
  ':none': { S: '' },
  ':n1': { N: '1' },
  ':n2': { N: '2' },
  ':n3': { N: '3' },
  ':n5': { N: '5' },
  ':n50': { N: '5.0' },
  ':n9': { N: '9' },
  ':bin': { B: 'AAEC' },
  ':bin0': { B: 'AAA=' },
  ':bin1': { B: 'AQ==' },
  ':sub': { B: 'AQI=' },
  ':t': { BOOL: true },
  ':f': { BOOL: false },
  ':null': { NULL: true },
  ':yx': { SS: ['y', 'x'] },
  ':deep': { M: { deep: { S: 'value' } } },
  ':S': { S: 'S' },
  ':N': { S: 'N' },
  ':SS': { S: 'SS' },
  ':L': { S: 'L' },
  ':M': { S: 'M' },
  ':BOOL': { S: 'BOOL' },
  ':NULL': { S: 'NULL' },
  ':B': { S: 'B' },
  ':list': { L: [] },
};
const names: Readonly<Record<string, string>> = { '#text': 'txt', '#m': 'm', '#dotted': 'a.b', '#gone': 'gone' };

/** Only what the expression uses, since everything else is refused. */
const used = <T>(of: Readonly<Record<string, T>>, expression: string): Record<string, T> | undefined => {
  const words = new Set(expression.match(/[:#][A-Za-z0-9_]+/g) ?? []);
  const entries = Object.entries(of).filter(([name]) => words.has(name));
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
};
const placeholders = (expression: string) => ({
  ExpressionAttributeNames: used(names, expression),
  ExpressionAttributeValues: used(values, expression),
});
const holds = async (ConditionExpression: string): Promise<boolean> => {
  const input = { TableName, Key: { p: item['p'] }, ConditionExpression, ...placeholders(ConditionExpression) };
  return call('UpdateItem', input).then(
    () => true,
    (error: Error) => {
      if (error.name === 'ConditionalCheckFailedException') return false;
      throw error;
    },
  );
};

it.each<[string, boolean]>([
  // Comparators
  ['txt = :hello', true],
  ['txt <> :hello', false],
  [':hello = txt', true],
  ['num = :n50', true],
  ['num < :n9', true],
  ['num < :n5', false],
  ['num <= :n5', true],
  ['num > :n3', true],
  ['num >= :n5', true],
  ['neg < num', true],
  ['txt < :z', true],
  ['txt > :he', true],
  ['blank = :none', true],
  ['blank < txt', true],
  ['bin = :bin', true],
  ['bin > :bin0', true],
  ['yes = :t', true],
  ['yes = :f', false],
  ['nothing = :null', true],
  ['strs = :yx', true],
  ['l[2] = :deep', true],
  // Of different types: not equal, and nothing else
  ['txt = :n5', false],
  ['txt <> :n5', true],
  ['num < :hello', false],
  ['num > :hello', false],
  ['yes = :null', false],
  // What is not there is equal to nothing, and not to nothing either
  ['gone = :n1', false],
  ['gone <> :n1', true],
  ['gone < :n1', false],
  ['gone = absent', false],
  ['gone <> absent', true],
  // BETWEEN and IN
  ['num BETWEEN :n5 AND :n9', true],
  ['num BETWEEN :n1 AND :n3', false],
  ['num between :n1 and :n5', true],
  [':n3 BETWEEN m.i AND num', true],
  ['txt BETWEEN :he AND :z', true],
  ['txt BETWEEN :n1 AND :n9', false],
  ['gone BETWEEN :n1 AND :n9', false],
  ['num IN (:n5)', true],
  ['num IN (:n1, :n50)', true],
  ['num IN (:n1, :hello)', false],
  ['txt in (:hello, num)', true],
  ['gone IN (:n1)', false],
  [':n1 IN (num, m.i)', true],
  // Functions
  ['attribute_exists(txt)', true],
  ['attribute_exists(blank)', true],
  ['attribute_exists(nothing)', true],
  ['attribute_exists(gone)', false],
  ['attribute_exists(m.i)', true],
  ['attribute_exists(m.gone)', false],
  ['attribute_exists(txt.i)', false],
  ['attribute_exists(l[1])', true],
  ['attribute_exists(l[9])', false],
  ['attribute_exists(m[0])', false],
  ['attribute_exists(l.i)', false],
  ['attribute_not_exists(gone)', true],
  ['attribute_not_exists(m.gone.further)', true],
  ['attribute_not_exists(p)', false],
  ['attribute_type(txt, :S)', true],
  ['attribute_type(txt, :N)', false],
  ['attribute_type(num, :N)', true],
  ['attribute_type(bin, :B)', true],
  ['attribute_type(strs, :SS)', true],
  ['attribute_type(l, :L)', true],
  ['attribute_type(m, :M)', true],
  ['attribute_type(yes, :BOOL)', true],
  ['attribute_type(nothing, :NULL)', true],
  ['attribute_type(gone, :S)', false],
  ['begins_with(txt, :he)', true],
  ['begins_with(txt, :none)', true],
  ['begins_with(txt, :z)', false],
  ['begins_with(bin, :bin0)', false],
  ['begins_with(num, :he)', false],
  ['begins_with(gone, :he)', false],
  ['contains(txt, :he)', true],
  ['contains(txt, :z)', false],
  ['contains(bin, :sub)', true],
  ['contains(strs, :x)', true],
  ['contains(strs, :z)', false],
  ['contains(strs, :he)', false],
  ['contains(nums, :n2)', true],
  ['contains(nums, :x)', false],
  ['contains(bins, :bin1)', true],
  ['contains(l, :n1)', true],
  ['contains(l, :deep)', true],
  ['contains(l, :hello)', false],
  ['contains(num, :n5)', false],
  ['contains(m, :n1)', false],
  ['contains(gone, :x)', false],
  ['size(txt) = :n5', true],
  ['size(blank) < :n1', true],
  ['size(bin) = :n3', true],
  ['size(strs) = :n2', true],
  ['size(nums) = :n2', true],
  ['size(l) BETWEEN :n3 AND :n5', true],
  ['size(m) = :n3', true],
  ['size(m.j) IN (:n1)', true],
  ['size(txt) > size(strs)', true],
  ['num = size(txt)', true],
  // A size of what has none is not there
  ['size(num) = :n1', false],
  ['size(gone) = :n1', false],
  ['size(gone) < :n1', false],
  // Paths
  ['l[0] <> :hello', true],
  ['l[1] = :n1', true],
  ['l[ 1 ] = :n1', true],
  ['l[3][0] > :n5', true],
  ['l[2].deep <> :x', true],
  ['m.i = l[1]', true],
  ['#m.i = :n1', true],
  ['m.#dotted > :he', false],
  ['begins_with(m.j.k[0], :x)', false],
  ['attribute_exists(#m.#dotted)', true],
  ['#gone = :x', false],
  // Logic: NOT before AND before OR
  ['num = :n5 AND txt = :hello', true],
  ['num = :n5 AND txt = :x', false],
  ['num = :n1 OR txt = :hello', true],
  ['num = :n1 OR txt = :x', false],
  ['NOT num = :n1', true],
  ['not num = :n5', false],
  ['NOT NOT num = :n5', true],
  ['NOT num = :n1 AND txt = :hello', true],
  ['NOT num = :n5 OR txt = :hello', true],
  ['NOT (num = :n5 OR txt = :hello)', false],
  ['num = :n5 OR num = :n1 AND txt = :x', true],
  ['(num = :n5 OR num = :n1) AND txt = :x', false],
  ['num = :n1 AND txt = :x OR yes = :t', true],
  ['num BETWEEN :n1 AND :n9 AND txt = :hello', true],
  ['NOT num BETWEEN :n1 AND :n3', true],
  ['NOT contains(strs, :z) AND size(l) > :n3', true],
  ['(num = :n5)', true],
  ['(attribute_exists(txt))AND(num=:n5)', true],
  ['num=:n5', true],
  ['NOT gone = :n1', true],
])('%s: %s', async (expression, expected) => expect(await holds(expression)).toBe(expected));

it('an item that is not there has no attributes', async () => {
  const attempt = (ConditionExpression: string) =>
    call('DeleteItem', { TableName, Key: { p: { S: 'not there' } }, ConditionExpression, ...placeholders(ConditionExpression) });
  await attempt('attribute_not_exists(p) AND num <> :n1');
  await expect(attempt('num = :n1')).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
});

describe('a reserved word', () => {
  const reserved =
    'ABORT action ADD All and ATTRIBUTE BATCH begin BETWEEN bucket BY capacity CASE column comment condition CONNECTION ' +
    'count CREATE counter data Date day DEFAULT DELETE Domain EMPTY end EXISTS FILTER format FROM FUNCTION group hash HASH ' +
    'hidden hour IF in INDEX interval IS items JOIN key KEYS language LAST level LIKE limit LIST location lock MAP max ' +
    'member min MINUTE month name NOT null NUMBER offset ON OR ORDER output owner OWNER parameter PATH PERCENT plan ' +
    'POSITION projection PUBLIC Query RANGE rank read REGION Remove REPLACE resource response RETURN role ROW scan schema ' +
    'second SECTION SET STATE Status string TABLE text Time timestamp TO TOKEN total TRANSACTION ttl TYPE type UNDER unique ' +
    'UPDATE url USAGE user UUID value VALUES view VIEWS WHEN WHERE with work WRITE year zone';
  const free =
    'id email orderId amount price currency sku customer customerId quantity createdAt updatedAt expiresAt pk sk gsi1 kind payload reason messageId attempt ' +
    'note notes done attributes expires field kill product provider quota version';
  const attempt = (ConditionExpression: string) => call('DeleteItem', { TableName, Key: { p: { S: 'b' } }, ConditionExpression });

  it.each([...new Set(reserved.split(' '))])('is %s, in whatever case', async (word) => {
    for (const name of [word, word.toLowerCase(), word.toUpperCase()]) {
      await expect(attempt(`attribute_not_exists(${name})`)).rejects.toMatchObject({ name: 'ValidationException' });
    }
  });

  it.each(free.split(' '))('is not %s', async (name) => {
    await attempt(`attribute_not_exists(${name})`);
  });
});

describe('a condition is refused when it', () => {
  const wrong = 'ValidationException: Invalid ConditionExpression:';
  const operand = (operator: string, type: string) =>
    `${wrong} Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`;
  const distinct = (operator: string, path: string) =>
    `${wrong} The first operand must be distinct from the remaining operands for this operator or function; operator: ${operator}, first operand: ${path}`;
  const count = (name: string, is: number) =>
    `${wrong} Incorrect number of operands for operator or function; operator or function: ${name}, number of operands: ${is}`;
  it.each([
    ['', `${wrong} The expression can not be empty;`],
    ['num', `${wrong} Syntax error; token: "<EOF>", near: "num"`],
    ['num =', `${wrong} Syntax error; token: "<EOF>", near: "="`],
    ['num == :n1', `${wrong} Syntax error; token: "=", near: "== :n1"`],
    ['num = 5', `${wrong} Syntax error; token: "5", near: "= 5"`],
    ['num = :n1 num = :n1', `${wrong} Syntax error; token: "num", near: ":n1 num ="`],
    ['num ! :n1', `${wrong} Syntax error; token: "!", near: "num ! :n1"`],
    ['(num = :n1', `${wrong} Syntax error; token: "<EOF>", near: ":n1"`],
    ['num = :n1)', `${wrong} Syntax error; token: ")", near: ":n1)"`],
    ['num BETWEEN :n1', `${wrong} Syntax error; token: "<EOF>", near: ":n1"`],
    ['num IN ()', `${wrong} Syntax error; token: ")", near: "()"`],
    ['num IN :n1', `${wrong} Syntax error; token: ":n1", near: "IN :n1"`],
    ['attribute_exists num', `${wrong} Syntax error; token: "num", near: "attribute_exists num"`],
    ['l[:n1] = :n1', `${wrong} Syntax error; token: ":n1", near: "[:n1]"`],
    ['l[-1] = :n1', `${wrong} Syntax error; token: "-", near: "[-1"`],
    ['m. = :n1', `${wrong} Syntax error; token: "=", near: ". = :n1"`],
    ['status = :n1', `${wrong} Attribute name is a reserved keyword; reserved keyword: status`],
    ['m.Name = :n1', `${wrong} Attribute name is a reserved keyword; reserved keyword: Name`],
    ['num = :gone', `${wrong} An expression attribute value used in expression is not defined; attribute value: :gone`],
    ['#unknown = :n1', `${wrong} An expression attribute name used in the document path is not defined; attribute name: #unknown`],
    ['unknown(num)', `${wrong} Invalid function name; function: unknown`],
    ['Attribute_Exists(num)', `${wrong} Invalid function name; function: Attribute_Exists`],
    ['if_not_exists(num, :n1) = :n1', `${wrong} The function is not allowed in a condition expression; function: if_not_exists`],
    ['size(txt)', `${wrong} The function is not allowed to be used this way in an expression; function: size`],
    ['contains(txt, :he) = :t', `${wrong} The function is not allowed to be used this way in an expression; function: contains`],
    ['attribute_exists(num, txt)', count('attribute_exists', 2)],
    ['begins_with(txt)', count('begins_with', 1)],
    ['size(txt, num) = :n1', count('size', 2)],
    ['attribute_exists(:n1)', `${wrong} Operator or function requires a document path; operator or function: attribute_exists`],
    [
      'attribute_not_exists(size(num))',
      `${wrong} Operator or function requires a document path; operator or function: attribute_not_exists`,
    ],
    ['attribute_type(num, :n1)', operand('attribute_type', 'N')],
    ['attribute_type(num, :x)', 'ValidationException'],
    ['attribute_type(num, txt)', 'ValidationException'],
    ['begins_with(txt, :n1)', operand('begins_with', 'N')],
    ['begins_with(:n1, :x)', operand('begins_with', 'N')],
    ['size(:n1) = :n1', operand('size', 'N')],
    ['num < :t', operand('<', 'BOOL')],
    ['num >= :null', operand('>=', 'NULL')],
    ['num > :list', operand('>', 'L')],
    ['num <= :yx', operand('<=', 'SS')],
    ['num BETWEEN :t AND :f', operand('BETWEEN', 'BOOL')],
    [
      'num BETWEEN :n9 AND :n1',
      `${wrong} The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:9}, upper bound operand: AttributeValue: {N:1}`,
    ],
    [
      'num BETWEEN :n1 AND :x',
      `${wrong} The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {S:x}`,
    ],
    ['num = num', distinct('=', '[num]')],
    ['m.i < #m.i', distinct('<', '[m, i]')],
    ['num BETWEEN num AND :n9', distinct('BETWEEN', '[num]')],
    ['num IN (:n1, num)', distinct('IN', '[num]')],
    ['contains(txt, txt)', distinct('contains', '[txt]')],
  ])('is %s', (ConditionExpression, expected) =>
    expectRefusal('DeleteItem', { TableName, Key: { p: { S: 'b' } }, ConditionExpression, ...placeholders(ConditionExpression) }, expected),
  );

  it.each<[string, Record<string, unknown>, string]>([
    [
      'leaves a value unused',
      { ConditionExpression: 'num = :n1', ExpressionAttributeValues: { ':n1': { N: '1' }, ':more': { N: '1' } } },
      'ValidationException: Value provided in ExpressionAttributeValues unused in expressions: keys: {:more}',
    ],
    [
      'leaves a name unused',
      { ConditionExpression: 'attribute_exists(num)', ExpressionAttributeNames: { '#a': 'a' } },
      'ValidationException: Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}',
    ],
    [
      'has no values at all',
      { ConditionExpression: 'attribute_exists(num)', ExpressionAttributeValues: {} },
      'ValidationException: ExpressionAttributeValues must not be empty',
    ],
    [
      'is not there, but its values are',
      { ExpressionAttributeValues: { ':a': { N: '1' } } },
      'ValidationException: ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null',
    ],
    [
      'has a value without colon',
      { ConditionExpression: 'num = :a', ExpressionAttributeValues: { a: { N: '1' } } },
      'ValidationException: ExpressionAttributeValues contains invalid key: Syntax error; key: "a"',
    ],
  ])('%s', (_, input, expected) => expectRefusal('DeleteItem', { TableName, Key: { p: { S: 'b' } }, ...input }, expected));

  const refuse = (ConditionExpression: string, expected: string) =>
    expectRefusal('DeleteItem', { TableName, Key: { p: { S: 'b' } }, ConditionExpression, ...placeholders(ConditionExpression) }, expected);

  it('is longer than 4 KB', async () => {
    const long = (bytes: number) => `attribute_not_exists(${'a'.repeat(200)})`.padEnd(bytes);
    await call('DeleteItem', { TableName, Key: { p: { S: 'b' } }, ConditionExpression: long(4096) });
    await refuse(long(4097), `${wrong} Expression size has exceeded the maximum allowed size; expression size: 4097`);
  });

  it('has more than 300 operators', async () => {
    const many = (operators: number) => ['num = :n9', ...Array.from({ length: (operators - 1) / 2 }, () => 'a<>:n9')].join(' OR ');
    expect(await holds(many(299))).toBe(true);
    await refuse(many(301), `${wrong} The expression contains too many operators; operator count: 301`);
  });

  it('names more than 100 values in IN', async () => {
    const many = (count: number) => `num IN (${Array.from({ length: count }, () => ':n9').join(', ')})`;
    expect(await holds(many(100))).toBe(false);
    await refuse(many(101), 'ValidationException');
  });
});
