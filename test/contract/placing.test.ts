import { marshall } from '@aws-sdk/util-dynamodb';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decodeEnvelope, encodeEnvelope } from '@outbox-saga/kit/messages/envelope';
import type { Message } from '../../lambdas/contract/messages.ts';
import { limits, readOrder, type Order } from '../../lambdas/contract/order.ts';
import { applyChange } from '../../lambdas/order-view/store.ts';
import { changeOf, viewOf } from '../../lambdas/order-view/view.ts';
import { createHandler } from '../../lambdas/place-order/handler.ts';
import { aMessage, orderKeys, testWorld } from '../support/builders.ts';
import { request, testConnections } from '../support/handlers.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());
beforeEach(async () => {
  for (const table of ['orders', 'outbox', 'orderView'] as const) await tables.clear(table);
});

const line = { sku: 'coffee', qty: 1, price: 500 };
let keys = 0;

async function place(body: object, { sandboxed = true, headers = {} as Record<string, string> } = {}) {
  const environment = {
    STAGE: 'prod',
    AUTHENTICATION: 'none',
    SANDBOX_DEFAULTS: sandboxed,
    ORDERS_TABLE: 'orders',
    OUTBOX_TABLE: 'outbox',
    OUTBOX_INDEX_PENDING: false,
  } as const;
  const handler = createHandler(environment, testConnections('place-order', tables, testWorld()));
  return request(handler, 'POST /orders', { headers: { 'idempotency-key': `key-${++keys}`, ...headers }, body });
}

/** What an accepted order left behind: the order, and the message that starts it. */
async function placed(): Promise<{ order: Order; message: Message<'OrderPlaced'> }> {
  const [[order], [row]] = [await tables.all('orders'), await tables.all('outbox')];
  return { order: readOrder(order)!, message: decodeEnvelope(row!['body'] as string) as Message<'OrderPlaced'> };
}

describe('an order that is accepted', () => {
  /** What the document client does to values, which the simulation's memory does not. */
  const written = (set: Readonly<Record<string, unknown>>): void =>
    expect(() => marshall(set, { removeUndefinedValues: true })).not.toThrow();
  const edges = (...others: number[]) =>
    fc.constantFrom(0, 1, 2, 999_999, 1_000_000, 1_000_001, 2 ** 31, 2 ** 52, Number.MAX_SAFE_INTEGER, ...others);

  it('can be held by the read model, however many pieces at whatever price', async () => {
    const lines = fc.array(fc.record({ sku: fc.constantFrom('a', 'b', 'c', 'd'), qty: edges(), price: edges(500) }), {
      minLength: 1,
      maxLength: 40,
    });
    let accepted = 0;
    const orders = fc.sample(lines, { numRuns: 300, seed: 1 });
    const whole = Number.MAX_SAFE_INTEGER;
    orders.push(
      [
        { sku: 'a', qty: whole, price: 0 },
        { sku: 'b', qty: whole, price: 0 },
      ],
      [{ sku: 'a', qty: 1, price: whole }],
    );
    for (const items of orders) {
      await tables.clear('orders');
      await tables.clear('outbox');
      const { statusCode } = await place({ customerId: 'c1', items });
      expect([202, 400]).toContain(statusCode);
      if (statusCode !== 202) continue;
      accepted++;
      const { order, message } = await placed();
      written(changeOf(message).set);
      written(viewOf(order).set);
      expect(await applyChange({ database: tables.database, table: 'orderView', ordersTable: 'orders' }, changeOf(message))).toBe(
        'applied',
      );
      await tables.clear('orderView');
    }
    expect(accepted).toBeGreaterThan(10);
  });

  it('fits an item, a message and a batch of ten, at its largest', async () => {
    const items = Array.from({ length: limits.lines }, (_, i) => ({
      sku: `${i}`.padEnd(64, 'x'),
      qty: limits.pieces / limits.lines,
      price: 200_000_000,
    }));
    const [short, long] = ['𠮷'.repeat(100), '𠮷'.repeat(200)];
    const shipTo = {
      name: short,
      postalCode: '1'.repeat(16),
      country: 'JP',
      region: short,
      city: short,
      line1: long,
      line2: long,
      phone: '1'.repeat(32),
    };
    const email = `${'a'.repeat(64)}@${'b'.repeat(180)}.example`;
    const payment = { token: 't'.repeat(255) };
    const body = { customerId: 'c'.repeat(128), currency: 'EUR', items, payment, shipTo, email };
    expect(await place(body, { headers: { 'x-correlation-id': 'x'.repeat(128), 'idempotency-key': 'k'.repeat(255) } })).toMatchObject({
      statusCode: 202,
    });
    const { order, message } = await placed();
    const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
    expect(bytesOf(order)).toBeLessThan(400 * 1024);
    const request = aMessage('ShipmentRequested', { ...orderKeys, items: [...order.items], shipTo: order.shipTo });
    const most = (1024 * 1024) / 10;
    for (const each of [message, request]) expect(encodeEnvelope(each).length).toBeLessThan(most);
  });
});

describe('an order that names neither currency nor payment', () => {
  it('gets the sandbox’s', async () => {
    expect(await place({ customerId: 'c1', items: [line] })).toMatchObject({ statusCode: 202 });
    expect((await placed()).order).toMatchObject({ currency: 'JPY', paymentToken: 'tok_ok' });
  });

  it.each([
    [{}, ['currency', 'payment']],
    [{ currency: 'EUR' }, ['payment']],
    [{ payment: { token: 'tok_1' } }, ['currency']],
  ])('is refused where a real gateway charges, and leaves nothing behind: %j lacks %j', async (named, missing) => {
    const { statusCode, body } = await place({ customerId: 'c1', items: [line], ...named }, { sandboxed: false });
    expect({ statusCode, type: body['type'] }).toEqual({ statusCode: 422, type: 'urn:problem:incomplete-order' });
    expect((body['errors'] as { field: string }[]).map(({ field }) => field)).toEqual(missing);
    for (const table of ['orders', 'outbox'] as const) expect(await tables.all(table)).toEqual([]);
  });

  it('is taken there when it names both', async () => {
    expect(
      await place({ customerId: 'c1', items: [line], currency: 'EUR', payment: { token: 'tok_1' } }, { sandboxed: false }),
    ).toMatchObject({ statusCode: 202 });
  });
});

describe('an idempotency key', () => {
  it.each([
    ['a b', /^must be 1 to 255 visible ASCII characters$/],
    ['k'.repeat(256), /^must be 1 to 255 visible ASCII characters$/],
    ['', /^must be 1 to 255 visible ASCII characters$/],
    [undefined, /^is required/],
  ])('%j is told what is wrong with it', async (key, message) => {
    const { statusCode, body } = await place({ customerId: 'c1', items: [line] }, { headers: { 'idempotency-key': key as string } });
    expect(statusCode).toBe(400);
    expect(body['errors']).toEqual([{ field: 'header:idempotency-key', message: expect.stringMatching(message) }]);
  });
});
