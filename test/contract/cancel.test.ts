import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Order } from '../../lambdas/contract/order.ts';
import { createHandler } from '../../lambdas/order-saga/cancel-handler.ts';
import { anOrder, testWorld } from '../support/builders.ts';
import { request, testConnections } from '../support/handlers.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());
beforeEach(async () => {
  for (const table of ['orders', 'outbox'] as const) await tables.clear(table);
});

const cancel = async (changes: Partial<Order>) => {
  const order = anOrder(changes);
  await tables.put('orders', JSON.parse(JSON.stringify(order)) as Record<string, unknown>);
  const environment = {
    STAGE: 'dev',
    ORDERS_TABLE: 'orders',
    OUTBOX_TABLE: 'outbox',
    OUTBOX_INDEX_PENDING: false,
    AUTHENTICATION: 'none',
  } as const;
  const handler = createHandler(environment, testConnections('order-cancel', tables, testWorld()));
  return request(handler, 'POST /orders/{id}/cancel', { id: order.orderId });
};

describe('cancelling an order', () => {
  it.each<[string, Partial<Order>]>([
    ['is confirmed', { status: 'CONFIRMED', step: 'SETTLED' }],
    ['has failed', { status: 'FAILED', step: 'SETTLED', failure: { code: 'OUT_OF_STOCK', detail: '' } }],
  ])('that %s is refused: it ends as it is', async (_, changes) => {
    expect(await cancel(changes)).toMatchObject({ statusCode: 409, body: { type: 'urn:problem:order-settled' } });
    expect(await tables.all('outbox')).toEqual([]);
  });

  it.each<[string, Partial<Order>, number]>([
    ['is under way', { step: 'CAPTURING_PAYMENT', version: 2 }, 1],
    ['is being cancelled', { step: 'REFUNDING_PAYMENT', cancelled: true }, 0],
    ['is cancelled', { status: 'CANCELLED', step: 'SETTLED', cancelled: true }, 0],
  ])('that %s is accepted, and undone once', async (_, changes, messages) => {
    expect(await cancel(changes)).toMatchObject({ statusCode: 202 });
    expect(await tables.all('outbox')).toHaveLength(messages);
  });
});
