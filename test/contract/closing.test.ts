import type { SQSEvent } from 'aws-lambda';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeEnvelope, type Envelope } from '@outbox-saga/kit/messages/envelope';
import { PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { decodeMessage } from '@outbox-saga/kit/messages/topology';
import type { Order } from '../../lambdas/contract/order.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { viewSortKey } from '../../lambdas/contract/tables.ts';
import type { CommitContext } from '@outbox-saga/kit/outbox/commit';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { newRow } from '@outbox-saga/kit/outbox/row';
import { close, type Closing } from '../../lambdas/order-saga/closing.ts';
import { createHandler as orderView } from '../../lambdas/order-view/handler.ts';
import type { Settled } from '../../lambdas/notification/notification.ts';
import { notify } from '../../lambdas/notification/notify.ts';
import { aMessage, anOrder, testTelemetry, testWorld } from '../support/builders.ts';
import { testConnections, testContext } from '../support/handlers.ts';
import { withStaleReads } from '../support/stale-reads.ts';
import { clearedTables } from '../support/tables.ts';

const day = 86_400_000;
const ada = 'ada@example.com';
const tables = clearedTables('notifications', 'orders', 'orderView', 'outbox', 'idempotency');
let world: ReturnType<typeof testWorld>;
beforeEach(() => {
  world = testWorld();
});

const commits = (): CommitContext => ({
  database: tables.database,
  outboxTable: 'outbox',
  source: 'test',
  outboxExpirySeconds: 30 * 86_400,
  world,
});
const closing = (database = tables.database): Closing => ({
  store: { ...commits(), database, ordersTable: 'orders' },
  makeMessage: messageMaker(topology, world),
  outbox: { database, table: 'outbox', relay: durations.prod.relay, telemetry: testTelemetry(), world },
  orderViewTable: 'orderView',
  notificationsTable: 'notifications',
  policy: durations.prod.reminder,
});
const check = (order: Order): Promise<string> => close(closing(), order, 'run-1');

/** A settled order of version 3 that is not closed, and whose rows have expired. */
const settled = async (changes: Partial<Order> = {}): Promise<Order> => {
  const order = anOrder({ step: 'SETTLED', status: 'CONFIRMED', version: 3, settledAt: world.now(), email: ada, ...changes });
  await tables.put('orders', { ...JSON.parse(JSON.stringify(order)), openShard: 'open#0' });
  return order;
};
const view = (order: Order, sequence: number, at = tables) =>
  at.put('orderView', { customerId: order.customerId, placedOrder: viewSortKey(order.placedAt, order.orderId), sequence });
const outcome = (order: Order): Settled =>
  aMessage(
    'OrderConfirmed',
    { customerId: order.customerId, placedAt: order.placedAt, amount: order.total, currency: order.currency, email: order.email },
    { aggregateId: order.orderId, sequence: order.version, messageId: world.newId() },
  );
const sent = async (order: Order): Promise<void> =>
  tables.put('outbox', { ...newRow(outcome(order), commits()), status: 'SENT', sentAt: world.now() });
const notification = (mailer?: () => Promise<void>) => (message: Settled) =>
  notify(
    { store: { database: tables.database, table: 'notifications', world, leaseSeconds: 30 }, telemetry: testTelemetry(), mailer },
    message,
  );

describe('an order whose e-mail is due', () => {
  const down = (): Promise<void> => Promise.reject(new TransientError('unavailable', 'SES is down'));

  it('stays open, and its message goes to the notification again', async () => {
    const order = await settled();
    await view(order, 3);
    await sent(order);
    await expect(notification(down)(outcome(order))).rejects.toThrow('SES is down');
    // Its queue is emptied, or its message gave up after six hours.
    world.advance(7 * 3_600_000);
    expect(await check(order)).toBe('sent again');
    expect(await tables.all('outbox')).toMatchObject([{ status: 'FAILED', owed: ['notification'] }]);
  });

  it.each([
    ['sent', () => Promise.resolve()],
    ['refused', () => Promise.reject(new PermanentError('no such domain'))],
  ])('is closed once it is %s', async (_, mailer) => {
    const order = await settled();
    await view(order, 3);
    await sent(order);
    await notification(mailer)(outcome(order));
    expect(await check(order)).toBe('closed');
  });
});

describe('an order whose rows expired while a listener was down', () => {
  const told = async (): Promise<Envelope[]> => (await tables.all('outbox')).map(({ body }) => decodeEnvelope(body as string));
  /** Hands the message of the only row to the read model, as SQS would at its n-th receive. */
  const show = async (receive: number): Promise<unknown> => {
    const environment = {
      STAGE: 'prod',
      QUEUE_URL: 'q',
      DEAD_LETTER_QUEUE_URL: 'd',
      IDEMPOTENCY_TABLE: 'idempotency',
      ORDER_VIEW_TABLE: 'orderView',
      ORDERS_TABLE: 'orders',
    } as const;
    const handler = orderView(environment, {
      ...testConnections('order-view', tables, world),
      queues: { send: () => Promise.resolve({}) } as never,
    });
    const [row] = await tables.all('outbox');
    const record = {
      messageId: 'sqs-1',
      receiptHandle: 'r',
      body: row!['body'],
      attributes: { ApproximateReceiveCount: String(receive), ApproximateFirstReceiveTimestamp: '1' },
      messageAttributes: {},
    };
    return handler({ Records: [record] } as unknown as SQSEvent, testContext());
  };

  it.each<[string, Partial<Order>]>([
    ['OrderConfirmed', {}],
    ['OrderFailed', { status: 'FAILED', failure: { code: 'OUT_OF_STOCK', detail: 'tea' } }],
    ['OrderCancelled', { status: 'CANCELLED', cancelled: true }],
  ])('tells its outcome again, is shown, notified and closed: %s', async (type, changes) => {
    const order = await settled(changes);
    await view(order, 1);
    world.advance(33 * day);
    expect(await check(order)).toBe('sent again');
    const [message] = await told();
    expect(message).toMatchObject({ type, sequence: 3, aggregateId: order.orderId, causationId: 'run-1', occurredAt: order.updatedAt });
    expect(await tables.all('outbox')).toMatchObject([{ status: 'PENDING', committedAt: world.now() }]);

    // The read model waits for what lies between, and then stops waiting.
    for (const receive of [1, 2]) expect(await show(receive)).toEqual({ batchItemFailures: [{ itemIdentifier: 'sqs-1' }] });
    expect(await show(3)).toEqual({ batchItemFailures: [] });
    expect(await tables.all('orderView')).toMatchObject([{ sequence: 3, status: order.status, updatedAt: order.updatedAt }]);
    const [row] = await tables.all('outbox');
    expect(await notification()(decodeMessage(topology, row!['body'] as string) as Settled)).toBe('recorded');
    await tables.put('outbox', { ...row, status: 'SENT', sentAt: world.now() });
    expect(await check(order)).toBe('closed');
  });

  it('tells it when only the notification is missing', async () => {
    const order = await settled();
    await view(order, 3);
    expect(await check(order)).toBe('sent again');
    expect(await told()).toHaveLength(1);
  });

  it('has one row of its last version at a time, however many tell it at once and however long nobody hears', async () => {
    const order = await settled();
    const atOnce = await Promise.all([check(order), check(order), check(order)]);
    expect(atOnce.toSorted()).toEqual(['sent again', 'waiting', 'waiting']);
    expect(await told()).toHaveLength(1);
    const seen = new Set<string>();
    for (let run = 0; run < 60; run++) {
      world.advance(day / 2);
      seen.add(await check(order));
      const [row] = await tables.all('outbox');
      await tables.put('outbox', { ...row, status: 'SENT', sentAt: world.now() });
    }
    expect(await told()).toHaveLength(1);
    expect([...seen]).toEqual(['sent again']);
  });

  it('tells it another time when that row has expired as well', async () => {
    const order = await settled();
    for (let month = 0; month < 2; month++) {
      expect(await check(order)).toBe('sent again');
      expect(await told()).toHaveLength(1);
      await tables.clear('outbox');
      world.advance(33 * day);
    }
  });

  it.each([
    ['is given up and waits for an operator', {}],
    ['cannot be read, and may be that one', { body: 'unreadable' }],
  ])('tells nothing while a row of it %s', async (_, changes) => {
    const order = await settled();
    await tables.put('outbox', { ...newRow(outcome(order), commits()), status: 'DEAD', ...changes });
    world.advance(day);
    expect(await check(order)).toBe('waiting');
    expect(await tables.all('outbox')).toHaveLength(1);
  });

  it('is closed without a word when everybody knows', async () => {
    const order = await settled();
    await view(order, 3);
    await notification()(outcome(order));
    expect(await check(order)).toBe('closed');
    expect(await told()).toEqual([]);
  });
});

describe('the closing check reads what was written a moment ago', () => {
  it('in the read model', async () => {
    const order = await settled();
    await sent(order);
    await notification()(outcome(order));
    const stale = withStaleReads(tables);
    await view(order, 2, stale);
    await view(order, 3, stale);
    expect(await close(closing(stale.database), order, 'run-1')).toBe('closed');
  });

  it('in the notifications', async () => {
    const order = await settled();
    await view(order, 3);
    await sent(order);
    const stale = withStaleReads(tables);
    await stale.put('notifications', { orderId: order.orderId, email: 'sent' });
    expect(await close(closing(stale.database), order, 'run-1')).toBe('closed');
  });
});
