import type { Context, DynamoDBRecord, ScheduledEvent } from 'aws-lambda';
import * as z from 'zod';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { defineTopology } from '@outbox-saga/kit/messages/topology';
import { attentionKey, attentionShards, shardOf } from '@outbox-saga/kit/tables';
import { topology } from '../../lambdas/contract/routes.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import { newRow, type OutboxRow, type RowEvent } from '@outbox-saga/kit/outbox/row';
import { claim, requeue, saveRow, type OutboxContext } from '@outbox-saga/kit/outbox/row-store';
import { publishRecords } from '@outbox-saga/kit/outbox/publisher';
import type { PublishContext } from '@outbox-saga/kit/outbox/deliver';
import { gaugeOutbox, relayDueRows } from '@outbox-saga/kit/outbox/relay';
import { createHandler } from '../../lambdas/outbox-relay/handler.ts';
import { aMessage, orderKeys, testTelemetry, testWorld } from '../support/builders.ts';
import { publishTo, queuesThat, recordOf } from '../support/outbox.ts';
import { clearedTables } from '../support/tables.ts';

const tables = clearedTables('outbox');
let world: ReturnType<typeof testWorld>;
let telemetry: ReturnType<typeof testTelemetry>;
let outbox: OutboxContext;
beforeEach(() => {
  world = testWorld();
  telemetry = testTelemetry();
  outbox = { database: tables.database, table: 'outbox', relay: durations.prod.relay, telemetry, world };
});

const placed = (changes: Partial<Envelope> = {}) =>
  aMessage(
    'OrderPlaced',
    { ...orderKeys, currency: 'JPY', total: 1, items: [{ sku: 'a', qty: 1 }] },
    { messageId: world.newId(), sequence: 1, ...changes },
  );
const refund = () => aMessage('RefundRequested', { ...orderKeys, amount: 1, currency: 'JPY' }, { messageId: world.newId() });

async function committed(message: Envelope, changes: Partial<OutboxRow> = {}): Promise<{ row: OutboxRow; record: DynamoDBRecord }> {
  const row = { ...newRow(message, { source: 'test', outboxExpirySeconds: 30 * 86_400, world }), ...changes };
  await tables.put('outbox', { ...row });
  return { row, record: recordOf(row) };
}
/** A row that the relay finds due, in a shard of the test's choice. */
async function due(owed: readonly string[], shard?: number): Promise<OutboxRow> {
  const shardFor = ({ messageId }: Envelope): number => shardOf(messageId, attentionShards);
  let message = placed();
  if (shard !== undefined) while (shardFor(message) !== shard) message = placed();
  const attention = attentionKey('due', shardFor(message));
  return (await committed(message, { status: 'FAILED', owed, attempts: 0, attention, attentionAt: world.now() })).row;
}
const stored = async ({ aggregateId, messageId }: OutboxRow) =>
  (await tables.get('outbox', { aggregateId, messageId })) as unknown as OutboxRow;
const relay = (publish: PublishContext, mayContinue: () => boolean = () => true) =>
  relayDueRows(outbox, publish, world.newId(), mayContinue);

/** The outbox, whose rows of one aggregate cannot be written. */
const brokenFor = (aggregateId: string): OutboxContext => ({
  ...outbox,
  database: {
    send: (command: { input: { Key?: { aggregateId: string } } }) =>
      command.input.Key?.aggregateId === aggregateId
        ? Promise.reject(Object.assign(new Error('throttled'), { name: 'ThrottlingException' }))
        : tables.database.send(command as never),
  } as never,
});

describe('a queue that is down', () => {
  it('holds up neither the stream nor other queues: its rows go to the relay, owing it alone, and nothing is counted', async () => {
    const { queues, sent } = queuesThat((consumer) => (consumer === 'payment' ? 'down' : 'take'));
    const [first, second] = [await committed(placed()), await committed(refund())];
    expect(await publishRecords([first.record, second.record], outbox, publishTo(queues))).toEqual({ batchItemFailures: [] });
    expect(sent.map(({ consumer }) => consumer).toSorted()).toEqual(['inventory', 'order-view', 'order-view']);
    expect(await stored(first.row)).toMatchObject({ status: 'SENT' });
    expect(await stored(second.row)).toMatchObject({
      status: 'FAILED',
      owed: ['payment'],
      attempts: 0,
      lastError: 'payment: Error: SQS does not answer',
      attentionAt: world.now() + 10_000,
    });
  });

  it('gets no message ahead of an earlier one of the same batch', async () => {
    let call = 0;
    const { queues, sent } = queuesThat((consumer) => (consumer === 'order-view' && call++ === 0 ? 'down' : 'take'));
    const rows = [];
    for (let i = 0; i < 15; i++) rows.push(await committed(placed({ sequence: i + 1 })));
    const result = await publishRecords(
      rows.map(({ record }) => record),
      outbox,
      publishTo(queues),
    );
    expect(result).toEqual({ batchItemFailures: [] });
    expect(sent.filter(({ consumer }) => consumer === 'order-view')).toEqual([]);
    for (const { row } of rows) expect(await stored(row)).toMatchObject({ status: 'FAILED', owed: ['order-view'] });
  });

  it('as all others are gives the batch back to the stream, and marks nothing of it', async () => {
    const { queues, sent } = queuesThat(() => 'down');
    const broken = await committed(placed(), { body: 'not json' });
    const [first, second] = [await committed(placed()), await committed(refund())];
    const records = [broken.record, first.record, second.record];
    expect(await publishRecords(records, outbox, publishTo(queues))).toEqual({
      batchItemFailures: [{ itemIdentifier: first.record.dynamodb!.SequenceNumber }],
    });
    expect(sent).toEqual([]);
    expect(await stored(first.row)).toMatchObject({ status: 'PENDING' });
    expect(await stored(second.row)).toMatchObject({ status: 'PENDING' });
    expect(await stored(broken.row)).toMatchObject({ status: 'DEAD' });
  });

  it('is tried less and less often, and its rows never die of it', async () => {
    const row = await due(['order-view']);
    const { queues } = queuesThat(() => 'down');
    const waits: number[] = [];
    for (let i = 0; i < 30; i++) {
      expect(await relay(publishTo(queues))).toBe(1);
      const { attentionAt } = await stored(row);
      waits.push((attentionAt! - world.now()) / 1000);
      world.advance(attentionAt! - world.now());
    }
    expect(waits.slice(0, 6)).toEqual([10, 30, 90, 270, 810, 900]);
    expect(new Set(waits.slice(5))).toEqual(new Set([900]));
    expect(await stored(row)).toMatchObject({ status: 'FAILED', attempts: 0, owed: ['order-view'] });
    // Put off each time, it is never overdue; its age tells.
    expect(await gaugeOutbox(outbox)).toMatchObject({ overdue: 0, failed: 1, oldestUnsentSeconds: (world.now() - row.committedAt) / 1000 });
    await relay(publishTo(queuesThat(() => 'take').queues));
    expect(await stored(row)).toMatchObject({ status: 'SENT', attempts: 1 });
    expect(await stored(row)).not.toHaveProperty('deferrals');
  });

  it('does not make a row DEAD that another queue refuses', async () => {
    const row = await due(['inventory', 'order-view']);
    const { queues } = queuesThat((consumer) => (consumer === 'inventory' ? 'refuse' : 'down'));
    for (let i = 0; i < 12; i++) {
      await relay(publishTo(queues));
      world.advance(900_000);
    }
    expect(await stored(row)).toMatchObject({ status: 'FAILED', attempts: 0, owed: ['inventory', 'order-view'] });
  });

  it('costs a run of the relay one call, and healthy queues get their rows in the same run', async () => {
    for (let i = 0; i < 30; i++) await due(['order-view'], 0);
    const healthy = await due(['inventory'], 3);
    const both = await due(['order-view', 'payment'], 0);
    const { queues, calls } = queuesThat((consumer) => {
      if (consumer === 'order-view') world.advance(2000);
      return consumer === 'order-view' ? 'down' : 'take';
    });
    const startedAt = world.now();
    expect(await relay(publishTo(queues), () => world.now() - startedAt < 40_000)).toBe(32);
    expect(await stored(healthy)).toMatchObject({ status: 'SENT' });
    expect(await stored(both)).toMatchObject({ status: 'FAILED', owed: ['order-view'] });
    expect(calls.filter(({ consumer }) => consumer === 'order-view')).toHaveLength(1);
    expect(calls.filter(({ consumer }) => consumer === 'inventory')).toHaveLength(1);
  });
});

describe('the relay', () => {
  it('takes the shards in turn, so that a full one keeps no other waiting', async () => {
    for (let i = 0; i < 40; i++) await due(['inventory'], 0);
    const others = [await due(['inventory'], 1), await due(['inventory'], 2), await due(['inventory'], 3)];
    const { queues } = queuesThat(() => 'take');
    let handfuls = 0;
    expect(await relay(publishTo(queues), () => handfuls++ < 1)).toBe(10);
    for (const row of others) expect(await stored(row)).toMatchObject({ status: 'SENT' });
  });

  it('goes on behind a row that cannot be claimed', async () => {
    const rows = [];
    for (let i = 0; i < 12; i++) rows.push(await due(['inventory'], 0));
    const stuck = { ...rows[0]!, aggregateId: 'stuck' };
    await tables.put('outbox', { ...stuck });
    const { queues } = queuesThat(() => 'take');
    expect(await relayDueRows(brokenFor('stuck'), publishTo(queues), 'relay-1', () => true)).toBe(12);
    expect(await stored(stuck)).toMatchObject({ status: 'FAILED' });
  });

  it('takes no row before it is due, whatever a lagging index says', async () => {
    const { row } = await committed(placed(), {
      status: 'FAILED',
      owed: ['inventory'],
      attempts: 8,
      attention: 'due#0',
      attentionAt: world.now() + 900_000,
    });
    expect(await claim(outbox, row, 'relay-1')).toBeUndefined();
    world.advance(900_000);
    expect(await claim(outbox, row, 'relay-1')).toMatchObject({ status: 'SENDING' });
  });

  it('keeps time for its gauges', async () => {
    const row = await due(['inventory']);
    const { queues } = queuesThat(() => 'take');
    const handler = createHandler(
      {
        STAGE: 'prod',
        OUTBOX_TABLE: 'outbox',
        ORDERS_TABLE: 'orders',
        QUEUE_URLS: publishTo(queues).queueUrls,
      },
      {
        name: 'outbox-relay',
        telemetry,
        world,
        faults: injectedFaults(world, {}),
        client: tables.client,
        database: tables.database,
        queues,
      },
    );
    const run = (remainingMs: number) =>
      handler({} as ScheduledEvent, { getRemainingTimeInMillis: () => remainingMs } as unknown as Context);
    expect(await run(10_000)).toEqual({ relayed: 0 });
    expect(telemetry.measured.get('FailedRows')).toEqual([1]);
    expect(await stored(row)).toMatchObject({ status: 'FAILED' });
    expect(await run(10_001)).toEqual({ relayed: 1 });
  });
});

describe('a refusal that is SQS’s own fault', () => {
  it('does not count against the row', async () => {
    const { row, record } = await committed(placed());
    const { queues } = queuesThat((consumer) => (consumer === 'inventory' ? 'fault' : 'take'));
    expect(await publishRecords([record], outbox, publishTo(queues))).toEqual({ batchItemFailures: [] });
    expect(await stored(row)).toMatchObject({ status: 'FAILED', attempts: 0, owed: ['inventory'] });
    for (let i = 0; i < 12; i++) {
      world.advance(900_000);
      await relay(publishTo(queues));
    }
    expect(await stored(row)).toMatchObject({ status: 'FAILED', attempts: 0 });
  });
});

describe('a row that is newer than this code', () => {
  const types = {
    'an unknown type': (): Envelope => ({ ...placed(), type: 'OrderAdmired' }),
    'a newer version': (): Envelope => ({ ...placed(), version: 2 }),
  };
  /** What the next deployment knows. */
  const newerTopology = defineTopology({
    ...topology,
    messages: {
      ...topology.messages,
      OrderPlaced: { version: 2, data: z.unknown() },
      OrderAdmired: { version: 1, data: z.unknown() },
    },
    routes: { ...topology.routes, OrderAdmired: { kind: 'event', consumers: ['inventory', 'order-view'] } },
  } as never) as unknown as PublishContext['topology'];

  it.each(Object.entries(types))('(%s) waits, uncounted, and is sent to everyone once the code knows it', async (_, make) => {
    const { queues, sent } = queuesThat(() => 'take');
    const { row, record } = await committed(make());
    expect(await publishRecords([record], outbox, publishTo(queues))).toEqual({ batchItemFailures: [] });
    expect(await stored(row)).toMatchObject({ status: 'FAILED', attempts: 0, attentionAt: world.now() + 10_000 });
    world.advance(10_000);
    expect(await relay(publishTo(queues))).toBe(1);
    expect(sent).toEqual([]);
    world.advance(30_000);
    expect(await relay({ ...publishTo(queues), topology: newerTopology })).toBe(1);
    expect(sent.map(({ consumer }) => consumer).toSorted()).toEqual(['inventory', 'order-view']);
    expect(await stored(row)).toMatchObject({ status: 'SENT' });
  });

  it.each(Object.entries(types))('(%s) is DEAD, with its reason, when nobody knows it for the whole retry window', async (_, make) => {
    const { queues } = queuesThat(() => 'take');
    const { row, record } = await committed(make());
    await publishRecords([record], outbox, publishTo(queues));
    const end = row.committedAt + durations.prod.retry.windowSeconds * 1000;
    while (world.now() <= end) {
      expect(await stored(row)).toMatchObject({ status: 'FAILED', attempts: 0 });
      world.advance((await stored(row)).attentionAt! - world.now());
      expect(await relay(publishTo(queues))).toBe(1);
    }
    expect(await stored(row)).toMatchObject({
      status: 'DEAD',
      lastError: expect.stringMatching(/unknown message type|version 2 is not known/),
    });
  });

  it('is not lost when somebody who does not know its route makes it due', async () => {
    const { row } = await committed(types['an unknown type']());
    expect(await requeue(outbox, row, [], 'its deadline has passed')).toBe(true);
    const { queues, sent } = queuesThat(() => 'take');
    expect(await relay({ ...publishTo(queues), topology: newerTopology })).toBe(1);
    expect(sent).toHaveLength(2);
  });

  it('keeps the consumers that it owes while it waits', async () => {
    const { row } = await committed(types['a newer version'](), {
      status: 'FAILED',
      owed: ['order-view'],
      attention: 'due#0',
      attentionAt: world.now(),
    });
    const { queues, sent } = queuesThat(() => 'take');
    await relay(publishTo(queues));
    world.advance(10_000);
    await relay({ ...publishTo(queues), topology: newerTopology });
    expect(sent.map(({ consumer }) => consumer)).toEqual(['order-view']);
    expect(await stored(row)).toMatchObject({ status: 'SENT' });
  });
});

describe('the publisher', () => {
  it('routes by the envelope alone: what a payload holds is for its consumers to judge', async () => {
    const { queues, sent } = queuesThat(() => 'take');
    const { row, record } = await committed({ ...placed(), data: { nobody: 'knows' } });
    await publishRecords([record], outbox, publishTo(queues));
    expect(sent).toHaveLength(2);
    expect(await stored(row)).toMatchObject({ status: 'SENT' });
  });
});

describe('a mark that cannot be written', () => {
  it('fails no send: the batch is not sent again, and the row stays for whoever watches it', async () => {
    const rows = [];
    for (let i = 0; i < 20; i++) rows.push(await committed(placed({ aggregateId: `o${i}` })));
    const { queues, sent } = queuesThat(() => 'take');
    const result = await publishRecords(
      rows.map(({ record }) => record),
      brokenFor('o7'),
      publishTo(queues),
    );
    expect(result).toEqual({ batchItemFailures: [] });
    expect(sent).toHaveLength(40);
    expect(await stored(rows[7]!.row)).toMatchObject({ status: 'PENDING' });
    expect(await stored(rows[8]!.row)).toMatchObject({ status: 'SENT' });
    expect(telemetry.measured.get('OutboxMarksFailed')).toEqual([1]);
    expect(telemetry.lines).toContainEqual({
      message: 'outbox row not marked',
      fields: expect.objectContaining({ aggregateId: 'o7', outcome: 'sent' }) as object,
    });
  });

  it.each([
    ['refused', {}],
    ['unroutable', { body: 'not json' }],
  ])('neither stops a batch whose row was %s', async (outcome, changes) => {
    const [bad, good] = [await committed(placed({ aggregateId: 'bad' }), changes), await committed(refund())];
    const { queues } = queuesThat((consumer) => (consumer === 'inventory' ? 'refuse' : 'take'));
    expect(await publishRecords([bad.record, good.record], brokenFor('bad'), publishTo(queues))).toEqual({ batchItemFailures: [] });
    expect(await stored(bad.row)).toMatchObject({ status: 'PENDING' });
    expect(await stored(good.row)).toMatchObject({ status: 'SENT' });
    expect(telemetry.lines).toContainEqual({ message: 'outbox row not marked', fields: expect.objectContaining({ outcome }) as object });
  });

  it('is the relay’s to find where pending rows are indexed', async () => {
    const row = newRow(placed(), { source: 'test', outboxExpirySeconds: 86_400, pendingSeconds: 60, world });
    await tables.put('outbox', { ...row });
    const { queues, sent } = queuesThat(() => 'take');
    await publishRecords([recordOf(row)], brokenFor(row.aggregateId), publishTo(queues));
    world.advance(60_000);
    expect(await relay(publishTo(queues))).toBe(1);
    // The consumers absorb the second copy.
    expect(sent).toHaveLength(4);
    expect(await stored(row)).toMatchObject({ status: 'SENT' });
  });

  it('ends with the lease where the relay held the row', async () => {
    const row = await due(['inventory']);
    const { queues } = queuesThat(() => 'take');
    let writes = 0;
    const failsAfterTheClaim: OutboxContext = {
      ...outbox,
      database: {
        send: (command: object) =>
          command.constructor.name === 'UpdateCommand' && ++writes > 1
            ? Promise.reject(new Error('throttled'))
            : tables.database.send(command as never),
      } as never,
    };
    expect(await relayDueRows(failsAfterTheClaim, publishTo(queues), 'relay-1', () => true)).toBe(1);
    expect(await stored(row)).toMatchObject({ status: 'SENDING' });
    world.advance(durations.prod.relay.leaseSeconds * 1000 + 1);
    expect(await relay(publishTo(queues))).toBe(1);
    expect(await stored(row)).toMatchObject({ status: 'SENT' });
  });
});

describe('a change of a row', () => {
  const failed: RowEvent = { type: 'Failed', owed: ['inventory'], error: 'no', counts: true, dueAt: 1 };

  it('to FAILED is its lease holder’s alone', async () => {
    const row = await due(['inventory']);
    await claim(outbox, row, 'relay-2');
    await saveRow(outbox, row, failed, 'relay-1');
    expect(await stored(row)).toMatchObject({ status: 'SENDING', owner: 'relay-2' });
    await saveRow(outbox, row, failed, 'relay-2');
    expect(await stored(row)).toMatchObject({ status: 'FAILED', attempts: 1 });
  });

  it.each(['SENT', 'DEAD', 'FAILED'] as const)('to FAILED does not leave %s', async (status) => {
    const { row } = await committed(placed(), { status, owner: 'relay-1' });
    await saveRow(outbox, row, failed);
    await saveRow(outbox, row, failed, 'relay-1');
    expect(await stored(row)).toEqual({ ...row, status });
  });

  it.each([
    ['PENDING', true],
    ['SENT', true],
    ['FAILED', false],
    ['SENDING', false],
    ['DEAD', false],
  ] as const)('to be sent again leaves %s: %s', async (status, leaves) => {
    const { row } = await committed(placed(), { status });
    expect(await requeue(outbox, row, ['inventory'], 'missed')).toBe(leaves);
    expect((await stored(row)).status).toBe(leaves ? 'FAILED' : status);
  });
});
