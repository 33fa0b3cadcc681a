import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditBooks, auditEchoes, auditQueues } from '../support/audit.ts';
import { eventually, itemsOf, settled, unique, type System } from '../support/system.ts';
import { target } from './target.ts';

let system: System;
let release: () => Promise<void>;
const stockSet = new Map<string, number>();

beforeAll(async () => {
  ({ system, release } = await target());
});
afterAll(async () => release?.());

async function stocked(available: number): Promise<string> {
  const sku = unique('sku');
  const { status, body } = await system.client.putStock(sku, { available });
  expect({ status, body }).toEqual({ status: 200, body: { sku, available, reserved: 0 } });
  stockSet.set(sku, available);
  return sku;
}

interface Choice {
  readonly customerId?: string;
  readonly qty?: number;
  readonly token?: string;
  readonly postalCode?: string;
}

async function place(
  sku: string,
  { customerId = unique('customer'), qty = 1, token = 'tok_ok', postalCode = '1000001' }: Choice = {},
): Promise<string> {
  const { status, body } = await system.client.placeOrder(
    { customerId, items: [{ sku, qty, price: 500 }], payment: { token }, shipTo: { name: 'Ada Lovelace', postalCode } },
    { idempotencyKey: randomUUID() },
  );
  expect({ status, body }).toEqual({ status: 202, body: { orderId: expect.stringMatching(/^ord_/), status: 'PENDING' } });
  return body.orderId;
}

async function typesOf(orderId: string): Promise<string[]> {
  const { body } = await system.client.getTimeline(orderId);
  return body.entries.map(({ type }) => type);
}

describe('an order settles', () => {
  it('confirms an order whose stock, payment and shipment succeed', async () => {
    const sku = await stocked(5);
    const orderId = await place(sku, { qty: 2 });
    const order = await settled(system, orderId);
    expect(order).toMatchObject({
      orderId,
      status: 'CONFIRMED',
      step: 'SETTLED',
      version: 4,
      currency: 'JPY',
      total: 1000,
      items: [{ sku, qty: 2, price: 500 }],
      trackingId: expect.stringMatching(/./),
    });
    expect(order.failure).toBeUndefined();
    expect((await system.api.stock(sku)).body).toEqual({ sku, available: 3, reserved: 2 });
    expect(await typesOf(orderId)).toEqual([
      'OrderPlaced',
      'StockReserved',
      'PaymentRequested',
      'PaymentCaptured',
      'ShipmentRequested',
      'ShipmentArranged',
      'OrderConfirmed',
    ]);
  });

  it('fails an order for want of stock, and says what was asked and what is there', async () => {
    const sku = await stocked(1);
    const order = await settled(system, await place(sku, { qty: 3 }));
    expect(order).toMatchObject({ status: 'FAILED', failure: { code: 'OUT_OF_STOCK', detail: `${sku}: asked 3, available 1` } });
    expect((await system.api.stock(sku)).body).toMatchObject({ available: 1, reserved: 0 });
  });

  it('releases the stock of an order whose payment is declined', async () => {
    const sku = await stocked(4);
    const orderId = await place(sku, { token: 'tok_declined' });
    const order = await settled(system, orderId);
    expect(order).toMatchObject({ status: 'FAILED', failure: { code: 'PAYMENT_DECLINED', detail: 'card declined' } });
    expect((await system.api.stock(sku)).body).toMatchObject({ available: 4, reserved: 0 });
    expect((await typesOf(orderId)).slice(-4)).toEqual(['PaymentDeclined', 'StockReleaseRequested', 'StockReleased', 'OrderFailed']);
  });

  it('refunds, then releases the stock of an order that cannot be delivered', async () => {
    const sku = await stocked(4);
    const orderId = await place(sku, { postalCode: '00000' });
    const order = await settled(system, orderId);
    expect(order).toMatchObject({ status: 'FAILED', failure: { code: 'UNDELIVERABLE' } });
    expect((await system.api.stock(sku)).body).toMatchObject({ available: 4, reserved: 0 });
    expect((await typesOf(orderId)).slice(-6)).toEqual([
      'ShipmentRejected',
      'RefundRequested',
      'PaymentRefunded',
      'StockReleaseRequested',
      'StockReleased',
      'OrderFailed',
    ]);
    const ledger = await itemsOf<{ orderId: string; kind: string; amount: number }>(system, 'LedgerTableName');
    const mine = ledger.filter((entry) => entry.orderId === orderId && entry.kind);
    expect(mine.map(({ kind, amount }) => [kind, amount]).sort()).toEqual([
      ['capture', 500],
      ['refund', 500],
    ]);
  });

  it('charges once when the answer of the gateway is lost, and when the gateway is flaky', async () => {
    const sku = await stocked(4);
    const orders = [await place(sku, { token: 'tok_lost_response' }), await place(sku, { token: 'tok_flaky' })];
    for (const orderId of orders) expect(await settled(system, orderId)).toMatchObject({ status: 'CONFIRMED' });
    const ledger = await itemsOf<{ orderId: string; kind: string }>(system, 'LedgerTableName');
    for (const orderId of orders) {
      expect(ledger.filter((entry) => entry.orderId === orderId && entry.kind === 'capture')).toHaveLength(1);
    }
  });
});

describe('a customer cancels', () => {
  const cancel = (orderId: string) => system.api.send('POST', `/orders/${orderId}/cancel`, {});

  it('while the payment is being taken: whatever was taken is refunded, the stock goes back', async () => {
    const sku = await stocked(2);
    const orderId = await place(sku, { token: 'tok_slow' });
    await eventually(async () => expect((await system.api.order(orderId)).body.step).toBe('CAPTURING_PAYMENT'));
    expect(await cancel(orderId)).toMatchObject({ status: 202, body: { orderId, status: 'PENDING', step: 'REFUNDING_PAYMENT' } });
    expect((await cancel(orderId)).status).toBe(202);
    expect(await settled(system, orderId)).toMatchObject({ status: 'CANCELLED', step: 'SETTLED' });
    expect((await cancel(orderId)).status).toBe(202);
    expect((await system.api.stock(sku)).body).toMatchObject({ available: 2, reserved: 0 });
  });

  it('at a moment of chance: every order ends CANCELLED or CONFIRMED, and says so', async () => {
    const sku = await stocked(50);
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const orderId = await place(sku);
        // Each waits for another number of messages, so that cancellations meet every step.
        if (i % 4 > 0)
          await eventually(async () => expect((await typesOf(orderId)).length).toBeGreaterThanOrEqual(i % 4 === 3 ? 6 : 2 * (i % 4)));
        const { status } = await cancel(orderId);
        const order = await settled(system, orderId);
        return { accepted: status === 202, order: order.status as string };
      }),
    );
    for (const { accepted, order } of outcomes) expect(order).toBe(accepted ? 'CANCELLED' : 'CONFIRMED');
  });

  it('is told 409 once the order is settled, and 404 where there is none', async () => {
    const sku = await stocked(1);
    const orderId = await place(sku);
    await settled(system, orderId);
    expect(await cancel(orderId)).toMatchObject({ status: 409, body: { type: 'urn:problem:order-settled' } });
    expect((await cancel('ord_00000000000000000000000000')).status).toBe(404);
  });
});

describe('one key, one order', () => {
  it('answers fifty simultaneous requests with one key equally, and makes one order', async () => {
    const sku = await stocked(100);
    const customerId = unique('customer');
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => system.api.place({ customerId, items: [{ sku, qty: 1, price: 100 }] }, key)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(202));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
    await settled(system, answers[0]!.body.orderId);
    expect((await system.api.stock(sku)).body).toMatchObject({ available: 99, reserved: 1 });
  });

  it('refuses the key of another request with 422', async () => {
    const sku = await stocked(9);
    const customerId = unique('customer');
    const key = randomUUID();
    const first = await system.api.place({ customerId, items: [{ sku, qty: 1, price: 100 }] }, key);
    const other = await system.api.place({ customerId, items: [{ sku, qty: 2, price: 100 }] }, key);
    expect(other.status).toBe(422);
    expect(other.body).toMatchObject({ type: 'urn:problem:idempotency-key-reused' });
    expect(await settled(system, first.body.orderId)).toMatchObject({ items: [{ qty: 1 }] });
  });
});

describe('reading', () => {
  it('lists a customer’s orders newest first, by status, page by page', async () => {
    const customerId = unique('customer');
    const sku = await stocked(3);
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.push(await place(sku, { customerId }));
      await settled(system, ids.at(-1)!);
    }
    const listed = async (query: string) => (await system.api.get(`/orders?customerId=${customerId}${query}`)).body;
    await eventually(async () => {
      const { orders } = await listed('');
      expect(orders.map((order: { orderId: string; status: string }) => [order.orderId, order.status])).toEqual(
        ids.map((id, i) => [id, i < 3 ? 'CONFIRMED' : 'FAILED']).toReversed(),
      );
    });
    const failed = await listed('&status=FAILED');
    expect(failed.orders.map(({ orderId }: { orderId: string }) => orderId)).toEqual([ids[4], ids[3]]);
    const first = await listed('&limit=2');
    const second = await listed(`&limit=2&cursor=${first.cursor}`);
    const third = await listed(`&limit=2&cursor=${second.cursor}`);
    const pages = [first, second, third].map(({ orders }) => orders.map(({ orderId }: { orderId: string }) => orderId));
    expect(pages.flat()).toEqual(ids.toReversed());
    expect(third.cursor).toBeUndefined();
    const foreign = await system.api.get(`/orders?customerId=someone-else&cursor=${first.cursor}`);
    expect(foreign).toMatchObject({ status: 400, body: { errors: [{ field: 'query:cursor' }] } });
  });

  it('changes stock only as the If-Match header expects', async () => {
    const sku = await stocked(7);
    const { headers } = await system.api.stock(sku);
    const etag = headers.get('etag')!;
    expect((await system.api.setStock(sku, 8, { 'if-match': etag })).status).toBe(200);
    expect((await system.api.setStock(sku, 9, { 'if-match': etag })).status).toBe(412);
    expect((await system.api.setStock(unique('sku'), 9, { 'if-match': '*' })).status).toBe(412);
    expect((await system.api.stock(sku)).body).toMatchObject({ available: 8 });
    stockSet.set(sku, 8);
  });

  it('sets stock once under one key, also when its own ETag would refuse it', async () => {
    const sku = await stocked(7);
    const headers = { 'if-match': (await system.api.stock(sku)).headers.get('etag')!, 'idempotency-key': unique('key') };
    const first = await system.api.setStock(sku, 8, headers);
    const second = await system.api.setStock(sku, 8, headers);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'));
    expect(await system.api.setStock(sku, 9, headers)).toMatchObject({ status: 422, body: { type: 'urn:problem:idempotency-key-reused' } });
    stockSet.set(sku, 8);
  });

  it('answers an unchanged order without a body, so that polling is cheap', async () => {
    const sku = await stocked(1);
    const { body: placed } = await system.api.place({ customerId: unique('c'), items: [{ sku, qty: 1, price: 100 }] });
    await settled(system, placed.orderId);
    const path = `/orders/${placed.orderId}`;
    const { headers, body } = await system.api.get(path);
    const etag = headers.get('etag')!;
    expect(etag).toBe(`"${body.version}"`);
    const ask = (known: string) => system.api.request('GET', path, { headers: { 'if-none-match': known } });
    const unchanged = await ask(etag);
    expect(unchanged).toMatchObject({ status: 304, text: '' });
    expect(unchanged.headers.get('etag')).toBe(etag);
    expect(await ask('"1"')).toMatchObject({ status: 200, body: { orderId: placed.orderId } });
  });

  it('answers health, and problem documents for what is not there', async () => {
    expect((await system.api.get('/health')).body).toMatchObject({ status: 'ok' });
    expect(await system.api.get('/orders/ord_00000000000000000000000000')).toMatchObject({
      status: 404,
      body: { type: 'urn:problem:order-not-found' },
    });
    expect(await system.api.get('/nothing/here')).toMatchObject({ status: 404, body: { type: 'urn:problem:not-found' } });
    expect(await system.api.send('DELETE', '/orders', {})).toMatchObject({ status: 405 });
  });
});

describe('under load', () => {
  it('keeps stock and money exact for 100 orders over scarce stock, declines and bad addresses', async () => {
    const skus = await Promise.all([stocked(10), stocked(15), stocked(5), stocked(30)]);
    const ids = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        place(skus[i % skus.length]!, {
          customerId: `load-${i % 7}`,
          token: i % 5 === 0 ? 'tok_declined' : 'tok_ok',
          postalCode: i % 10 === 3 ? '00000' : '1000001',
        }),
      ),
    );
    const outcomes = await Promise.all(ids.map((id) => settled(system, id)));
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['CONFIRMED', 'FAILED']));
    expect(new Set(outcomes.flatMap(({ failure }) => failure?.code ?? []))).toEqual(
      new Set(['OUT_OF_STOCK', 'PAYMENT_DECLINED', 'UNDELIVERABLE']),
    );
  });

  it('leaves books that balance, a read model that agrees, and empty queues', async () => {
    await auditEchoes(system);
    await auditBooks(system, stockSet);
    await auditQueues(system);
  });
});
