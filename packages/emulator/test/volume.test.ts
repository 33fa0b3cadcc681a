import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { DiskStorage } from '../src/dynamodb/disk.ts';
import { MemoryStorage } from '../src/dynamodb/memory-storage.ts';
import { DynamoDbService } from '../src/dynamodb/service.ts';
import type { DatabaseStorage } from '../src/dynamodb/storage.ts';
import { EmbeddedAws } from '../src/embedded.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

let now = Date.UTC(2026, 0, 1);
const location = { region: 'us-east-1', account: '000000000000' };
const key = (...names: readonly string[]) =>
  names.map((AttributeName, place) => ({ AttributeName, KeyType: place === 0 ? 'HASH' : 'RANGE' }));

const table = {
  TableName: 'things',
  KeySchema: key('group', 'id'),
  AttributeDefinitions: ['group', 'id', 'colour'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
  GlobalSecondaryIndexes: [{ IndexName: 'by-colour', KeySchema: key('colour', 'id'), Projection: { ProjectionType: 'ALL' } }],
  BillingMode: 'PAY_PER_REQUEST',
  StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
};
const timeToLive = { TableName: 'things', TimeToLiveSpecification: { AttributeName: 'gone', Enabled: true } };
const item = (id: string, more: object = {}) => ({ group: { S: 'g' }, id: { S: id }, ...more });

type Call = (operation: string, input: object) => Record<string, unknown>;

function serviceOn(storage: DatabaseStorage): { call: Call; service: DynamoDbService } {
  const service = new DynamoDbService({ storage, location, now: () => now });
  const call: Call = (operation, input) => service.call(operation, input);
  call('CreateTable', table);
  return { call, service };
}

const put = (call: Call, id: string, more?: object): void => void call('PutItem', { TableName: 'things', Item: item(id, more) });
const counted = (call: Call) => {
  const { ItemCount, TableSizeBytes } = call('DescribeTable', { TableName: 'things' })['Table'] as Record<string, number>;
  return { ItemCount, TableSizeBytes };
};
/** Names and values: `group` and `id` with what they hold, and what is more. */
const bytes = (id: string, more = 0): number => 'group'.length + 'g'.length + 'id'.length + id.length + more;

function fileName(): string {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'aws.sqlite');
}

function open(file: string): EmbeddedAws {
  const engine = new EmbeddedAws({ file, ...location, endpoint: () => 'http://localhost:1', now: () => now });
  onTestFinished(() => engine.stop());
  return engine;
}
const db = (operation: string): string => `DynamoDB_20120810.${operation}`;

describe.each<[string, () => DatabaseStorage]>([
  ['in memory', () => new MemoryStorage(() => now)],
  ['on SQLite', () => new DiskStorage(new DatabaseSync(':memory:'))],
])('what a table holds, %s', (_where, storage) => {
  it('is counted with every write, in the bytes of DynamoDB', () => {
    const { call, service } = serviceOn(storage());
    expect(counted(call)).toEqual({ ItemCount: 0, TableSizeBytes: 0 });
    put(call, 'a');
    put(call, 'b', { x: { S: 'ü' } });
    expect(counted(call)).toEqual({ ItemCount: 2, TableSizeBytes: bytes('a') + bytes('b', 3) });
    put(call, 'b', { x: { S: 'longer' } });
    expect(counted(call)).toEqual({ ItemCount: 2, TableSizeBytes: bytes('a') + bytes('b', 7) });
    call('DeleteItem', { TableName: 'things', Key: item('a') });
    call('DeleteItem', { TableName: 'things', Key: item('a') });
    expect(counted(call)).toEqual({ ItemCount: 1, TableSizeBytes: bytes('b', 7) });
    call('BatchWriteItem', {
      RequestItems: { things: [{ PutRequest: { Item: item('c') } }, { DeleteRequest: { Key: item('b') } }] },
    });
    call('UpdateTimeToLive', timeToLive);
    put(call, 'd', { gone: { N: String(now / 1000 - 1) } });
    expect(counted(call).ItemCount).toBe(2);
    service.tidy();
    expect(counted(call)).toEqual({ ItemCount: 1, TableSizeBytes: bytes('c') });
  });

  it('does not count what a cancelled transaction would have written', () => {
    const { call } = serviceOn(storage());
    put(call, 'a');
    const both = (ConditionExpression: string) => ({
      TransactItems: [
        { Put: { TableName: 'things', Item: item('b') } },
        { Put: { TableName: 'things', Item: item('a', { x: { S: 'x' } }), ConditionExpression } },
      ],
    });
    expect(() => call('TransactWriteItems', both('attribute_not_exists(id)'))).toThrow(
      expect.objectContaining({ name: 'TransactionCanceledException' }),
    );
    expect(counted(call)).toEqual({ ItemCount: 1, TableSizeBytes: bytes('a') });
    call('TransactWriteItems', both('attribute_exists(id)'));
    expect(counted(call)).toEqual({ ItemCount: 2, TableSizeBytes: bytes('a', 2) + bytes('b') });
  });

  it('begins at nothing when the table is made anew', () => {
    const { call } = serviceOn(storage());
    put(call, 'a');
    call('DeleteTable', { TableName: 'things' });
    call('CreateTable', table);
    expect(counted(call)).toEqual({ ItemCount: 0, TableSizeBytes: 0 });
  });
});

describe('a file', () => {
  it('has the same counts when it is opened after a process that was killed', async () => {
    const file = fileName();
    const first = open(file);
    await first.call(db('CreateTable'), table);
    for (const id of ['a', 'b', 'c']) await first.call(db('PutItem'), { TableName: 'things', Item: item(id) });
    // Not stopped: as if its process had been killed.
    const { Table } = await open(file).call(db('DescribeTable'), { TableName: 'things' });
    expect(Table).toMatchObject({ ItemCount: 3, TableSizeBytes: 3 * bytes('a') });
  });

  it('has a short log, whoever reads what meanwhile', async () => {
    const file = fileName();
    const engine = open(file);
    await engine.call(db('CreateTable'), table);
    const page = { TableName: 'things', KeyConditionExpression: '#g = :g', Limit: 1 };
    const names = { ExpressionAttributeNames: { '#g': 'group' }, ExpressionAttributeValues: { ':g': { S: 'g' } } };
    for (let i = 0; i < 4000; i++) {
      await engine.call(db('PutItem'), { TableName: 'things', Item: item(String(i), { x: { S: 'x'.repeat(5000) } }) });
      // Both end before the last row.
      await engine.call(db('Query'), { ...page, ...names });
      await engine.call(db('Scan'), { TableName: 'things', IndexName: 'by-colour', Limit: 1 });
    }
    expect(statSync(file).size).toBeGreaterThan(16_000_000);
    expect(statSync(`${file}-wal`).size).toBeLessThan(8_000_000);
  });

  it('deletes much that has expired in slices, with calls in between', async () => {
    const file = fileName();
    const engine = open(file);
    await engine.call(db('CreateTable'), table);
    await engine.call(db('UpdateTimeToLive'), timeToLive);
    const gone = { gone: { N: String(now / 1000 - 1) } };
    for (let i = 0; i < 250; i++) await engine.call(db('PutItem'), { TableName: 'things', Item: item(String(i), gone) });
    const left = async () =>
      ((await engine.call(db('DescribeTable'), { TableName: 'things' }))['Table'] as { ItemCount: number }).ItemCount;
    engine.tidy();
    expect(await left()).toBe(150);
    await vi.waitFor(async () => expect(await left()).toBe(0), 10_000);
  });

  it('forgets a long log of a stream in slices', async () => {
    const engine = open(fileName());
    await engine.call(db('CreateTable'), table);
    for (let i = 0; i < 300; i++) await engine.call(db('PutItem'), { TableName: 'things', Item: item(String(i)) });
    const streams = (operation: string, input: object) => engine.call(`DynamoDBStreams_20120810.${operation}`, input);
    const { Streams } = (await streams('ListStreams', {})) as { Streams: [{ StreamArn: string }] };
    const [{ StreamArn }] = Streams;
    const { StreamDescription } = (await streams('DescribeStream', { StreamArn })) as {
      StreamDescription: { Shards: [{ ShardId: string }] };
    };
    const [{ ShardId }] = StreamDescription.Shards;
    const oldest = async (): Promise<string> => {
      const { ShardIterator } = await streams('GetShardIterator', { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' });
      const { Records } = (await streams('GetRecords', { ShardIterator, Limit: 1 })) as {
        Records: [{ dynamodb: { Keys: { id: { S: string } } } }];
      };
      return Records[0].dynamodb.Keys.id.S;
    };
    engine.trim(`1${'250'.padStart(20, '0')}`);
    expect(await oldest()).toBe('100');
    await vi.waitFor(async () => expect(await oldest()).toBe('249'), 10_000);
  });

  it('finds what expires when TTL is turned on among many items', () => {
    const { call, service } = serviceOn(new DiskStorage(new DatabaseSync(':memory:')));
    call('CreateTable', { ...table, TableName: 'others' });
    for (let i = 0; i < 1500; i++) {
      const gone = { gone: { N: String(now / 1000 + (i % 2 === 0 ? 60 : 7200)) } };
      for (const TableName of ['others', 'things']) call('PutItem', { TableName, Item: item(String(i), gone) });
    }
    call('UpdateTimeToLive', timeToLive);
    now += 3600_000;
    while (service.tidy());
    expect(counted(call).ItemCount).toBe(750);
    expect(call('DescribeTable', { TableName: 'others' })['Table']).toMatchObject({ ItemCount: 1500 });
  });
});

describe('the work of a call', () => {
  /** Every statement that the engine prepared, and how SQLite runs it. */
  function planned(): { storage: DiskStorage; plans: () => Map<string, string[]> } {
    const database = new DatabaseSync(':memory:');
    const statements = new Set<string>();
    const prepare = database.prepare.bind(database);
    database.prepare = (sql) => {
      statements.add(sql);
      return prepare(sql);
    };
    const plan = (sql: string): string[] =>
      prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => String(detail));
    return { storage: new DiskStorage(database), plans: () => new Map(Array.from(statements, (sql) => [sql, plan(sql)])) };
  }

  it('never reads or sorts a whole table', () => {
    const { storage, plans } = planned();
    const { call, service } = serviceOn(storage);
    call('UpdateTimeToLive', timeToLive);
    put(call, 'a', { colour: { S: 'red' } });
    put(call, 'a', { colour: { S: 'blue' } });
    call('GetItem', { TableName: 'things', Key: item('a') });
    const values = { ':g': { S: 'g' }, ':i': { S: 'a' } };
    for (const [IndexName, name] of [
      [undefined, 'group'],
      ['by-colour', 'colour'],
    ] as const) {
      const index = IndexName ? { IndexName } : {};
      const start = item('a', IndexName ? { colour: { S: 'g' } } : {});
      for (const ScanIndexForward of [true, false]) {
        for (const more of [{}, { ExclusiveStartKey: start }]) {
          call('Query', {
            TableName: 'things',
            ...index,
            KeyConditionExpression: '#g = :g AND begins_with(id, :i)',
            ExpressionAttributeNames: { '#g': name },
            ExpressionAttributeValues: values,
            ScanIndexForward,
            ...more,
          });
          call('Scan', { TableName: 'things', ...index, ...more });
        }
      }
    }
    call('DescribeTable', { TableName: 'things' });
    const [{ StreamArn }] = call('ListStreams', {})['Streams'] as [{ StreamArn: string }];
    const { Shards } = call('DescribeStream', { StreamArn })['StreamDescription'] as { Shards: [{ ShardId: string }] };
    const { ShardIterator } = call('GetShardIterator', { StreamArn, ShardId: Shards[0].ShardId, ShardIteratorType: 'TRIM_HORIZON' });
    call('GetRecords', { ShardIterator: ShardIterator as string });
    service.forgetBefore(`1${'2'.padStart(20, '0')}`);
    service.tidy();
    call('DeleteItem', { TableName: 'things', Key: item('a') });

    const found = plans();
    expect(found.size).toBeGreaterThan(25);
    for (const [sql, steps] of found) {
      const whole = steps.filter((step) => /\bSCAN dynamodb_(?!tables)|TEMP B-TREE FOR (LAST TERM OF )?ORDER BY/.test(step));
      // The oldest records of the log, as many as its LIMIT says.
      const isLimited = /FROM dynamodb_log ORDER BY place LIMIT \?\)/.test(sql);
      expect(isLimited ? [] : whole, sql).toEqual([]);
    }
  });

  it.each([
    ['forwards', true],
    ['backwards', false],
  ])('is as little for the last page as for the first, %s', (_direction, ScanIndexForward) => {
    const { call } = serviceOn(new DiskStorage(new DatabaseSync(':memory:')));
    const ids = Array.from({ length: 10_000 }, (_, i) => `id-${String(i).padStart(5, '0')}`);
    for (const id of ids) put(call, id, { colour: { S: 'red' } });
    const micros = (IndexName: string | undefined, id: string): number => {
      const input = {
        TableName: 'things',
        ...(IndexName ? { IndexName } : {}),
        KeyConditionExpression: `${IndexName ? 'colour' : '#g'} = :g AND begins_with(id, :i)`,
        ...(IndexName ? {} : { ExpressionAttributeNames: { '#g': 'group' } }),
        ExpressionAttributeValues: { ':g': { S: IndexName ? 'red' : 'g' }, ':i': { S: 'id-' } },
        ExclusiveStartKey: item(id, IndexName ? { colour: { S: 'red' } } : {}),
        ScanIndexForward,
        Limit: 1,
      };
      const before = process.cpuUsage();
      for (let i = 0; i < 50; i++) call('Query', input);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    const [first, last] = ScanIndexForward ? [ids[5]!, ids.at(-5)!] : [ids.at(-5)!, ids[5]!];
    for (const index of [undefined, 'by-colour']) {
      micros(index, first);
      expect(micros(index, last)).toBeLessThan(10 * micros(index, first));
    }
  });
});
