import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decodeMessage, typesFor } from '@outbox-saga/kit/messages/topology';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { TransientError } from '@outbox-saga/kit/errors';
import type { Message, MessageType } from '../../lambdas/contract/messages.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import type { Order } from '../../lambdas/contract/order.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { releaseStock, reserveStock } from '../../lambdas/inventory/stock.ts';
import { notify } from '../../lambdas/notification/notify.ts';
import { repair } from '../../lambdas/order-view/store.ts';
import { advance, handleReply, type Saga } from '../../lambdas/order-saga/advance.ts';
import { findOrder } from '../../lambdas/order-saga/store.ts';
import type { Reply } from '../../lambdas/order-saga/steps.ts';
import { effectHandlers } from '../../lambdas/providers/provider-service.ts';
import { payment } from '../../lambdas/payment/payment.ts';
import { shipment } from '../../lambdas/shipping/shipment.ts';
import { testTelemetry, testWorld } from '../support/builders.ts';
import { startTables, type TestTables } from '../support/tables.ts';

type Item = Record<string, unknown>;
type Recorded = Record<'orders' | 'inventory' | 'payments' | 'shipments' | 'orderView' | 'notifications' | 'outbox', Record<string, Item>>;

// What each released version wrote (test/recorded/record.ts): orders are in flight and messages in queues while a new version is deployed.
const folder = join(import.meta.dirname, '../recorded');
const releases = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file): [string, Recorded] => [file.replace('.json', ''), JSON.parse(readFileSync(join(folder, file), 'utf8')) as Recorded]);
const { version: present } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };

let tables: TestTables;
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());

const world = testWorld(Date.UTC(2026, 0, 20));
const makeMessage = messageMaker(topology, world);
const commits = () => ({ database: tables.database, outboxTable: 'outbox', source: 'test', outboxExpirySeconds: 3600, world });
const saga = (): Saga => ({ store: { ...commits(), ordersTable: 'orders' }, makeMessage, telemetry: testTelemetry() });
const effect = { keyName: 'orderId', providerKeySeconds: 3600, callSeconds: 15 };
const port = {
  perform: () => Promise.resolve({ outcome: 'done' as const, reference: 'r' }),
  undo: () => Promise.resolve('undone' as const),
  find: () => Promise.resolve({ outcome: 'done' as const, reference: 'r' }),
};
const payments = () => effectHandlers(payment, { ...commits(), ...effect, port, table: 'payments', names: payment.states }, makeMessage);
const shipments = () =>
  effectHandlers(shipment, { ...commits(), ...effect, port, table: 'shipments', names: shipment.states }, makeMessage);

it('this version has a record of its own', () => {
  expect(releases.map(([version]) => version)).toContain(present);
});

it('each record holds every message type of the one before', () => {
  const types = releases.map(([, { outbox }]) => Object.keys(outbox));
  expect(types[0]).toEqual(expect.arrayContaining(['OrderPlaced', 'PaymentRequested', 'ShipmentArranged', 'OrderCancelled']));
  for (const [i, earlier] of types.slice(0, -1).entries()) expect(types[i + 1]).toEqual(expect.arrayContaining(earlier));
});

describe.each(releases)('what version %s wrote', (_version, recorded) => {
  const message = <Type extends MessageType>(type: Type, aggregateId?: string): Message<Type> => {
    const read = decodeMessage(topology, recorded.outbox[type]!['body'] as string) as Message<Type>;
    return { ...read, ...(aggregateId === undefined ? {} : { aggregateId }), messageId: world.newId() };
  };
  /** Those that this version sent: a later one may have more. */
  const replies = (typesFor(topology, 'order-saga') as MessageType[]).filter((type) => Object.hasOwn(recorded.outbox, type));
  const said = async (): Promise<string[]> => (await tables.all('outbox')).map(({ body }) => (JSON.parse(body as string) as Envelope).type);
  beforeEach(() => tables.clear('outbox'));

  it('holds messages, and each is read', () => {
    expect(replies.length).toBeGreaterThan(5);
    for (const type of Object.keys(recorded.outbox)) expect(message(type as MessageType).type).toBe(type);
  });

  it.each(Object.keys(recorded.orders))('an order that is %s hears every reply, can be cancelled, nudged and shown', async (state) => {
    const item = recorded.orders[state]!;
    const orderId = item['orderId'] as string;
    const load = async (): Promise<Order> => (await findOrder(saga().store, orderId))!;
    for (const type of replies) {
      await tables.put('orders', item);
      await handleReply(saga(), message(type, orderId) as Reply);
    }
    await tables.put('orders', item);
    await advance(saga(), load, { type: 'Cancel' }, 'request');
    await tables.put('orders', item);
    await advance(saga(), load, { type: 'Tick', now: world.now(), policy: durations.prod.reminder, askedAt: 0 }, 'sweep');
    await tables.clear('orderView');
    expect(await repair({ database: tables.database, table: 'orderView', ordersTable: 'orders' }, orderId)).toBe('repaired');
  });

  it.each(Object.keys(recorded.inventory).filter((state) => state !== 'stock'))(
    'a reservation that is %s is answered for and released',
    async (state) => {
      const item = recorded.inventory[state]!;
      const orderId = (item['pk'] as string).replace('order#', '');
      const inventory = { store: { ...commits(), inventoryTable: 'inventory' }, makeMessage };
      for (const { sku, qty } of (item['items'] ?? []) as { sku: string; qty: number }[]) {
        await tables.put('inventory', { pk: `sku#${sku}`, available: 0, reserved: qty, version: 1 });
      }
      await tables.put('inventory', item);
      await reserveStock(inventory, message('OrderPlaced', orderId));
      await releaseStock(inventory, message('StockReleaseRequested', orderId));
      expect(await said()).toContain('StockReleased');
    },
  );

  it.each(Object.keys(recorded.payments))('a payment that is %s is answered for and refunded', async (state) => {
    const item = recorded.payments[state]!;
    const orderId = item['orderId'] as string;
    await tables.put('payments', item);
    await payments().do(message('PaymentRequested', orderId));
    await payments().undo(message('RefundRequested', orderId));
    expect(await said()).toContain('PaymentRefunded');
  });

  it.each(Object.keys(recorded.shipments))('a shipment that is %s is answered for and called off', async (state) => {
    const item = recorded.shipments[state]!;
    const orderId = item['orderId'] as string;
    await tables.put('shipments', item);
    await shipments().do(message('ShipmentRequested', orderId));
    await shipments()
      .undo(message('ShipmentCancelRequested', orderId))
      .catch((error: unknown) => {
        // Its undo is taken up where it was left; who comes second waits.
        if (!(error instanceof TransientError)) throw error;
      });
    expect(await said()).toContain('ShipmentCancelled');
  });

  it.each(Object.keys(recorded.notifications))('a notification of %s is not repeated', async (state) => {
    const item = recorded.notifications[state]!;
    await tables.put('notifications', item);
    const store = { database: tables.database, table: 'notifications', world, leaseSeconds: 30 };
    expect(await notify({ store, telemetry: testTelemetry() }, message(state as 'OrderFailed', item['orderId'] as string))).toBe(
      'duplicate',
    );
  });
});
