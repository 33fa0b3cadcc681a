import type { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { beforeEach, describe, expect, it } from 'vitest';
import { topology } from '../../lambdas/contract/routes.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { openShardOf } from '../../lambdas/contract/tables.ts';
import type { Queues } from '@outbox-saga/kit/aws/clients';
import type { CommitContext } from '@outbox-saga/kit/outbox/commit';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { newRow, type OutboxRow } from '@outbox-saga/kit/outbox/row';
import type { OutboxContext } from '@outbox-saga/kit/outbox/row-store';
import { relayDueRows } from '@outbox-saga/kit/outbox/relay';
import { sweepOpenOrders, type Sweep } from '../../lambdas/order-saga/sweep.ts';
import { aMessage, anOrder, orderKeys, testTelemetry, testWorld } from '../support/builders.ts';
import { clearedTables } from '../support/tables.ts';

const hour = 3_600_000;
const { reminder: policy, relay } = durations.prod;

const tables = clearedTables('orders', 'outbox');
let world: ReturnType<typeof testWorld>;
let commits: CommitContext;
let outbox: OutboxContext;
let orderId: string;
let row: OutboxRow;

beforeEach(async () => {
  world = testWorld();
  commits = { database: tables.database, outboxTable: 'outbox', source: 'test', outboxExpirySeconds: 30 * 86_400, world };
  outbox = { database: tables.database, table: 'outbox', relay, telemetry: testTelemetry(), world };
  const order = anOrder({ step: 'CAPTURING_PAYMENT', version: 2, placedAt: world.now(), updatedAt: world.now() });
  ({ orderId } = order);
  await tables.put('orders', { ...JSON.parse(JSON.stringify(order)), openShard: openShardOf(orderId) });
  const asked = { ...orderKeys, amount: 1, currency: 'JPY', token: 't' };
  row = newRow(aMessage('PaymentRequested', asked, { aggregateId: orderId, sequence: 2, messageId: world.newId() }), commits);
});

const sweep = (): Promise<Sweep> => {
  const store = { ...commits, ordersTable: 'orders' };
  return sweepOpenOrders({
    saga: { store, makeMessage: messageMaker(topology, world), telemetry: testTelemetry() },
    closing: {
      store,
      makeMessage: messageMaker(topology, world),
      outbox,
      orderViewTable: 'orderView',
      notificationsTable: 'notifications',
      policy,
    },
    places: { database: tables.database, table: 'idempotency', telemetry: testTelemetry(), world },
    policy,
    closeAfterSeconds: 30,
    unclosedAfterSeconds: 86_400,
    mostMoves: 1000,
    causationId: 'run-1',
    mayContinue: () => true,
  });
};
/** A relay before queues that take everything, but for one that takes nothing. */
const relayTo = (down: string): Promise<number> => {
  const send = ({ input }: SendMessageBatchCommand): Promise<object> =>
    input.QueueUrl === down ? Promise.reject(new Error('the queue is gone')) : Promise.resolve({});
  const queueUrls = Object.fromEntries(Object.keys(topology.consumers).map((name) => [name, name]));
  return relayDueRows(
    outbox,
    { topology, queues: { send } as unknown as Queues, queueUrls, holdSeconds: durations.prod.retry.windowSeconds },
    world.newId(),
    () => true,
  );
};
const stored = (): Promise<Record<string, unknown> | undefined> => tables.get('outbox', { aggregateId: orderId, messageId: row.messageId });

describe('a deadline', () => {
  it('does not wait for a listener whose queue takes nothing', async () => {
    await tables.put('outbox', {
      ...row,
      status: 'FAILED',
      owed: ['order-view'],
      attempts: 0,
      attention: 'due#0',
      attentionAt: world.now(),
    });
    let moved = 0;
    for (let run = 0; run < 48; run++) {
      world.advance(hour);
      moved += (await sweep()).moved;
    }
    expect(moved).toBeGreaterThan(0);
  });

  it('waits for the one who has to act, however long that queue takes nothing', async () => {
    await tables.put('outbox', { ...row });
    for (let run = 0; run < 48; run++) {
      world.advance(hour);
      await relayTo('payment');
      expect(await sweep()).toMatchObject({ moved: 0, resent: 1 });
    }
    expect(await stored()).toMatchObject({ status: 'FAILED', owed: ['payment'] });
  });

  it('counts from when the question reached the one who has to act, not from when it was committed or the listener got it', async () => {
    await tables.put('outbox', { ...row });
    // The stream lost it; the sweep finds it, and the relay hands it over while the read model's queue is down.
    world.advance(3 * hour);
    expect(await sweep()).toMatchObject({ moved: 0, resent: 1 });
    await relayTo('order-view');
    const handedAt = world.now();
    expect(await stored()).toMatchObject({ status: 'FAILED', owed: ['order-view'], handedAt });
    world.advance(policy.baseSeconds * 1000 - 1);
    expect(await sweep()).toMatchObject({ moved: 0, resent: 0 });
    // The relay's later tries change nothing, nor does its success.
    await relayTo('nobody');
    expect(await stored()).toMatchObject({ status: 'SENT', sentAt: world.now(), handedAt });
    world.advance(1);
    expect(await sweep()).toMatchObject({ moved: 1 });
  });
});
