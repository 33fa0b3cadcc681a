import { describe, expect, it, vi } from 'vitest';
import { call, createTable, expectRefusal, keySchema, uniqueName, useDynamoDb } from '../support/dynamodb-service.ts';

useDynamoDb();

const define = (types: Readonly<Record<string, string>>) =>
  Object.entries(types).map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType }));
const index = (IndexName: string, keys: readonly string[], Projection: unknown = { ProjectionType: 'ALL' }) => ({
  IndexName,
  KeySchema: keySchema(...keys),
  Projection,
});
const base = {
  KeySchema: keySchema('p', 's'),
  AttributeDefinitions: define({ p: 'S', s: 'N' }),
  BillingMode: 'PAY_PER_REQUEST',
};
const invalid = 'ValidationException: One or more parameter values were invalid:';
const missing = 'ResourceNotFoundException: Requested resource not found: Table: <table> not found';

describe('CreateTable', () => {
  it('describes the table with its indexes and its stream', async () => {
    const TableName = await createTable({
      keys: { p: 'S', s: 'N' },
      indexes: {
        all: { keys: { q: 'B', r: 'S' } },
        keysOnly: { keys: { q: 'B' }, projection: 'KEYS_ONLY' },
        included: { keys: { r: 'S' }, projection: ['x', 'y'] },
      },
      localIndexes: { local: { keys: { p: 'S', r: 'S' } } },
      stream: 'NEW_AND_OLD_IMAGES',
    });
    const { Table } = await call('DescribeTable', { TableName });
    expect(Table).toMatchObject({
      TableName,
      TableStatus: 'ACTIVE',
      TableArn: expect.stringMatching(new RegExp(`^arn:aws:dynamodb:[^:]+:\\d{12}:table/${TableName}$`)),
      CreationDateTime: expect.any(Number),
      ItemCount: 0,
      TableSizeBytes: 0,
      KeySchema: keySchema('p', 's'),
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      ProvisionedThroughput: { ReadCapacityUnits: 0, WriteCapacityUnits: 0, NumberOfDecreasesToday: 0 },
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      LatestStreamLabel: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}$/),
      LatestStreamArn: expect.stringMatching(new RegExp(`:table/${TableName}/stream/\\d{4}-`)),
      LocalSecondaryIndexes: [{ ...index('local', ['p', 'r']), IndexSizeBytes: 0, ItemCount: 0, IndexArn: expect.any(String) }],
      DeletionProtectionEnabled: false,
    });
    expect(new Set(Table?.['AttributeDefinitions'] as unknown[])).toEqual(new Set(define({ p: 'S', s: 'N', q: 'B', r: 'S' })));
    const indexes = Table?.['GlobalSecondaryIndexes'] as { IndexName: string }[];
    expect(indexes.toSorted((one, other) => (one.IndexName < other.IndexName ? -1 : 1))).toMatchObject([
      { ...index('all', ['q', 'r']), IndexStatus: 'ACTIVE', IndexArn: expect.stringContaining(`:table/${TableName}/index/all`) },
      { IndexName: 'included', Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: expect.arrayContaining(['x', 'y']) } },
      { IndexName: 'keysOnly', Projection: { ProjectionType: 'KEYS_ONLY' } },
    ]);
  });

  it('takes provisioned throughput, also as the default', async () => {
    const ProvisionedThroughput = { ReadCapacityUnits: 3, WriteCapacityUnits: 4 };
    for (const BillingMode of ['PROVISIONED', undefined]) {
      const TableName = uniqueName('engine');
      await call('CreateTable', { ...base, TableName, BillingMode, ProvisionedThroughput });
      expect((await call('DescribeTable', { TableName })).Table).toMatchObject({ ProvisionedThroughput });
      await call('DeleteTable', { TableName });
    }
  });

  it('is refused for a name that exists', async () => {
    const TableName = await createTable({ keys: { p: 'S' } });
    await expectRefusal('CreateTable', { ...base, TableName }, 'ResourceInUseException: Table already exists: <table>');
  });

  const anIndex = (keys: readonly string[], projection?: unknown) => ({ GlobalSecondaryIndexes: [index('one', keys, projection)] });
  it.each<[string, Record<string, unknown>, string]>([
    ['no name', { TableName: undefined }, "ValidationException: The parameter 'TableName' is required but was not present in the request"],
    [
      'a short name',
      { TableName: 'ab' },
      "ValidationException: 1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
    ],
    ['a long name', { TableName: 'a'.repeat(256) }, 'ValidationException'],
    ['a name with a blank', { TableName: 'a b c' }, 'ValidationException'],
    ['no keys', { KeySchema: undefined }, 'ValidationException'],
    ['an empty key schema', { KeySchema: [] }, 'ValidationException'],
    ['no attribute definitions', { AttributeDefinitions: undefined }, 'ValidationException'],
    [
      'a key without definition',
      { KeySchema: keySchema('p', 'x') },
      `${invalid} Some index key attributes are not defined in AttributeDefinitions. Keys: [p, x], AttributeDefinitions: [p, s]`,
    ],
    [
      'fewer definitions than keys',
      { AttributeDefinitions: define({ p: 'S' }) },
      'ValidationException: Invalid KeySchema: Some index key attribute have no definition',
    ],
    [
      'a definition that no key uses',
      { KeySchema: keySchema('p') },
      `${invalid} Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions`,
    ],
    [
      'a definition that no key of table or index uses',
      { AttributeDefinitions: define({ p: 'S', s: 'N', q: 'S', z: 'S' }), ...anIndex(['q']) },
      'ValidationException',
    ],
    [
      'an attribute that is defined twice',
      { AttributeDefinitions: [...base.AttributeDefinitions, { AttributeName: 'p', AttributeType: 'S' }] },
      'ValidationException',
    ],
    [
      'a first key that is no hash key',
      { KeySchema: keySchema('p', 's').toReversed() },
      'ValidationException: Invalid KeySchema: The first KeySchemaElement is not a HASH key type',
    ],
    [
      'two hash keys',
      { KeySchema: ['p', 's'].map((AttributeName) => ({ AttributeName, KeyType: 'HASH' })) },
      'ValidationException: Invalid KeySchema: The second KeySchemaElement is not a RANGE key type',
    ],
    [
      'the same attribute for both keys',
      { KeySchema: keySchema('p', 'p') },
      'ValidationException: Both the Hash Key and the Range Key element in the KeySchema have the same name',
    ],
    ['three keys', { KeySchema: keySchema('p', 's', 't') }, 'ValidationException'],
    [
      'an unknown kind of key',
      { KeySchema: [{ AttributeName: 'p', KeyType: 'OTHER' }], AttributeDefinitions: define({ p: 'S' }) },
      "ValidationException: 1 validation error detected: Value 'OTHER' at 'keySchema.1.member.keyType' failed to satisfy constraint: Member must satisfy enum value set: [HASH, RANGE]",
    ],
    [
      'an unknown type of attribute',
      { AttributeDefinitions: define({ p: 'S', s: 'BOOL' }) },
      "ValidationException: 1 validation error detected: Value 'BOOL' at 'attributeDefinitions.2.member.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]",
    ],
    ['an unknown billing mode', { BillingMode: 'FREE' }, 'ValidationException'],
    [
      'provisioned billing without throughput',
      { BillingMode: 'PROVISIONED' },
      `${invalid} ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED`,
    ],
    [
      'throughput with billing per request',
      { ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 } },
      `${invalid} Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST`,
    ],
    ['an empty list of indexes', { GlobalSecondaryIndexes: [] }, `${invalid} List of GlobalSecondaryIndexes is empty`],
    [
      'an index key without definition',
      anIndex(['q']),
      `${invalid} Some index key attributes are not defined in AttributeDefinitions. Keys: [q], AttributeDefinitions: [p, s]`,
    ],
    ['an index with a short name', { GlobalSecondaryIndexes: [index('i', ['s'])] }, 'ValidationException'],
    ['an index without projection', anIndex(['s'], null), 'ValidationException'],
    ['an index with an empty projection', anIndex(['s'], {}), `${invalid} Unknown ProjectionType: null`],
    ['an unknown projection', anIndex(['s'], { ProjectionType: 'SOME' }), 'ValidationException'],
    [
      'attributes with a projection of all',
      anIndex(['s'], { ProjectionType: 'ALL', NonKeyAttributes: ['x'] }),
      `${invalid} ProjectionType is ALL, but NonKeyAttributes is specified`,
    ],
    [
      'an INCLUDE of nothing',
      anIndex(['s'], { ProjectionType: 'INCLUDE' }),
      `${invalid} ProjectionType is INCLUDE, but NonKeyAttributes is not specified`,
    ],
    [
      'two indexes of one name',
      { GlobalSecondaryIndexes: [index('one', ['s']), index('one', ['s'])] },
      `${invalid} Duplicate index name: one`,
    ],
    ['21 indexes', { GlobalSecondaryIndexes: Array.from({ length: 21 }, (_, i) => index(`one${i}`, ['s'])) }, 'ValidationException'],
    [
      'a local index without a sort key of the table',
      { KeySchema: keySchema('p'), LocalSecondaryIndexes: [index('one', ['p', 's'])] },
      `${invalid} Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex`,
    ],
    [
      'a local index with another partition key',
      { LocalSecondaryIndexes: [index('one', ['s', 'p'])] },
      `${invalid} Index KeySchema does not have the same leading hash key as table KeySchema for index: one. index hash key: s, table hash key: p`,
    ],
    [
      'a local index without a sort key',
      { LocalSecondaryIndexes: [index('one', ['p'])] },
      `${invalid} Index KeySchema does not have a range key for index: one`,
    ],
    ['a stream without a view type', { StreamSpecification: { StreamEnabled: true } }, 'ValidationException'],
    ['a view type without a stream', { StreamSpecification: { StreamEnabled: false, StreamViewType: 'NEW_IMAGE' } }, 'ValidationException'],
    ['an unknown view type', { StreamSpecification: { StreamEnabled: true, StreamViewType: 'ALL' } }, 'ValidationException'],
  ])('is refused with %s', (_, change, expected) =>
    expectRefusal('CreateTable', { ...base, TableName: uniqueName('refused'), ...change }, expected),
  );
});

describe('a table', () => {
  it('is found by its ARN', async () => {
    const TableName = await createTable({ keys: { p: 'S' } });
    const { Table } = await call('DescribeTable', { TableName });
    const answer = await call('DescribeTable', { TableName: Table?.['TableArn'] });
    expect(answer.Table?.['TableName']).toBe(TableName);
  });

  it('is gone after DeleteTable, and its name is free', async () => {
    const TableName = uniqueName('engine');
    await call('CreateTable', { ...base, TableName });
    await call('PutItem', { TableName, Item: { p: { S: 'a' }, s: { N: '1' } } });
    expect((await call('DeleteTable', { TableName })).TableDescription?.['TableName']).toBe(TableName);
    await vi.waitFor(() => expectRefusal('DescribeTable', { TableName }, missing));
    await expectRefusal('DeleteTable', { TableName }, missing);
    await call('CreateTable', { ...base, TableName });
    expect(await call('Scan', { TableName })).toMatchObject({ Items: [], Count: 0 });
    await call('DeleteTable', { TableName });
  });

  it('counts its items', async () => {
    const TableName = await createTable({ keys: { p: 'S' } });
    await call('PutItem', { TableName, Item: { p: { S: 'a' } } });
    // AWS brings the numbers up to date every six hours.
    expect((await call('DescribeTable', { TableName })).Table).toMatchObject({
      ItemCount: expect.any(Number),
      TableSizeBytes: expect.any(Number),
    });
  });

  const found = 'ResourceNotFoundException: Requested resource not found';
  it.each<[string, Record<string, unknown>, string]>([
    ['DescribeTable', {}, missing],
    ['DeleteTable', {}, missing],
    ['DescribeTimeToLive', {}, missing],
    ['UpdateTimeToLive', { TimeToLiveSpecification: { AttributeName: 'e', Enabled: true } }, missing],
    ['UpdateTable', { BillingMode: 'PAY_PER_REQUEST' }, missing],
    ['GetItem', { Key: { p: { S: 'a' } } }, found],
    ['PutItem', { Item: { p: { S: 'a' } } }, found],
    ['UpdateItem', { Key: { p: { S: 'a' } } }, found],
    ['DeleteItem', { Key: { p: { S: 'a' } } }, found],
    ['Query', { KeyConditionExpression: 'p = :p', ExpressionAttributeValues: { ':p': { S: 'a' } } }, found],
    ['Scan', {}, found],
  ])('must exist for %s', (operation, input, expected) =>
    expectRefusal(operation, { TableName: uniqueName('missing'), ...input }, expected),
  );

  it.each(['GetItem', 'PutItem', 'Query', 'Scan', 'BatchGetItem', 'TransactWriteItems'])('must be named for %s', (operation) =>
    expectRefusal(operation, {}, 'ValidationException'),
  );
});

describe('ListTables', () => {
  it('lists in the order of the names, in pages', async () => {
    const prefix = uniqueName('list');
    const names = ['a', 'b', 'c'].map((letter) => `${prefix}-${letter}`);
    for (const TableName of names.toReversed()) await call('CreateTable', { ...base, TableName });
    const first = await call('ListTables', { ExclusiveStartTableName: prefix, Limit: 2 });
    expect(first).toEqual({ TableNames: names.slice(0, 2), LastEvaluatedTableName: names[1] });
    // The start need not exist (any more).
    await call('DeleteTable', { TableName: names[1] });
    const second = await call('ListTables', { ExclusiveStartTableName: names[1], Limit: 1 });
    expect(second.TableNames).toEqual([names[2]]);
    expect((await call('ListTables', {})).TableNames).toEqual(expect.arrayContaining([names[0], names[2]]));
    for (const TableName of [names[0], names[2]]) await call('DeleteTable', { TableName });
  });

  it('ends without LastEvaluatedTableName', async () => {
    const answer = await call('ListTables', { ExclusiveStartTableName: 'zzzzzzzz' });
    expect(answer).toEqual({ TableNames: [] });
  });

  it.each([0, 101])('is refused with a limit of %d', (Limit) => expectRefusal('ListTables', { Limit }, 'ValidationException'));
});

describe('a time to live', () => {
  it('is enabled and described', async () => {
    const TableName = await createTable({ keys: { p: 'S' } });
    expect(await call('DescribeTimeToLive', { TableName })).toEqual({ TimeToLiveDescription: { TimeToLiveStatus: 'DISABLED' } });
    const set = (AttributeName: string, Enabled: boolean) => ({ TableName, TimeToLiveSpecification: { AttributeName, Enabled } });
    await expectRefusal('UpdateTimeToLive', set('e', false), 'ValidationException: TimeToLive is already disabled');
    expect(await call('UpdateTimeToLive', set('e', true))).toEqual({ TimeToLiveSpecification: { AttributeName: 'e', Enabled: true } });
    expect(await call('DescribeTimeToLive', { TableName })).toEqual({
      // AWS is ENABLING for up to an hour.
      TimeToLiveDescription: { TimeToLiveStatus: expect.stringMatching(/^ENABL(ED|ING)$/), AttributeName: 'e' },
    });
    await expectRefusal('UpdateTimeToLive', set('e', true), 'ValidationException: TimeToLive is already enabled');
    await expectRefusal('UpdateTimeToLive', set('f', true), 'ValidationException: TimeToLive is active on a different AttributeName');
  });
});

describe('UpdateTable', () => {
  it('turns a stream on and off', async () => {
    const TableName = await createTable({ keys: { p: 'S' } });
    const stream = (StreamSpecification: unknown) => ({ TableName, StreamSpecification });
    await expectRefusal('UpdateTable', stream({ StreamEnabled: false }), 'ValidationException');
    const on = { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' };
    await call('UpdateTable', stream(on));
    const described = async () => (await call('DescribeTable', { TableName })).Table;
    await vi.waitFor(async () => expect(await described()).toMatchObject({ TableStatus: 'ACTIVE', StreamSpecification: on }));
    await expectRefusal('UpdateTable', stream(on), 'ValidationException');
    const arn = (await described())?.['LatestStreamArn'];
    await call('UpdateTable', stream({ StreamEnabled: false }));
    await vi.waitFor(async () => expect((await described())?.['TableStatus']).toBe('ACTIVE'));
    expect(await described()).not.toHaveProperty('StreamSpecification');
    // The old stream can be read for a day.
    expect(await described()).toHaveProperty('LatestStreamArn', arn);
  });

  it('is refused when it changes nothing', async () => {
    const TableName = await createTable({ keys: { p: 'S' } });
    await expectRefusal('UpdateTable', { TableName }, 'ValidationException');
  });
});

describe('an operation', () => {
  it('that does not exist is refused', () => expectRefusal('CreateNothing', {}, 'UnknownOperationException'));
});
