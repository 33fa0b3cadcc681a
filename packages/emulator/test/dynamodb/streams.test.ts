import { beforeAll, describe, expect, it, vi } from 'vitest';
import {
  call,
  createTable,
  expectRefusal,
  uniqueName,
  useDynamoDb,
  type Answer,
  type Item,
  type Shard,
  type StreamRecord,
} from '../support/dynamodb-service.ts';

useDynamoDb();

const key = (p: string): Item => ({ p: { S: p } });
const put = (TableName: string, Item: Item) => call('PutItem', { TableName, Item });
const arnOf = async (TableName: string) => (await call('ListStreams', { TableName })).Streams![0]!.StreamArn;
const shardsOf = async (StreamArn: string): Promise<readonly Shard[]> =>
  (await call('DescribeStream', { StreamArn })).StreamDescription!.Shards;
const iterator = async (StreamArn: string, ShardId: string, more: object = { ShardIteratorType: 'TRIM_HORIZON' }) =>
  (await call('GetShardIterator', { StreamArn, ShardId, ...more })).ShardIterator!;

/** Follows an iterator until it has given so many records. */
async function follow(from: string, count: number): Promise<StreamRecord[]> {
  const records: StreamRecord[] = [];
  let next: string | undefined = from;
  await vi.waitFor(
    async () => {
      const { Records = [], NextShardIterator }: Answer = await call('GetRecords', { ShardIterator: next });
      records.push(...Records);
      next = NextShardIterator ?? next;
      if (records.length < count) throw new Error(`${records.length} of ${count} records`);
    },
    { timeout: 10_000, interval: 20 },
  );
  return records;
}
const first = async (StreamArn: string) => (await shardsOf(StreamArn))[0]!.ShardId;
const recordsOf = async (TableName: string, count: number): Promise<StreamRecord[]> => {
  const StreamArn = await arnOf(TableName);
  return follow(await iterator(StreamArn, await first(StreamArn)), count);
};
const told = (records: readonly StreamRecord[]) => records.map(({ eventName, dynamodb }) => [eventName, dynamodb.Keys['p']!['S']]);

describe('the records of a table', () => {
  it('tell of inserts, changes and removals, in their order, and of nothing else', async () => {
    const TableName = await createTable({ keys: { p: 'S' }, stream: 'NEW_AND_OLD_IMAGES' });
    const input = { TableName, Key: key('a') };
    const set = { UpdateExpression: 'SET x = :x', ExpressionAttributeValues: { ':x': { N: '1' } } };
    await put(TableName, key('a'));
    // A write that changes nothing leaves no record.
    await put(TableName, key('a'));
    await call('UpdateItem', { ...input, ...set });
    await call('UpdateItem', { ...input, ...set });
    await put(TableName, { ...key('a'), x: { N: '1' } });
    await call('UpdateItem', { TableName, Key: key('b') });
    await call('DeleteItem', input);
    await call('DeleteItem', input);
    await put(TableName, key('last'));
    const records = await recordsOf(TableName, 5);
    expect(told(records)).toEqual([
      ['INSERT', 'a'],
      ['MODIFY', 'a'],
      ['INSERT', 'b'],
      ['REMOVE', 'a'],
      ['INSERT', 'last'],
    ]);
    const [inserted, changed, , removed] = records.map(({ dynamodb }) => dynamodb);
    expect(inserted).toMatchObject({ NewImage: key('a') });
    expect(inserted).not.toHaveProperty('OldImage');
    expect(changed).toMatchObject({ OldImage: key('a'), NewImage: { ...key('a'), x: { N: '1' } } });
    expect(removed).toMatchObject({ OldImage: { ...key('a'), x: { N: '1' } } });
    expect(removed).not.toHaveProperty('NewImage');
    // Bytes of the keys and of the images.
    expect([inserted, changed, removed].map((record) => record!.SizeBytes)).toEqual([4, 9, 7]);
  });

  it('hold numbers as they are read', async () => {
    const TableName = await createTable({ keys: { p: 'S' }, stream: 'NEW_IMAGE' });
    const set = { UpdateExpression: 'SET x = :x', ExpressionAttributeValues: { ':x': { N: '1.0' } } };
    await call('UpdateItem', { TableName, Key: key('a'), ...set });
    const [record] = await recordsOf(TableName, 1);
    expect(record!.dynamodb.NewImage).toEqual({ ...key('a'), x: { N: '1' } });
  });

  it('have what AWS writes', async () => {
    const TableName = await createTable({ keys: { p: 'S' }, stream: 'NEW_IMAGE' });
    await put(TableName, key('a'));
    await put(TableName, key('b'));
    const records = await recordsOf(TableName, 2);
    const numbers = records.map(({ dynamodb }) => dynamodb.SequenceNumber);
    for (const record of records) {
      expect(record).toMatchObject({
        eventID: expect.any(String),
        eventVersion: '1.1',
        eventSource: 'aws:dynamodb',
        awsRegion: expect.any(String),
        dynamodb: {
          StreamViewType: 'NEW_IMAGE',
          ApproximateCreationDateTime: expect.any(Number),
          SequenceNumber: expect.stringMatching(/^\d{21,40}$/),
        },
      });
      // In seconds.
      expect(Math.abs(record.dynamodb.ApproximateCreationDateTime - Date.now() / 1000)).toBeLessThan(120);
    }
    expect(BigInt(numbers[1]!)).toBeGreaterThan(BigInt(numbers[0]!));
    expect(new Set(records.map(({ eventID }) => eventID)).size).toBe(2);
  });

  it.each([
    ['KEYS_ONLY', false, false],
    ['NEW_IMAGE', true, false],
    ['OLD_IMAGE', false, true],
    ['NEW_AND_OLD_IMAGES', true, true],
  ] as const)('hold what %s says', async (stream, news, old) => {
    const TableName = await createTable({ keys: { p: 'S', s: 'N' }, stream });
    const keys = { ...key('a'), s: { N: '1' } };
    await put(TableName, { ...keys, x: { S: 'old' } });
    await put(TableName, { ...keys, x: { S: 'new' } });
    const { dynamodb } = (await recordsOf(TableName, 2))[1]!;
    expect(dynamodb).toMatchObject({ Keys: keys, StreamViewType: stream });
    expect(dynamodb.NewImage).toEqual(news ? { ...keys, x: { S: 'new' } } : undefined);
    expect(dynamodb.OldImage).toEqual(old ? { ...keys, x: { S: 'old' } } : undefined);
  });

  it('come from batches and transactions too, and not from what failed', async () => {
    const TableName = await createTable({ keys: { p: 'S' }, stream: 'NEW_AND_OLD_IMAGES' });
    await put(TableName, key('there'));
    await call('BatchWriteItem', {
      RequestItems: { [TableName]: [{ PutRequest: { Item: key('batch') } }] },
    });
    await call('TransactWriteItems', {
      TransactItems: [
        { Put: { TableName, Item: key('put') } },
        { Update: { TableName, Key: key('there'), UpdateExpression: 'SET x = :x', ExpressionAttributeValues: { ':x': { N: '1' } } } },
        { Delete: { TableName, Key: key('batch') } },
        { ConditionCheck: { TableName, Key: key('checked'), ConditionExpression: 'attribute_not_exists(p)' } },
      ],
    });
    const failing = { TableName, Item: key('failed'), ConditionExpression: 'attribute_exists(p)' };
    await expectRefusal('PutItem', failing, 'ConditionalCheckFailedException');
    await expectRefusal(
      'TransactWriteItems',
      { TransactItems: [{ Put: { TableName, Item: key('cancelled') } }, { Put: failing }] },
      'TransactionCanceledException',
    );
    await put(TableName, key('last'));
    const records = told(await recordsOf(TableName, 6));
    expect(records.slice(0, 2)).toEqual([
      ['INSERT', 'there'],
      ['INSERT', 'batch'],
    ]);
    // Those of one transaction come in any order.
    expect(records.slice(2, 5).toSorted()).toEqual([
      ['INSERT', 'put'],
      ['MODIFY', 'there'],
      ['REMOVE', 'batch'],
    ]);
    expect(records.slice(5)).toEqual([['INSERT', 'last']]);
  });
});

describe('a shard', () => {
  let TableName: string;
  let StreamArn: string;
  let ShardId: string;
  let numbers: string[];
  beforeAll(async () => {
    TableName = await createTable({ keys: { p: 'S' }, stream: 'KEYS_ONLY' });
    StreamArn = await arnOf(TableName);
    ShardId = await first(StreamArn);
    for (const p of ['a', 'b', 'c', 'd', 'e']) await put(TableName, key(p));
    numbers = (await recordsOf(TableName, 5)).map(({ dynamodb }) => dynamodb.SequenceNumber);
  });
  const names = (records: readonly StreamRecord[] = []) => records.map(({ dynamodb }) => dynamodb.Keys['p']!['S']);

  it('is described', async () => {
    const { StreamDescription } = await call('DescribeStream', { StreamArn });
    expect(StreamDescription).toMatchObject({
      StreamArn,
      TableName,
      StreamStatus: 'ENABLED',
      StreamViewType: 'KEYS_ONLY',
      StreamLabel: StreamArn.slice(StreamArn.lastIndexOf('/') + 1),
      CreationRequestDateTime: expect.any(Number),
      KeySchema: [{ AttributeName: 'p', KeyType: 'HASH' }],
    });
    const [shard] = StreamDescription!.Shards;
    expect(shard!.ShardId.length).toBeGreaterThanOrEqual(28);
    expect(shard!.SequenceNumberRange.StartingSequenceNumber).toMatch(/^\d{21,40}$/);
    // It is open.
    expect(shard!.SequenceNumberRange).not.toHaveProperty('EndingSequenceNumber');
    expect(BigInt(shard!.SequenceNumberRange.StartingSequenceNumber)).toBeLessThanOrEqual(BigInt(numbers[0]!));
  });

  it('is listed behind another one', async () => {
    const { StreamDescription } = await call('DescribeStream', { StreamArn, ExclusiveStartShardId: ShardId });
    expect(StreamDescription!.Shards).toEqual([]);
  });

  it('is read from its start, from a number, behind it, and from its end', async () => {
    const SequenceNumber = numbers[2];
    expect(names(await follow(await iterator(StreamArn, ShardId), 5))).toEqual(['a', 'b', 'c', 'd', 'e']);
    const at = await iterator(StreamArn, ShardId, { ShardIteratorType: 'AT_SEQUENCE_NUMBER', SequenceNumber });
    expect(names(await follow(at, 3))).toEqual(['c', 'd', 'e']);
    const after = await iterator(StreamArn, ShardId, { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber });
    expect(names(await follow(after, 2))).toEqual(['d', 'e']);
    const latest = await iterator(StreamArn, ShardId, { ShardIteratorType: 'LATEST' });
    expect((await call('GetRecords', { ShardIterator: latest })).Records).toEqual([]);
  });

  it('is read in pages', async () => {
    const from = await iterator(StreamArn, ShardId);
    const one = await call('GetRecords', { ShardIterator: from, Limit: 2 });
    const two = await call('GetRecords', { ShardIterator: one.NextShardIterator, Limit: 2 });
    const three = await call('GetRecords', { ShardIterator: two.NextShardIterator });
    expect([one, two, three].map(({ Records }) => names(Records))).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
    // An iterator can be used again.
    expect(names((await call('GetRecords', { ShardIterator: from, Limit: 1 })).Records)).toEqual(['a']);
    // At the end of an open shard there is always a next one.
    const end = await call('GetRecords', { ShardIterator: three.NextShardIterator });
    expect(end).toEqual({ Records: [], NextShardIterator: expect.any(String) });
  });

  it('gives an iterator at its end what comes later', async () => {
    const table = await createTable({ keys: { p: 'S' }, stream: 'KEYS_ONLY' });
    await put(table, key('before'));
    await recordsOf(table, 1);
    const arn = await arnOf(table);
    const latest = await iterator(arn, await first(arn), { ShardIteratorType: 'LATEST' });
    await put(table, key('after'));
    expect(names(await follow(latest, 1))).toEqual(['after']);
  });

  it.each<[string, object | (() => object), string]>([
    ['an unknown type', { ShardIteratorType: 'SOME' }, 'ValidationException'],
    ['no type', { ShardIteratorType: undefined }, 'ValidationException'],
    ['no number where one is needed', { ShardIteratorType: 'AT_SEQUENCE_NUMBER' }, 'ValidationException'],
    ['a number where none is needed', () => ({ ShardIteratorType: 'LATEST', SequenceNumber: numbers[0] }), 'ValidationException'],
    [
      'a short number',
      { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '1' },
      "ValidationException: 1 validation error detected: Value '1' at 'sequenceNumber' failed to satisfy constraint: Member must have length greater than or equal to 21",
    ],
    ['an unknown shard', { ShardIteratorType: 'LATEST', ShardId: 'shardId-00000000000000000000-00000000' }, 'ResourceNotFoundException'],
    ['an unknown stream', () => ({ ShardIteratorType: 'LATEST', StreamArn: `${StreamArn.slice(0, -1)}x` }), 'ResourceNotFoundException'],
  ])('gives no iterator for %s', (_, more, expected) =>
    expectRefusal('GetShardIterator', { StreamArn, ShardId, ...(typeof more === 'function' ? more() : more) }, expected),
  );

  it.each([0, 1001])('gives no page of %d records', async (Limit) => {
    await expectRefusal('GetRecords', { ShardIterator: await iterator(StreamArn, ShardId), Limit }, 'ValidationException');
  });

  it('is not read by an iterator that is none', async () => {
    await expectRefusal('GetRecords', { ShardIterator: 'nothing' }, 'ValidationException: Invalid ShardIterator');
    await expectRefusal('GetRecords', {}, 'ValidationException');
  });

  it('that is closed is read to its end, and has no next iterator there', async () => {
    const table = await createTable({ keys: { p: 'S' }, stream: 'KEYS_ONLY' });
    await put(table, key('a'));
    const arn = await arnOf(table);
    await call('UpdateTable', { TableName: table, StreamSpecification: { StreamEnabled: false } });
    await vi.waitFor(
      async () => {
        const { StreamDescription } = await call('DescribeStream', { StreamArn: arn });
        expect(StreamDescription!.StreamStatus).toBe('DISABLED');
        expect(StreamDescription!.Shards[0]!.SequenceNumberRange.EndingSequenceNumber).toMatch(/^\d{21,40}$/);
      },
      { timeout: 10_000, interval: 20 },
    );
    let next: string | undefined = await iterator(arn, await first(arn));
    const read: unknown[] = [];
    while (next !== undefined) {
      const page: Answer = await call('GetRecords', { ShardIterator: next });
      read.push(...names(page.Records));
      next = page.NextShardIterator;
    }
    expect(read).toEqual(['a']);
  });
});

describe('a stream', () => {
  it('is listed by its table, or among all in pages', async () => {
    const TableName = await createTable({ keys: { p: 'S' }, stream: 'KEYS_ONLY' });
    await createTable({ keys: { p: 'S' }, stream: 'KEYS_ONLY' });
    const { Table } = await call('DescribeTable', { TableName });
    const { Streams } = await call('ListStreams', { TableName });
    expect(Streams).toEqual([{ TableName, StreamArn: Table?.['LatestStreamArn'], StreamLabel: Table?.['LatestStreamLabel'] }]);
    const all: string[] = [];
    let ExclusiveStartStreamArn: unknown;
    do {
      const page = await call('ListStreams', { Limit: 1, ExclusiveStartStreamArn });
      all.push(...page.Streams!.map(({ StreamArn }) => StreamArn));
      ExclusiveStartStreamArn = page['LastEvaluatedStreamArn'];
    } while (ExclusiveStartStreamArn);
    expect(all).toContain(Streams![0]!.StreamArn);
    expect(new Set(all).size).toBe(all.length);
  });

  it('is not there for a table without one', async () => {
    const TableName = await createTable({ keys: { p: 'S' } });
    expect((await call('ListStreams', { TableName })).Streams).toEqual([]);
    expect((await call('ListStreams', { TableName: uniqueName('missing') })).Streams).toEqual([]);
  });

  it('that is unknown is not described', async () => {
    const TableName = await createTable({ keys: { p: 'S' }, stream: 'KEYS_ONLY' });
    const StreamArn = `${(await arnOf(TableName)).slice(0, -3)}999`.replace(TableName, 'no-such-table');
    await expectRefusal(
      'DescribeStream',
      { StreamArn },
      `ResourceNotFoundException: Requested resource not found: Stream: ${StreamArn} not found`,
    );
  });

  it('can be read after its table is gone', async () => {
    const TableName = await createTable({ keys: { p: 'S' }, stream: 'KEYS_ONLY' });
    await put(TableName, key('a'));
    const StreamArn = await arnOf(TableName);
    const ShardId = await first(StreamArn);
    await call('DeleteTable', { TableName });
    await vi.waitFor(async () => {
      expect((await call('DescribeStream', { StreamArn })).StreamDescription!.StreamStatus).toMatch(/^DISABL(ED|ING)$/);
    });
    expect(told(await follow(await iterator(StreamArn, ShardId), 1))).toEqual([['INSERT', 'a']]);
  });
});
