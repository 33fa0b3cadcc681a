import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DiskStorage } from '../src/dynamodb/disk.ts';
import { MemoryStorage } from '../src/dynamodb/memory-storage.ts';
import { DynamoDbService } from '../src/dynamodb/service.ts';
import type { DatabaseStorage } from '../src/dynamodb/storage.ts';
import { EmbeddedAws } from '../src/embedded.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

function folder(): string {
  const made = temporaryFolder();
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

let now = Date.UTC(2026, 0, 1);
const location = { region: 'us-east-1', account: '000000000000' };

function open(file: string, problems: string[] = []): EmbeddedAws {
  const engine = new EmbeddedAws({
    file,
    ...location,
    endpoint: () => 'http://localhost:1',
    now: () => now,
    onProblem: (what) => problems.push(what),
  });
  onTestFinished(() => {
    try {
      engine.stop();
    } catch {
      // The test did.
    }
  });
  return engine;
}

const table = {
  TableName: 'things',
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  BillingMode: 'PAY_PER_REQUEST',
  StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
};
const db = (operation: string): string => `DynamoDB_20120810.${operation}`;
const streams = (operation: string): string => `DynamoDBStreams_20120810.${operation}`;
const put = (engine: EmbeddedAws, id: string, more = {}) =>
  engine.call(db('PutItem'), { TableName: 'things', Item: { id: { S: id }, ...more } });

interface Records {
  readonly Records: readonly {
    readonly eventName: string;
    readonly userIdentity?: object;
    readonly dynamodb: { readonly SequenceNumber: string };
  }[];
  readonly NextShardIterator: string;
}

async function iterator(engine: EmbeddedAws, more: object = { ShardIteratorType: 'TRIM_HORIZON' }): Promise<string> {
  const { Streams } = (await engine.call(streams('ListStreams'), {})) as { Streams: { StreamArn: string }[] };
  const { StreamArn } = Streams[0]!;
  const { StreamDescription } = (await engine.call(streams('DescribeStream'), { StreamArn })) as {
    StreamDescription: { Shards: { ShardId: string }[] };
  };
  const { ShardId } = StreamDescription.Shards[0]!;
  return (await engine.call(streams('GetShardIterator'), { StreamArn, ShardId, ...more }))['ShardIterator'] as string;
}
const read = async (engine: EmbeddedAws, ShardIterator: string): Promise<Records> =>
  (await engine.call(streams('GetRecords'), { ShardIterator })) as unknown as Records;

describe('the engine', () => {
  it('opens again with everything that it had acknowledged, and goes on', async () => {
    const file = join(folder(), 'aws.sqlite');
    const first = open(file);
    await first.call(db('CreateTable'), table);
    await put(first, 'a', { n: { N: '12345678901234567890.5' }, s: { NS: ['1', '2'] }, b: { B: 'AQI=' }, m: { M: { $N: { S: 'text' } } } });
    const { QueueUrl } = await first.call('AmazonSQS.CreateQueue', { QueueName: 'work' });
    await first.call('AmazonSQS.SendMessage', { QueueUrl, MessageBody: 'one' });
    await first.call('AmazonSQS.ReceiveMessage', { QueueUrl });
    const [record] = (await read(first, await iterator(first))).Records;
    // Not stopped: as if its process had been killed.
    const second = open(file);
    const { Item } = await second.call(db('GetItem'), { TableName: 'things', Key: { id: { S: 'a' } } });
    expect(Item).toEqual({
      id: { S: 'a' },
      n: { N: '12345678901234567890.5' },
      s: { NS: ['1', '2'] },
      b: { B: 'AQI=' },
      m: { M: { $N: { S: 'text' } } },
    });
    // Who had received it is gone.
    const { Messages } = (await second.call('AmazonSQS.ReceiveMessage', { QueueUrl, MessageSystemAttributeNames: ['All'] })) as {
      Messages: { Body: string; Attributes: object }[];
    };
    expect(Messages).toMatchObject([{ Body: 'one', Attributes: { ApproximateReceiveCount: '2' } }]);
    await put(second, 'b');
    const after = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: record!.dynamodb.SequenceNumber };
    expect((await read(second, await iterator(second, after))).Records).toMatchObject([{ eventName: 'INSERT' }]);
  });

  const ofLayout = (version: number) => (file: string) => {
    const other = new DatabaseSync(file);
    other.exec(`PRAGMA user_version = ${version}`);
    other.close();
  };

  it.each([
    ['something else', (file: string) => writeFileSync(file, 'years of work, but no database'), 'file is not a database'],
    ['the file of another release', ofLayout(99), 'it has layout 99, and this release reads layout 2'],
    ['the layout before', ofLayout(1), 'it has layout 1, and this release reads layout 2'],
  ])('refuses %s by name, and leaves it as it is', (_what, make, expected) => {
    const file = join(folder(), 'aws.sqlite');
    make(file);
    const before = readFileSync(file);
    expect(() => open(file)).toThrow(`${file} cannot be used: ${expected}`);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses a damaged file by name', async () => {
    const file = join(folder(), 'aws.sqlite');
    const engine = open(file);
    await engine.call(db('CreateTable'), table);
    for (let i = 0; i < 200; i++) await put(engine, `id-${i}`, { x: { S: 'x'.repeat(500) } });
    engine.stop();
    const bytes = readFileSync(file);
    bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 8192);
    writeFileSync(file, bytes);
    expect(() => open(file)).toThrow(`${file} cannot be used`);
  });

  it('answers trouble of its own with an error that clients repeat, and tells of it', async () => {
    const problems: string[] = [];
    const engine = open(join(folder(), 'aws.sqlite'), problems);
    await engine.call(db('CreateTable'), table);
    engine.stop();
    await expect(put(engine, 'a')).rejects.toMatchObject({ name: 'InternalServerError', message: expect.stringContaining('PutItem') });
    expect(problems).toEqual([expect.stringContaining('database is not open')]);
  });

  it.each(['S3.GetObject', 'DynamoDB_20120810.ExecuteStatement', 'AmazonSQS.AddPermission', ''])('refuses %j by name', async (target) => {
    const engine = open(join(folder(), 'aws.sqlite'));
    await expect(engine.call(target, {})).rejects.toMatchObject({
      name: 'UnknownOperationException',
      message: expect.stringContaining(target.split('.').at(-1)!),
    });
  });

  it('has the operations that the README lists', () => {
    const { dynamoDb, sqs } = open(join(folder(), 'aws.sqlite')).operations;
    const text = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
    const listed = (service: string): string[] => new RegExp(`^\\| ${service} \\| (.*) \\|$`, 'm').exec(text)![1]!.split(', ');
    expect(listed('DynamoDB and its streams')).toEqual(dynamoDb.toSorted());
    expect(listed('SQS')).toEqual(sqs.toSorted());
  });
});

const storages: readonly (readonly [string, () => DatabaseStorage])[] = [
  ['in memory', () => new MemoryStorage(() => now)],
  ['on SQLite', () => new DiskStorage(new DatabaseSync(':memory:'))],
];

describe.each(storages)('time, %s', (_where, storage) => {
  const start = (): { call: (operation: string, input: object) => Record<string, unknown>; service: DynamoDbService } => {
    const service = new DynamoDbService({ storage: storage(), location, now: () => now });
    const call = (operation: string, input: object): Record<string, unknown> => service.call(operation, input);
    call('CreateTable', table);
    return { call, service };
  };
  const iteratorOf = (call: ReturnType<typeof start>['call'], more: object): string => {
    const [{ StreamArn }] = call('ListStreams', {})['Streams'] as [{ StreamArn: string }];
    const { Shards } = call('DescribeStream', { StreamArn })['StreamDescription'] as { Shards: [{ ShardId: string }] };
    return call('GetShardIterator', { StreamArn, ShardId: Shards[0].ShardId, ...more })['ShardIterator'] as string;
  };
  const recordsOf = (call: ReturnType<typeof start>['call'], more: object = { ShardIteratorType: 'TRIM_HORIZON' }): Records['Records'] =>
    call('GetRecords', { ShardIterator: iteratorOf(call, more) })['Records'] as Records['Records'];
  const item = (id: string, more = {}) => ({ TableName: 'things', Item: { id: { S: id }, ...more } });

  it('deletes what has expired, and says in the stream who did', () => {
    const { call, service } = start();
    call('PutItem', item('before', { gone: { N: String(now / 1000 + 50) } }));
    call('UpdateTimeToLive', { TableName: 'things', TimeToLiveSpecification: { AttributeName: 'gone', Enabled: true } });
    call('PutItem', item('soon', { gone: { N: String(now / 1000 + 60) } }));
    call('PutItem', item('later', { gone: { N: String(now / 1000 + 7200) } }));
    call('PutItem', item('never', { gone: { S: 'tomorrow' } }));
    service.tidy();
    expect(call('Scan', { TableName: 'things', Select: 'COUNT' })).toMatchObject({ Count: 4 });
    now += 3600_000;
    service.tidy();
    const { Items } = call('Scan', { TableName: 'things' }) as { Items: { id: { S: string } }[] };
    expect(Items.map(({ id }) => id.S).toSorted()).toEqual(['later', 'never']);
    const removed = recordsOf(call).filter(({ eventName }) => eventName === 'REMOVE');
    const timeToLive = { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' };
    expect(removed.map(({ userIdentity }) => userIdentity)).toEqual([timeToLive, timeToLive]);
  });

  it('forgets the records of a stream after a day, and says so to whoever comes too late', () => {
    const { call, service } = start();
    call('PutItem', item('old'));
    const [old] = recordsOf(call);
    now += 20 * 3600_000;
    call('PutItem', item('new'));
    now += 5 * 3600_000;
    service.tidy();
    expect(recordsOf(call)).toHaveLength(1);
    const after = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: old!.dynamodb.SequenceNumber };
    expect(() => iteratorOf(call, after)).toThrow(expect.objectContaining({ name: 'TrimmedDataAccessException' }));
  });

  it('forgets what everybody has read when it is told to, but not the place to go on from', () => {
    const { call, service } = start();
    for (const id of ['a', 'b', 'c']) call('PutItem', item(id));
    const [, second] = recordsOf(call);
    service.forgetBefore(second!.dynamodb.SequenceNumber);
    expect(recordsOf(call)).toHaveLength(2);
    const after = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: second!.dynamodb.SequenceNumber };
    expect(recordsOf(call, after)).toHaveLength(1);
  });

  it('knows a transaction by its token, whatever its values are', () => {
    const { call } = start();
    const write = (n: string, set: readonly string[]) =>
      call('TransactWriteItems', {
        ClientRequestToken: 'once',
        TransactItems: [{ Put: { ...item('a', { n: { N: n }, set: { SS: set } }), ConditionExpression: 'attribute_not_exists(id)' } }],
      });
    const large = '12345678901234567890123456789012345678';
    write(large, ['x', 'y']);
    write(large, ['y', 'x']);
    for (const [n, set] of [
      ['12345678901234567890123456789012345679', ['x', 'y']],
      [large, ['x', 'z']],
    ] as const) {
      expect(() => write(n, set)).toThrow(expect.objectContaining({ name: 'IdempotentParameterMismatchException' }));
    }
  });

  it('ends iterators after a quarter of an hour, and the memory of a token after ten minutes', () => {
    const { call } = start();
    const ShardIterator = iteratorOf(call, { ShardIteratorType: 'LATEST' });
    const write = () =>
      call('TransactWriteItems', {
        ClientRequestToken: 'once',
        TransactItems: [{ Put: { ...item('a'), ConditionExpression: 'attribute_not_exists(id)' } }],
      });
    write();
    now += 9 * 60_000;
    write();
    call('GetRecords', { ShardIterator });
    now += 7 * 60_000;
    expect(write).toThrow(expect.objectContaining({ name: 'TransactionCanceledException' }));
    expect(() => call('GetRecords', { ShardIterator })).toThrow(expect.objectContaining({ name: 'ExpiredIteratorException' }));
  });
});

describe('a full disk', () => {
  it('is told by name; nothing is half-done, and everything can still be read', () => {
    const file = new DatabaseSync(':memory:');
    const service = new DynamoDbService({ storage: new DiskStorage(file), location, now: () => now });
    service.call('CreateTable', table);
    const { page_count: pages } = file.prepare('PRAGMA page_count').get() as { page_count: number };
    file.exec(`PRAGMA max_page_count = ${pages + 20}`);
    const write = (i: number) =>
      service.call('TransactWriteItems', {
        TransactItems: [`a${i}`, `b${i}`].map((id) => ({
          Put: { TableName: 'things', Item: { id: { S: id }, x: { S: 'x'.repeat(2000) } } },
        })),
      });
    let written = 0;
    expect(() => {
      for (; written < 1000; written++) write(written);
    }).toThrow('database or disk is full');
    const { Count } = service.call('Scan', { TableName: 'things', Select: 'COUNT' });
    expect(Count).toBe(2 * written);
    expect(service.call('DescribeTable', { TableName: 'things' })['Table']).toMatchObject({ ItemCount: 2 * written });
    file.exec('PRAGMA max_page_count = 100000');
    write(written);
    expect(service.call('Scan', { TableName: 'things', Select: 'COUNT' })['Count']).toBe(2 * written + 2);
    expect(service.call('DescribeTable', { TableName: 'things' })['Table']).toMatchObject({ ItemCount: 2 * written + 2 });
  });
});
