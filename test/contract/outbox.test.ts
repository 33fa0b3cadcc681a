import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeEnvelope, type Envelope } from '@outbox-saga/kit/messages/envelope';
import { durations } from '../../lambdas/contract/stages.ts';
import { newRow, type OutboxRow } from '@outbox-saga/kit/outbox/row';
import { claim, saveRow, type OutboxContext } from '@outbox-saga/kit/outbox/row-store';
import { batchesOf } from '@outbox-saga/kit/outbox/deliver';
import { publishRecords } from '@outbox-saga/kit/outbox/publisher';
import { gaugeOutbox, relayDueRows } from '@outbox-saga/kit/outbox/relay';
import { aMessage, orderKeys, testTelemetry, testWorld } from '../support/builders.ts';
import { publishTo, queuesThat, recordOf } from '../support/outbox.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());

let world: ReturnType<typeof testWorld>;
let telemetry: ReturnType<typeof testTelemetry>;
let outbox: OutboxContext;

beforeEach(async () => {
  await tables.clear('outbox');
  world = testWorld();
  telemetry = testTelemetry();
  outbox = { database: tables.database, table: 'outbox', relay: durations.prod.relay, telemetry, world };
});

async function committed(
  message: Envelope,
  options: { pendingSeconds?: number } = {},
): Promise<{ row: OutboxRow; record: DynamoDBRecord }> {
  const row = newRow(message, { source: 'test', outboxExpirySeconds: 3600, world, ...options });
  await tables.put('outbox', { ...row });
  return { row, record: recordOf(row) };
}
const placed = (changes: Partial<Envelope> = {}) =>
  aMessage(
    'OrderPlaced',
    { ...orderKeys, currency: 'JPY', total: 1, items: [{ sku: 'a', qty: 1 }] },
    { messageId: world.newId(), sequence: 1, ...changes },
  );
const stored = async ({ aggregateId, messageId }: OutboxRow) =>
  (await tables.get('outbox', { aggregateId, messageId })) as unknown as OutboxRow;
const never = (): boolean => true;

describe('the publisher', () => {
  it('sends a row to every consumer of its route with type, correlation, trace and group, and marks it SENT', async () => {
    const { queues, sent } = queuesThat(() => 'take');
    const { row, record } = await committed(placed({ traceparent: '00-1-2-01' }));
    world.advance(40);
    expect(await publishRecords([record], outbox, publishTo(queues))).toEqual({ batchItemFailures: [] });
    expect(sent.map(({ consumer }) => consumer).sort()).toEqual(['inventory', 'order-view']);
    expect(sent[0]).toMatchObject({
      body: row.body,
      entry: {
        MessageGroupId: expect.stringMatching(/^[0-9A-Z]{20}$/),
        MessageAttributes: {
          type: { StringValue: 'OrderPlaced' },
          correlationId: { StringValue: 'correlation-1' },
          traceparent: { StringValue: '00-1-2-01' },
        },
      },
    });
    expect(await stored(row)).toMatchObject({ status: 'SENT', sentAt: world.now(), attempts: 1 });
    expect(telemetry.measured.get('PublishLag')).toEqual([40]);
  });

  it('keeps the order of one aggregate’s messages per queue and sends ten a call', async () => {
    const { queues, sent, calls } = queuesThat(() => 'take');
    const records = [];
    for (let i = 0; i < 23; i++) records.push((await committed(placed({ sequence: i + 1 }))).record);
    await publishRecords(records, outbox, publishTo(queues));
    const toView = sent.filter(({ consumer }) => consumer === 'order-view').map(({ body }) => (JSON.parse(body) as Envelope).sequence);
    expect(toView).toEqual(Array.from({ length: 23 }, (_, i) => i + 1));
    expect(calls.map(({ entries }) => entries).toSorted((a, b) => a - b)).toEqual([3, 3, 10, 10, 10, 10]);
  });

  it('stays within the size of a call', () => {
    const entries = [700_000, 300_000, 100_000, 10].map((bytes) => ({ bytes }));
    expect(batchesOf(entries).map((batch) => batch.map(({ bytes }) => bytes))).toEqual([
      [700_000, 300_000],
      [100_000, 10],
    ]);
  });

  it('ignores what was not inserted', async () => {
    const { queues, sent } = queuesThat(() => 'take');
    const { row } = await committed(placed());
    await publishRecords([recordOf(row, 'MODIFY')], outbox, publishTo(queues));
    expect(sent).toEqual([]);
    expect(await stored(row)).toMatchObject({ status: 'PENDING' });
  });

  it('hands a row that one queue refused to the relay, owing that consumer only, and does not hold the others up', async () => {
    const { queues, sent } = queuesThat((consumer, id) => (consumer === 'inventory' && id === '0' ? 'refuse' : 'take'));
    const [bad, good] = [await committed(placed()), await committed(placed())];
    expect(await publishRecords([bad.record, good.record], outbox, publishTo(queues))).toEqual({ batchItemFailures: [] });
    expect(sent).toHaveLength(3);
    expect(await stored(good.row)).toMatchObject({ status: 'SENT' });
    expect(await stored(bad.row)).toMatchObject({
      status: 'FAILED',
      attempts: 1,
      owed: ['inventory'],
      lastError: 'inventory: InvalidMessageContents: no',
      attention: expect.stringMatching(/^due#/),
      attentionAt: world.now() + 10_000,
    });
  });

  it('declares a row DEAD, with its reason, when its body is not a message', async () => {
    const { queues, sent } = queuesThat(() => 'take');
    const broken = { ...(await committed(placed())).row, body: 'not json' };
    await tables.put('outbox', { ...broken });
    await publishRecords([recordOf(broken)], outbox, publishTo(queues));
    expect(sent).toEqual([]);
    expect(await stored(broken)).toMatchObject({ status: 'DEAD', lastError: expect.stringContaining('not JSON') });
    expect(telemetry.lines.filter(({ fields }) => fields['to'] === 'DEAD')).toHaveLength(1);
  });

  it('does not bring back a row that has expired meanwhile', async () => {
    const { queues } = queuesThat(() => 'take');
    const row = newRow(placed(), { source: 'test', outboxExpirySeconds: 1, world });
    await publishRecords([recordOf(row)], outbox, publishTo(queues));
    expect(await stored(row)).toBeUndefined();
  });
});

describe('the relay', () => {
  async function refused(): Promise<OutboxRow> {
    const { queues } = queuesThat((consumer) => (consumer === 'inventory' ? 'refuse' : 'take'));
    const { row, record } = await committed(placed());
    await publishRecords([record], outbox, publishTo(queues));
    return row;
  }

  it('sends a due row to the consumers that it owes, and to nobody twice', async () => {
    const row = await refused();
    const { queues, sent } = queuesThat(() => 'take');
    expect(await relayDueRows(outbox, publishTo(queues), 'relay-1', never)).toBe(0);
    world.advance(10_000);
    expect(await relayDueRows(outbox, publishTo(queues), 'relay-1', never)).toBe(1);
    expect(sent.map(({ consumer }) => consumer)).toEqual(['inventory']);
    const after = await stored(row);
    expect(after).toMatchObject({ status: 'SENT', attempts: 2 });
    for (const attribute of ['attention', 'attentionAt', 'owner', 'leaseUntil', 'owed']) expect(after).not.toHaveProperty(attribute);
  });

  it('climbs its ladder and gives a row up after ten attempts, with the reason', async () => {
    const row = await refused();
    const { queues } = queuesThat(() => 'refuse');
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      const { attentionAt } = await stored(row);
      waits.push((attentionAt! - world.now()) / 1000);
      world.advance(attentionAt! - world.now());
      expect(await relayDueRows(outbox, publishTo(queues), 'relay-1', never)).toBe(1);
    }
    expect(waits).toEqual([10, 30, 90, 270, 810, 900, 900, 900, 900]);
    expect(await stored(row)).toMatchObject({
      status: 'DEAD',
      attempts: 10,
      attention: expect.stringMatching(/^dead#/),
      lastError: expect.stringContaining('inventory'),
    });
    world.advance(86_400_000);
    expect(await relayDueRows(outbox, publishTo(queues), 'relay-1', never)).toBe(0);
  });

  it('claims a row for one relay, and lets another take over when the lease ends', async () => {
    const row = await refused();
    expect(await claim(outbox, row, 'relay-1')).toBeUndefined();
    world.advance(10_000);
    expect(await claim(outbox, row, 'relay-1')).toMatchObject({ status: 'SENDING', owner: 'relay-1' });
    expect(await claim(outbox, row, 'relay-2')).toBeUndefined();
    const { queues, sent } = queuesThat(() => 'take');
    world.advance(durations.prod.relay.leaseSeconds * 1000 + 1);
    expect(await relayDueRows(outbox, publishTo(queues), 'relay-2', never)).toBe(1);
    expect(sent).toHaveLength(1);
    expect(await stored(row)).toMatchObject({ status: 'SENT' });
  });

  it('that overlaps with another one sends each row once', async () => {
    for (let i = 0; i < 12; i++) await refused();
    world.advance(10_000);
    const { queues, sent } = queuesThat(() => 'take');
    const relays = ['relay-1', 'relay-2', 'relay-3'].map((owner) => relayDueRows(outbox, publishTo(queues), owner, never));
    expect((await Promise.all(relays)).reduce((sum, taken) => sum + taken, 0)).toBe(12);
    expect(new Set(sent.map(({ body }) => body)).size).toBe(12);
    expect(sent).toHaveLength(12);
  });

  it('that overlaps with the stream leaves a row SENT, whoever is last', async () => {
    const { row, record } = await committed(placed(), { pendingSeconds: 60 });
    const { queues, sent } = queuesThat(() => 'take');
    world.advance(60_000);
    const claimed = await claim(outbox, row, 'relay-1');
    expect(await publishRecords([record], outbox, publishTo(queues))).toEqual({ batchItemFailures: [] });
    expect(await stored(row)).toMatchObject({ status: 'SENT' });
    await saveRow(outbox, claimed!, { type: 'Sent', at: world.now() });
    // The consumers absorb the second copy.
    expect(sent).toHaveLength(2);
    expect(await stored(row)).toMatchObject({ status: 'SENT', attempts: 1 });
  });

  it('takes a pending row that the stream does not deliver in time, where the outbox indexes those', async () => {
    const lost = await committed(placed(), { pendingSeconds: 60 });
    const delivered = await committed(placed(), { pendingSeconds: 60 });
    const watched = await committed(placed());
    const { queues, sent } = queuesThat(() => 'take');
    await publishRecords([delivered.record], outbox, publishTo(queues));
    expect(await stored(delivered.row)).not.toHaveProperty('attention');
    expect(sent).toHaveLength(2);
    world.advance(59_999);
    expect(await relayDueRows(outbox, publishTo(queues), 'relay-1', never)).toBe(0);
    world.advance(1);
    expect(await relayDueRows(outbox, publishTo(queues), 'relay-1', never)).toBe(1);
    expect(sent.slice(2).map(({ consumer, body }) => [consumer, body])).toEqual(
      expect.arrayContaining([
        ['inventory', lost.row.body],
        ['order-view', lost.row.body],
      ]),
    );
    expect(await stored(lost.row)).toMatchObject({ status: 'SENT' });
    expect(await stored(watched.row)).toMatchObject({ status: 'PENDING' });
  });

  it('leaves a row alone that was sent or has expired since it was looked up', async () => {
    const row = await refused();
    await saveRow(outbox, row, { type: 'Sent', at: world.now() });
    expect(await claim(outbox, row, 'relay-1')).toBeUndefined();
    expect(await claim(outbox, { aggregateId: 'gone', messageId: 'gone' }, 'relay-1')).toBeUndefined();
  });

  it('stops when it is told to, and leaves the rest due', async () => {
    await refused();
    const { queues, sent } = queuesThat(() => 'take');
    world.advance(10_000);
    expect(await relayDueRows(outbox, publishTo(queues), 'relay-1', () => false)).toBe(0);
    expect(sent).toEqual([]);
    expect(await relayDueRows(outbox, publishTo(queues), 'relay-1', never)).toBe(1);
  });

  it('gauges what needs attention', async () => {
    await refused();
    const [sending, dead] = [await refused(), await refused()];
    world.advance(10_000);
    await claim(outbox, sending, 'relay-1');
    await tables.database.send(
      new UpdateCommand({
        TableName: 'outbox',
        Key: { aggregateId: dead.aggregateId, messageId: dead.messageId },
        UpdateExpression: 'SET attention = :dead',
        ExpressionAttributeValues: { ':dead': 'dead#0' },
      }),
    );
    world.advance(130_001);
    expect(await gaugeOutbox(outbox)).toEqual({ overdue: 1, sending: 1, failed: 1, dead: 1, oldestUnsentSeconds: 140 });
  });
});

describe('a row', () => {
  it('of a one-line order stays below one kilobyte, so that it costs one write unit', () => {
    const row = newRow(placed({ aggregateId: 'ord_01ARZ3NDEKTSV4RRFFQ69G5FAV' }), { source: 'place-order', outboxExpirySeconds: 1, world });
    const bytes = Object.entries(row).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
    expect(bytes).toBeLessThan(900);
    expect(encodeEnvelope(placed())).toBeTruthy();
  });
});
