import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { TransientError } from '@outbox-saga/kit/errors';
import { topology } from '../../lambdas/contract/routes.ts';
import { openShardName, openShardOf, viewSortKey } from '../../lambdas/contract/tables.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { newRow, type OutboxRow } from '@outbox-saga/kit/outbox/row';
import { commit, CommitRefused, type CommitContext, type Write } from '@outbox-saga/kit/outbox/commit';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { releaseStock, reserveStock, type Inventory } from '../../lambdas/inventory/stock.ts';
import { advance, handleReply, type Saga } from '../../lambdas/order-saga/advance.ts';
import { sweepOpenOrders } from '../../lambdas/order-saga/sweep.ts';
import { findOrder } from '../../lambdas/order-saga/store.ts';
import { applyChange, repair } from '../../lambdas/order-view/store.ts';
import { changeOf } from '../../lambdas/order-view/view.ts';
import { acceptOrder } from '../../lambdas/place-order/store.ts';
import { listOrders } from '../../lambdas/query-orders/store.ts';
import { aMessage, anOrder, orderKeys, testTelemetry, testWorld } from '../support/builders.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
const world = testWorld();
const makeMessage = messageMaker(topology, world);
let commits: CommitContext;

beforeAll(async () => {
  tables = await startTables();
  commits = { database: tables.database, outboxTable: 'outbox', source: 'test', outboxExpirySeconds: 3600, world };
});
afterAll(() => tables.stop());
beforeEach(() => tables.clear('outbox'));

const said = async (): Promise<string[]> =>
  (await tables.all('outbox')).map(({ body }) => (JSON.parse(body as string) as { type: string }).type);

describe('a commit', () => {
  const canceled = (...codes: string[]) =>
    new TransactionCanceledException({ message: 'cancelled', $metadata: {}, CancellationReasons: codes.map((Code) => ({ Code })) });
  /** A database that cancels the first transactions, then works. */
  const failing = (times: number, error: () => Error): CommitContext => ({
    ...commits,
    database: {
      send: ((command: never) => (times-- > 0 ? Promise.reject(error()) : tables.database.send(command))) as never,
    },
  });
  const row = () => makeMessage('StockReserved', {}, { aggregateId: 'a', groupId: 'g', correlationId: 'c', causationId: 'm' });

  it('tries again at once under contention, and writes once', async () => {
    await commit(
      failing(3, () => canceled('None', 'TransactionConflict')),
      {},
      [row()],
    );
    expect(await said()).toEqual(['StockReserved']);
  });
  it('gives up as transient when contention persists, never as "already done"', async () => {
    const stuck = commit(
      failing(99, () => canceled('ConditionalCheckFailed', 'TransactionConflict')),
      {},
      [row()],
    );
    await expect(stuck).rejects.toMatchObject({ name: 'TransientError', reason: 'conflict' });
    expect(await said()).toEqual([]);
  });
  it('is transient when it is throttled, and permanent when it is invalid', async () => {
    await expect(
      commit(
        failing(9, () => canceled('ThrottlingError')),
        {},
        [row()],
      ),
    ).rejects.toMatchObject({ reason: 'throttled' });
    await expect(
      commit(
        failing(9, () => canceled('ValidationError')),
        {},
        [row()],
      ),
    ).rejects.toMatchObject({ name: 'PermanentError' });
  });
  it('says by its name which write was refused, and what that write met', async () => {
    await tables.put('payments', { orderId: 'taken', status: 'CAPTURED' });
    const put = (orderId: string): Write => ({
      Put: {
        TableName: 'payments',
        Item: { orderId },
        ConditionExpression: 'attribute_not_exists(orderId)',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      },
    });
    const refused = await commit(commits, { first: put('free'), second: put('taken') }, [row()]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CommitRefused);
    expect([...(refused as CommitRefused).refusals]).toEqual([['second', { orderId: 'taken', status: 'CAPTURED' }]]);
    expect((refused as CommitRefused).message).toBe('conditions of write second do not hold');
    expect(await tables.get('payments', { orderId: 'free' })).toBeUndefined();
  });
  it('passes on what it does not understand', async () => {
    await expect(
      commit(
        failing(9, () => new Error('network')),
        {},
        [row()],
      ),
    ).rejects.toThrow('network');
  });
});

describe('accepting', () => {
  const message = (order: { orderId: string }) =>
    makeMessage(
      'OrderPlaced',
      { ...orderKeys, currency: 'JPY', total: 1, items: [{ sku: 'a', qty: 1 }] },
      { aggregateId: order.orderId, sequence: 1, groupId: 'g', correlationId: 'c', causationId: 'r' },
    );

  it('writes order and row together, once, and tells a replay from a reused key', async () => {
    const store = { ...commits, ordersTable: 'orders' };
    const order = anOrder();
    expect(await acceptOrder(store, order, 'hash-1', message(order))).toBe('accepted');
    expect(await acceptOrder(store, order, 'hash-1', message(order))).toBe('replayed');
    expect(await acceptOrder(store, order, 'hash-2', message(order))).toBe('key-reused');
    expect(await said()).toEqual(['OrderPlaced']);
    expect(await tables.get('orders', { orderId: order.orderId })).toMatchObject({
      status: 'PENDING',
      openShard: expect.stringMatching(/^open#/),
      version: 1,
    });
  });
});

describe('the saga’s store', () => {
  let telemetry: ReturnType<typeof testTelemetry>;
  let saga: Saga;
  beforeEach(() => {
    telemetry = testTelemetry();
    saga = { store: { ...commits, ordersTable: 'orders' }, makeMessage, telemetry };
  });
  const stored = async (changes = {}) => {
    const order = anOrder(changes);
    await tables.put('orders', { ...JSON.parse(JSON.stringify(order)), openShard: 'open#0' });
    return order;
  };
  const reply = (orderId: string) => aMessage('StockReserved', {}, { aggregateId: orderId });

  it('advances an order with exactly one row that carries its new version', async () => {
    const { orderId } = await stored();
    expect(await handleReply(saga, reply(orderId))).toBe('PaymentRequested');
    expect(await tables.get('orders', { orderId })).toMatchObject({ step: 'CAPTURING_PAYMENT', version: 2 });
    const rows = await tables.all('outbox');
    expect(rows.map(({ body }) => JSON.parse(body as string))).toMatchObject([
      { type: 'PaymentRequested', sequence: 2, aggregateId: orderId },
    ]);
  });

  it('ignores a repeated reply and writes nothing', async () => {
    const { orderId } = await stored();
    await handleReply(saga, reply(orderId));
    expect(await handleReply(saga, reply(orderId))).toBe('ignored: StockReserved while CAPTURING_PAYMENT');
    expect(await tables.all('outbox')).toHaveLength(1);
  });

  it('lets one of two racing replies win and decides the other one again', async () => {
    const { orderId } = await stored();
    const outcomes = await Promise.all([handleReply(saga, reply(orderId)), handleReply(saga, reply(orderId))]);
    expect(outcomes.toSorted()).toEqual(['PaymentRequested', 'ignored: StockReserved while CAPTURING_PAYMENT']);
  });

  it('cancels at any step once, and ends CANCELLED after everything was undone', async () => {
    const { orderId } = await stored({ step: 'ARRANGING_SHIPMENT', version: 3 });
    const load = async () => (await findOrder(saga.store, orderId))!;
    expect(await advance(saga, load, { type: 'Cancel' }, 'request-1')).toMatchObject({
      outcome: 'ShipmentCancelRequested',
      order: { step: 'CALLING_OFF_SHIPMENT', cancelled: true },
    });
    expect(await advance(saga, load, { type: 'Cancel' }, 'request-2')).toMatchObject({
      outcome: 'ignored: the order is being undone already',
    });
    await handleReply(saga, aMessage('ShipmentCancelled', {}, { aggregateId: orderId }));
    await handleReply(saga, aMessage('PaymentRefunded', { amount: 1, currency: 'JPY' }, { aggregateId: orderId }));
    await handleReply(saga, aMessage('StockReleased', {}, { aggregateId: orderId }));
    expect(await tables.get('orders', { orderId })).toMatchObject({ status: 'CANCELLED', step: 'SETTLED', version: 7, cancelled: true });
    expect((await said()).toSorted()).toEqual(['OrderCancelled', 'RefundRequested', 'ShipmentCancelRequested', 'StockReleaseRequested']);
  });

  describe('the sweep', () => {
    const policy = { baseSeconds: 60, factor: 2, capSeconds: 600, maxReminders: 1 };
    const sweep = (mayContinue = () => true) =>
      sweepOpenOrders({
        saga,
        closing: {
          store: saga.store,
          makeMessage,
          outbox: { database: tables.database, table: 'outbox', relay: durations.prod.relay, telemetry, world },
          orderViewTable: 'orderView',
          notificationsTable: 'notifications',
          policy: { baseSeconds: 300, factor: 3, capSeconds: 3600 },
        },
        places: { database: tables.database, table: 'idempotency', telemetry, world },
        policy,
        closeAfterSeconds: 60,
        unclosedAfterSeconds: 86_400,
        mostMoves: 1000,
        causationId: 'run-1',
        mayContinue,
      });
    const open = async (changes = {}) => {
      const order = anOrder({ placedAt: world.now(), updatedAt: world.now(), ...changes });
      await tables.put('orders', { ...JSON.parse(JSON.stringify(order)), openShard: openShardOf(order.orderId) });
      return order.orderId;
    };
    beforeEach(async () => {
      await tables.clear('orders');
      await tables.clear('idempotency');
    });

    /** What the publisher does, when it is not the subject. */
    const publish = async () => {
      for (const row of await tables.all('outbox')) await tables.put('outbox', { ...row, status: 'SENT', sentAt: world.now() });
    };

    it('asks again for what nobody answered, gives it up after its nudges, and leaves the young alone', async () => {
      const orderId = await open();
      world.advance(59_000);
      expect(await sweep()).toEqual({ looked: 0, moved: 0, closed: 0, resent: 0, stuck: 0, unclosed: 0 });
      world.advance(1000);
      const young = await open();
      expect(await sweep()).toMatchObject({ looked: 1, moved: 1, stuck: 0 });
      expect(await tables.get('orders', { orderId })).toMatchObject({ step: 'RESERVING_STOCK', version: 2, nudges: 1 });
      await publish();
      expect(await sweep()).toMatchObject({ moved: 0 });
      world.advance(120_000);
      await sweep();
      expect(await tables.get('orders', { orderId })).toMatchObject({
        step: 'RELEASING_STOCK',
        version: 3,
        nudges: 0,
        failure: { code: 'TIMED_OUT' },
      });
      expect(await tables.get('orders', { orderId: young })).toMatchObject({ nudges: 1 });
      expect((await said()).toSorted()).toEqual(['OrderPlaced', 'OrderPlaced', 'StockReleaseRequested']);
    });

    it('sends what was never sent before it asks again, and gives no order up for an outage of its own delivery', async () => {
      const orderId = await open();
      const row = {
        ...newRow(
          aMessage('OrderPlaced', { ...orderKeys, currency: 'JPY', total: 1, items: [{ sku: 'a', qty: 1 }] }, { aggregateId: orderId }),
          {
            source: 'test',
            outboxExpirySeconds: 3600,
            world,
          },
        ),
      };
      const lost = { ...row, messageId: world.newId(), body: 'unreadable' };
      await tables.put('outbox', row);
      await tables.put('outbox', lost);
      world.advance(7 * 86_400_000);
      expect(await sweep()).toMatchObject({ moved: 0, resent: 1 });
      expect(await tables.get('outbox', { aggregateId: orderId, messageId: row.messageId })).toMatchObject({
        status: 'FAILED',
        owed: ['inventory', 'order-view'],
        attentionAt: world.now(),
      });
      // Nobody here knows whom it is for: whoever relays it may.
      const unknown = await tables.get('outbox', { aggregateId: orderId, messageId: lost.messageId });
      expect(unknown).toMatchObject({ status: 'FAILED' });
      expect(unknown).not.toHaveProperty('owed');
      expect(await sweep()).toMatchObject({ moved: 0, resent: 1 });
      expect(await tables.get('orders', { orderId })).toMatchObject({ version: 1 });
      // The relay sent it a moment ago: whoever is asked has the whole wait to answer.
      await tables.put('outbox', { ...row, status: 'SENT', sentAt: world.now() });
      await tables.put('outbox', { ...lost, status: 'DEAD' });
      world.advance(59_000);
      expect(await sweep()).toMatchObject({ moved: 0, resent: 0 });
      world.advance(1000);
      expect(await sweep()).toMatchObject({ moved: 1 });
      expect(await tables.get('orders', { orderId })).toMatchObject({ version: 2, nudges: 1, step: 'RESERVING_STOCK' });
    });

    it('counts orders whose undo nobody answers as stuck', async () => {
      await open({ step: 'REFUNDING_PAYMENT', failure: { code: 'UNDELIVERABLE', detail: 'x' }, nudges: 1 });
      world.advance(600_000);
      expect(await sweep()).toMatchObject({ moved: 1, stuck: 1 });
      expect(telemetry.measured.get('OrdersStuck')).toEqual([1]);
    });

    it('asks a thousand orders again in one run at most, and the rest in the next', async () => {
      for (let i = 0; i < 1030; i++) await open();
      world.advance(60_000);
      const { looked, moved } = await sweep();
      expect(looked).toBe(1030);
      // Those that were in hand when the bound was reached are finished.
      expect(moved).toBeGreaterThanOrEqual(1000);
      expect(moved).toBeLessThan(1020);
      await publish();
      expect(await sweep()).toMatchObject({ moved: 1030 - moved });
    });

    it('goes on when one order cannot be read, and stops when it is told to', async () => {
      for (let i = 0; i < 3; i++) await open();
      await open({ schemaVersion: 9 as never });
      world.advance(60_000);
      expect(await sweep(() => false)).toMatchObject({ looked: 0 });
      expect(await sweep()).toMatchObject({ looked: 4, moved: 3 });
      expect(telemetry.lines.filter(({ message }) => message === 'open order not handled')).toHaveLength(1);
    });

    it('reaches every open order, page by page', async () => {
      for (let i = 0; i < 230; i++)
        await tables.put('orders', { orderId: `x${i}`, openShard: openShardName(3), placedAt: i, schemaVersion: 9 });
      expect(await sweep()).toMatchObject({ looked: 230 });
    });

    describe('closing a settled order', () => {
      let order: ReturnType<typeof anOrder>;
      let rows: OutboxRow[];
      const known = async ({ view = 2, notified = true } = {}) => {
        if (view > 0)
          await tables.put('orderView', {
            customerId: order.customerId,
            placedOrder: viewSortKey(order.placedAt, order.orderId),
            sequence: view,
          });
        if (notified) await tables.put('notifications', { orderId: order.orderId });
      };
      const isOpen = async () => (await tables.get('orders', { orderId: order.orderId }))?.['openShard'] !== undefined;
      const row = async (i: number) => tables.get('outbox', { aggregateId: order.orderId, messageId: rows[i]!.messageId });
      beforeEach(async () => {
        await tables.clear('orderView');
        await tables.clear('notifications');
        order = anOrder({
          placedAt: world.now(),
          updatedAt: world.now(),
          settledAt: world.now(),
          step: 'SETTLED',
          status: 'FAILED',
          version: 2,
          failure: { code: 'OUT_OF_STOCK', detail: '' },
        });
        await tables.put('orders', { ...JSON.parse(JSON.stringify(order)), openShard: openShardOf(order.orderId) });
        const context = { aggregateId: order.orderId, groupId: 'g', correlationId: 'c', causationId: 'm' };
        const keys = { customerId: order.customerId, placedAt: order.placedAt };
        rows = [
          makeMessage('OrderPlaced', { ...keys, currency: 'JPY', total: 1, items: [{ sku: 'a', qty: 1 }] }, { ...context, sequence: 1 }),
          makeMessage('OrderFailed', { ...keys, code: 'OUT_OF_STOCK', detail: '' }, { ...context, sequence: 2 }),
        ].map((message): OutboxRow => ({
          ...newRow(message, { source: 'test', outboxExpirySeconds: 3600, world }),
          status: 'SENT',
          sentAt: world.now(),
        }));
        for (const sent of rows) await tables.put('outbox', { ...sent });
        world.advance(400_000);
      });

      it('takes it out of the open index when everyone knows of it', async () => {
        await known();
        expect(await sweep()).toMatchObject({ closed: 1, resent: 0 });
        expect(await isOpen()).toBe(false);
      });

      it('sends what the read model lacks again, to it alone', async () => {
        await known({ view: 1 });
        expect(await sweep()).toMatchObject({ closed: 0, resent: 1 });
        expect(await row(1)).toMatchObject({ status: 'FAILED', owed: ['order-view'], attentionAt: world.now() });
        expect(await row(0)).toMatchObject({ status: 'SENT' });
        expect(await isOpen()).toBe(true);
      });

      it('waits longer each time before it sends again, and counts nothing against the row', async () => {
        await known({ view: 1 });
        const waits: number[] = [];
        for (let i = 0; i < 5; i++) {
          const before = world.now();
          while ((await sweep()).resent === 0) world.advance(300_000);
          waits.push((world.now() - before) / 1000);
          const sent = await row(1);
          expect(sent).toMatchObject({ status: 'FAILED', attempts: 0, resends: i + 1 });
          await tables.put('outbox', { ...sent, status: 'SENT', sentAt: world.now(), attempts: 1 });
        }
        expect(waits).toEqual([0, 900, 2700, 3600, 3600]);
      });

      it('sends the settlement again when nobody was notified', async () => {
        await known({ notified: false });
        expect(await sweep()).toMatchObject({ closed: 0, resent: 1 });
        expect(await row(1)).toMatchObject({ status: 'FAILED', owed: ['notification'] });
      });

      it('sends a row that the stream never delivered to all of its route', async () => {
        await known();
        await tables.put('outbox', { ...rows[0]!, status: 'PENDING' });
        expect(await sweep()).toMatchObject({ closed: 0, resent: 1 });
        expect(await row(0)).toMatchObject({ status: 'FAILED', owed: ['inventory', 'order-view'] });
      });

      it('stays open, without stumbling, while a row is dead', async () => {
        await known();
        await tables.put('outbox', { ...rows[0]!, status: 'DEAD', body: 'unreadable' });
        expect(await sweep()).toMatchObject({ closed: 0, resent: 0 });
        expect(telemetry.lines.filter(({ message }) => message === 'open order not handled')).toEqual([]);
      });

      it('waits for what was sent a moment ago, and for what the relay has', async () => {
        await known({ view: 1 });
        await tables.put('outbox', { ...rows[1]!, sentAt: world.now() - 1000 });
        await tables.put('outbox', { ...rows[0]!, status: 'FAILED', attention: 'due#0', attentionAt: world.now() + 1 });
        expect(await sweep()).toMatchObject({ closed: 0, resent: 0 });
        expect(await isOpen()).toBe(true);
      });
    });
  });

  it('settles an order: it says its outcome, and stays open until it is closed', async () => {
    const { orderId } = await stored({ step: 'ARRANGING_SHIPMENT', version: 3 });
    await handleReply(saga, aMessage('ShipmentArranged', { trackingId: 't' }, { aggregateId: orderId }));
    const order = await tables.get('orders', { orderId });
    expect(order).toMatchObject({ status: 'CONFIRMED', version: 4, settledAt: expect.any(Number) });
    expect(order).toHaveProperty('openShard');
    expect([...telemetry.measured.keys()].toSorted()).toEqual(['OrdersConfirmed', 'SettleTime']);
    expect(telemetry.lines[0]).toMatchObject({
      message: 'order transition',
      fields: { from: 'ARRANGING_SHIPMENT', to: 'SETTLED', status: 'CONFIRMED' },
    });
  });

  it('is permanent about an order that does not exist or has an unknown shape', async () => {
    await expect(handleReply(saga, reply('ord_NOBODY'))).rejects.toMatchObject({ name: 'PermanentError' });
    const { orderId } = await stored({ schemaVersion: 9 as never });
    await expect(handleReply(saga, reply(orderId))).rejects.toThrow(/schema version 9/);
  });
});

describe('inventory', () => {
  let inventory: Inventory;
  let orderId: string;
  beforeEach(async () => {
    inventory = { store: { ...commits, inventoryTable: 'inventory' }, makeMessage };
    orderId = anOrder().orderId;
    for (const sku of ['a', 'b']) await tables.put('inventory', { pk: `sku#${sku}`, available: 5, reserved: 0, version: 1 });
  });
  const placed = (items: { sku: string; qty: number }[]) =>
    aMessage('OrderPlaced', { ...orderKeys, currency: 'JPY', total: 1, items }, { aggregateId: orderId, sequence: 1 });
  const release = () => aMessage('StockReleaseRequested', orderKeys, { aggregateId: orderId });
  const level = async (sku: string) => {
    const item = await tables.get('inventory', { pk: `sku#${sku}` });
    return [item?.['available'], item?.['reserved']];
  };

  it('reserves all lines or none', async () => {
    expect(
      await reserveStock(
        inventory,
        placed([
          { sku: 'a', qty: 2 },
          { sku: 'b', qty: 5 },
        ]),
      ),
    ).toBe('reserved');
    expect([await level('a'), await level('b')]).toEqual([
      [3, 2],
      [0, 5],
    ]);
    orderId = anOrder().orderId;
    expect(
      await reserveStock(
        inventory,
        placed([
          { sku: 'a', qty: 3 },
          { sku: 'b', qty: 1 },
          { sku: 'never', qty: 1 },
        ]),
      ),
    ).toBe('rejected');
    expect([await level('a'), await level('b')]).toEqual([
      [3, 2],
      [0, 5],
    ]);
    const rows = await tables.all('outbox');
    expect(rows.map(({ body }) => JSON.parse(body as string)).find(({ type }) => type === 'StockRejected')).toMatchObject({
      data: {
        shortages: [
          { sku: 'b', asked: 1, available: 0 },
          { sku: 'never', asked: 1, available: 0 },
        ],
      },
    });
  });

  it('answers again from its record, and takes nothing twice', async () => {
    await reserveStock(inventory, placed([{ sku: 'a', qty: 2 }]));
    expect(await reserveStock(inventory, placed([{ sku: 'a', qty: 2 }]))).toBe('answered again: StockReserved');
    expect(await level('a')).toEqual([3, 2]);
    expect(await said()).toEqual(['StockReserved', 'StockReserved']);
  });

  it('stays with a rejection, also when stock has come since', async () => {
    await reserveStock(inventory, placed([{ sku: 'a', qty: 9 }]));
    await tables.put('inventory', { pk: 'sku#a', available: 99, reserved: 0, version: 1 });
    expect(await reserveStock(inventory, placed([{ sku: 'a', qty: 9 }]))).toBe('answered again: StockRejected');
    expect(await level('a')).toEqual([99, 0]);
  });

  it('releases what it holds once', async () => {
    await reserveStock(inventory, placed([{ sku: 'a', qty: 2 }]));
    expect(await releaseStock(inventory, release())).toBe('released');
    expect(await releaseStock(inventory, release())).toBe('answered again: nothing held (RELEASED)');
    expect(await level('a')).toEqual([5, 0]);
  });

  it('leaves a tombstone when the release comes first, and then reserves nothing', async () => {
    expect(await releaseStock(inventory, release())).toBe('tombstone');
    expect(await reserveStock(inventory, placed([{ sku: 'a', qty: 2 }]))).toBe('answered again: StockRejected');
    expect(await level('a')).toEqual([5, 0]);
  });

  it('never sells more than there is to twenty buyers at once', async () => {
    const buyers = Array.from({ length: 20 }, () => anOrder().orderId);
    const outcomes = await Promise.all(
      buyers.map((id) =>
        reserveStock(
          inventory,
          aMessage('OrderPlaced', { ...orderKeys, currency: 'JPY', total: 1, items: [{ sku: 'a', qty: 1 }] }, { aggregateId: id }),
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'reserved')).toHaveLength(5);
    expect(await level('a')).toEqual([0, 5]);
  });
});

describe('the read model', () => {
  const view = () => ({ database: tables.database, table: 'orderView', ordersTable: 'orders' });
  const placed = (aggregateId: string, placedAt = 1000) =>
    changeOf(
      aMessage(
        'OrderPlaced',
        {
          customerId: 'v1',
          placedAt,
          currency: 'JPY',
          total: 700,
          items: [
            { sku: 'a', qty: 3 },
            { sku: 'b', qty: 1 },
          ],
        },
        { aggregateId, sequence: 1 },
      ),
    );
  const confirmed = (aggregateId: string, sequence: number, placedAt = 1000) =>
    changeOf(aMessage('OrderConfirmed', { customerId: 'v1', placedAt, amount: 700, currency: 'JPY' }, { aggregateId, sequence }));

  it('applies each message on top of the one before, and once', async () => {
    const { orderId } = anOrder();
    expect(await applyChange(view(), placed(orderId))).toBe('applied');
    expect(await applyChange(view(), placed(orderId))).toBe('duplicate');
    expect(await applyChange(view(), confirmed(orderId, 2))).toBe('applied');
    expect(await applyChange(view(), placed(orderId))).toBe('duplicate');
    expect(await tables.get('orderView', { customerId: 'v1', placedOrder: viewSortKey(1000, orderId) })).toMatchObject({
      orderId,
      status: 'CONFIRMED',
      itemCount: 4,
      total: 700,
      sequence: 2,
    });
  });

  it('waits for a message that has not arrived yet', async () => {
    const { orderId } = anOrder();
    await expect(applyChange(view(), confirmed(orderId, 2))).rejects.toMatchObject({
      reason: 'gap',
      message: 'the view is at 0, this is 2',
    });
    await applyChange(view(), placed(orderId));
    await expect(applyChange(view(), confirmed(orderId, 3))).rejects.toMatchObject({
      reason: 'gap',
      message: 'the view is at 1, this is 3',
    });
    await expect(applyChange(view(), confirmed(orderId, 3))).rejects.toBeInstanceOf(TransientError);
  });

  it('repairs itself from the order when a message does not come, and takes nothing back', async () => {
    const order = anOrder({ customerId: 'v1', placedAt: 1000, version: 4, status: 'CONFIRMED', step: 'SETTLED' });
    await tables.put('orders', { ...JSON.parse(JSON.stringify(order)) });
    await applyChange(view(), placed(order.orderId));
    await expect(applyChange(view(), confirmed(order.orderId, 4))).rejects.toMatchObject({ reason: 'gap' });
    expect(await repair(view(), order.orderId)).toBe('repaired');
    expect(await repair(view(), order.orderId)).toBe('duplicate');
    expect(await applyChange(view(), confirmed(order.orderId, 4))).toBe('duplicate');
    expect(await tables.get('orderView', { customerId: 'v1', placedOrder: viewSortKey(1000, order.orderId) })).toMatchObject({
      status: 'CONFIRMED',
      sequence: 4,
      itemCount: 2,
      total: 1000,
    });
    await expect(repair(view(), 'ord_NOBODY')).rejects.toMatchObject({ name: 'PermanentError' });
  });

  it('lists pages of a rare status without losing or repeating any', async () => {
    await tables.clear('orderView');
    const ids: string[] = [];
    for (let i = 0; i < 30; i++) {
      const { orderId } = anOrder();
      await applyChange(view(), placed(orderId, i));
      if (i % 10 === 0) {
        await applyChange(view(), confirmed(orderId, 2, i));
        ids.unshift(orderId);
      }
    }
    const store = { database: tables.database, ordersTable: 'orders', outboxTable: 'outbox', orderViewTable: 'orderView' };
    const found: string[] = [];
    let after: string | undefined;
    let pages = 0;
    do {
      const page = await listOrders(store, { customerId: 'v1', status: 'CONFIRMED', limit: 2, after });
      expect(page.items.length).toBeLessThanOrEqual(2);
      found.push(...page.items.map(({ orderId }) => orderId));
      after = page.next;
      pages++;
    } while (after !== undefined && pages < 50);
    expect(found).toEqual(ids);
  });
});
