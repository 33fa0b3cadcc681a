import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readOrder } from '../../lambdas/contract/order.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import type { CommitContext } from '@outbox-saga/kit/outbox/commit';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { handleReply, type Saga } from '../../lambdas/order-saga/advance.ts';
import { repair } from '../../lambdas/order-view/store.ts';
import { createHandler as placeOrder } from '../../lambdas/place-order/handler.ts';
import { findOrder } from '../../lambdas/query-orders/store.ts';
import { eraseCustomer } from '../../ops/erase.ts';
import { aMessage, anOrder, testTelemetry, testWorld } from '../support/builders.ts';
import { collect, request, testConnections } from '../support/handlers.ts';
import { withStaleReads } from '../support/stale-reads.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
let commits: CommitContext;
/** A clock that no two calls find at the same time. */
const ticking = () => {
  const world = testWorld();
  return {
    ...world,
    now: () => {
      world.advance(1);
      return world.now();
    },
  };
};

beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());
beforeEach(async () => {
  for (const table of ['orders', 'outbox', 'orderView'] as const) await tables.clear(table);
  commits = { database: tables.database, outboxTable: 'outbox', source: 'test', outboxExpirySeconds: 3600, world: ticking() };
});

const saga = (): Saga => ({
  store: { ...commits, ordersTable: 'orders' },
  makeMessage: messageMaker(topology, commits.world),
  telemetry: testTelemetry(),
});
const stored = async (changes: Parameters<typeof anOrder>[0] = {}) => {
  const order = anOrder(changes);
  await tables.put('orders', JSON.parse(JSON.stringify(order)) as Record<string, unknown>);
  return order;
};
const onlyMessage = async (): Promise<{ occurredAt: number }> => {
  const [row] = await tables.all('outbox');
  return JSON.parse(row!['body'] as string) as { occurredAt: number };
};

describe('the number by which the carrier knows the parcel', () => {
  it('is on the order from the moment it is confirmed', async () => {
    const { orderId } = await stored({ step: 'ARRANGING_SHIPMENT', version: 3 });
    await handleReply(saga(), aMessage('ShipmentArranged', { trackingId: 'parcel-7' }, { aggregateId: orderId }));
    expect(await tables.get('orders', { orderId })).toMatchObject({ status: 'CONFIRMED', trackingId: 'parcel-7' });
  });

  it('is not on an order that was called off before it was arranged', async () => {
    const { orderId } = await stored({ step: 'CALLING_OFF_SHIPMENT', version: 4, cancelled: true });
    await handleReply(saga(), aMessage('ShipmentArranged', { trackingId: 'parcel-7' }, { aggregateId: orderId }));
    expect(await tables.get('orders', { orderId })).not.toHaveProperty('trackingId');
  });
});

describe('order and message agree on when the order changed', () => {
  it('at a transition', async () => {
    const { orderId } = await stored();
    await handleReply(saga(), aMessage('StockReserved', {}, { aggregateId: orderId }));
    expect((await onlyMessage()).occurredAt).toBe((await tables.get('orders', { orderId }))!['updatedAt']);
  });

  it('when it is placed', async () => {
    const handler = placeOrder(
      {
        STAGE: 'dev',
        ORDERS_TABLE: 'orders',
        OUTBOX_TABLE: 'outbox',
        OUTBOX_INDEX_PENDING: false,
        AUTHENTICATION: 'none',
        SANDBOX_DEFAULTS: false,
      },
      testConnections('place-order', tables, commits.world),
    );
    const body = { currency: 'JPY', items: [{ sku: 'coffee', qty: 1, price: 5 }], payment: { token: 'tok_ok' } };
    expect(await request(handler, 'POST /orders', { headers: { 'idempotency-key': 'k1' }, body })).toMatchObject({ statusCode: 202 });
    const [order] = await tables.all('orders');
    expect((await onlyMessage()).occurredAt).toBe(order!['updatedAt']);
  });
});

describe('an order of a shape that this code does not know', () => {
  const unknown = { schemaVersion: 2 as never, step: 'SETTLED', status: 'CONFIRMED', version: 3 } as const;

  it('is refused by name', () => {
    expect(() => readOrder({ ...anOrder(), schemaVersion: 2 })).toThrow(/order ord_\w+ has schema version 2; this code reads version 1/);
    expect(readOrder(undefined)).toBeUndefined();
  });

  it('does not become an item of the read model', async () => {
    const { orderId } = await stored(unknown);
    await expect(repair({ database: tables.database, table: 'orderView', ordersTable: 'orders' }, orderId)).rejects.toThrow(
      /schema version 2/,
    );
    expect(await tables.all('orderView')).toEqual([]);
  });

  it('is not shown', async () => {
    const { orderId } = await stored(unknown);
    const store = { database: tables.database, ordersTable: 'orders', outboxTable: 'outbox', orderViewTable: 'orderView' };
    await expect(findOrder(store, orderId)).rejects.toThrow(/schema version 2/);
  });

  it('is not erased by code that may not know where its personal data is, but named', async () => {
    const order = await stored({ ...unknown, email: 'a@b.example' });
    const outputs = { OrdersTableName: 'orders', PaymentsTableName: 'payments', ShipmentsTableName: 'shipments' };
    const options = {
      customerId: order.customerId,
      now: 1,
      readUnitsPerSecond: 500,
      pause: () => Promise.resolve(),
      onProgress: () => undefined,
    };
    const [erasure] = await collect(eraseCustomer({ outputs, database: tables.database }, options));
    expect(erasure).toEqual({ orderId: order.orderId, outcome: 'unreadable' });
    expect(await tables.get('orders', { orderId: order.orderId })).not.toHaveProperty('erasedAt');
  });
});

describe('an order is read as it was written a moment ago', () => {
  it('by the saga, or it would ignore the reply that the order waits for', async () => {
    const stale = withStaleReads(tables);
    commits = { ...commits, database: stale.database };
    const { orderId } = await stored({ step: 'CAPTURING_PAYMENT' });
    const captured = aMessage('PaymentCaptured', { amount: 1, currency: 'JPY', reference: 'r' }, { aggregateId: orderId });
    await handleReply(saga(), captured);
    const arranged = aMessage('ShipmentArranged', { trackingId: 't' }, { aggregateId: orderId });
    expect(await handleReply(saga(), arranged)).toBe('OrderConfirmed');
  });

  it('by the read model’s repair, or it would stay behind', async () => {
    const stale = withStaleReads(tables);
    const order = await stored({ version: 1 });
    await stale.put('orders', { ...(JSON.parse(JSON.stringify(order)) as object), version: 4, status: 'CONFIRMED' });
    await repair({ database: stale.database, table: 'orderView', ordersTable: 'orders' }, order.orderId);
    expect(await tables.all('orderView')).toMatchObject([{ sequence: 4, status: 'CONFIRMED' }]);
  });
});
