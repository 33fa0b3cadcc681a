import { describe, expect, it } from 'vitest';
import { auditBooks, auditEchoes, auditQueues } from '../support/audit.ts';
import { runningSystem } from '../support/running-system.ts';
import { eventually, itemsOf } from '../support/system.ts';

const system = runningSystem({ args: ['--stage', 'test', '--fault', 'place-order.failRate=1'] });
const put = (faults: unknown) => system.api.send('PUT', '/_local/faults', faults);
const place = (n: number) =>
  system.api.place({
    customerId: `c${n % 3}`,
    items: [{ sku: 'tea', qty: 1, price: 100 }],
    payment: { token: n % 5 ? 'tok_ok' : 'tok_declined' },
  });

describe('faults on the local runtime', () => {
  it('are on from the start when they are asked for there, and go when they are taken back', async () => {
    await system.api.setStock('tea', 100);
    expect(await place(1)).toMatchObject({ status: 503, body: { type: 'urn:problem:try-again' } });
    expect((await system.api.get('/_local/faults')).body.faults).toEqual({ 'place-order': { failRate: 1 } });
    expect((await system.api.send('DELETE', '/_local/faults', undefined)).body.faults).toEqual({});
    expect(await place(1)).toMatchObject({ status: 202 });
  });

  it('are refused when they are wrong, and those that are on stay', async () => {
    await put({ inventory: { delayMs: 1 } });
    expect(await put({ inventory: { failRate: 7 } })).toMatchObject({
      status: 400,
      body: { message: 'faults.inventory.failRate: must be a number from 0 to 1' },
    });
    expect(await put({ nobody: {} })).toMatchObject({ status: 400 });
    expect((await system.api.request('PUT', '/_local/faults', { body: '{' })).status).toBe(400);
    expect((await system.api.get('/_local/faults')).body.faults).toEqual({ inventory: { delayMs: 1 } });
  });

  it('of every kind at once lose nothing and do nothing twice', async () => {
    const some = { throttleRate: 0.05, conflictRate: 0.1, duplicateRate: 0.3, reorderRate: 0.2 };
    await put({
      inventory: { ...some, failRate: 0.3, delayMs: 50, ackLossRate: 0.3 },
      payment: { ...some, ackLossRate: 0.3 },
      shipping: some,
      'order-saga': some,
      'order-view': some,
      notification: some,
      'outbox-publisher': { partialBatchRate: 0.1 },
    });
    const placed = await Promise.all(Array.from({ length: 40 }, (_, i) => place(i)));
    expect(placed.map(({ status }) => status)).toEqual(placed.map(() => 202));
    // What SQS refused waits for the relay.
    const relaying = setInterval(() => void system.api.send('POST', '/_local/functions/outbox-relay', {}), 1000);
    try {
      await eventually(async () => {
        const { struck } = (await system.api.get('/_local/faults')).body as { struck: Record<string, number> };
        expect(Object.keys(struck)).toEqual(
          expect.arrayContaining([
            'inventory.throttleRate',
            'payment.conflictRate',
            'outbox-publisher.partialBatchRate',
            'order-view.reorderRate',
            'shipping.duplicateRate',
          ]),
        );
        const orders = await itemsOf<{ step: string }>(system, 'OrdersTableName');
        expect(orders).toHaveLength(41);
        expect(orders.filter(({ step }) => step !== 'SETTLED')).toEqual([]);
      });
      await put({});
      await auditEchoes(system);
    } finally {
      clearInterval(relaying);
    }
    await auditBooks(system, new Map([['tea', 100]]));
    // On a slow machine a message may fail for longer than this stage is patient; its order goes on all the same.
    await auditQueues(system, { mayGiveUp: true });
  });

  it('stop a stream and empty a queue, and the order goes on when they end', async () => {
    await put({ 'outbox-publisher': { outage: true } });
    const { body } = await place(2);
    await eventually(async () => {
      const rows = await itemsOf<{ aggregateId: string; status: string }>(system, 'OutboxTableName');
      expect(rows.filter(({ aggregateId }) => aggregateId === body.orderId)).toMatchObject([{ status: 'PENDING' }]);
    });
    await put({ payment: { outage: true } });
    await eventually(async () => expect((await system.api.order(body.orderId)).body.step).toBe('CAPTURING_PAYMENT'));
    await eventually(async () => {
      const found = await itemsOf<{ aggregateId: string; status: string }>(system, 'OutboxTableName');
      const ours = found.filter(({ aggregateId }) => aggregateId === body.orderId);
      expect(ours.every(({ status }) => status === 'SENT')).toBe(true);
      expect(ours.length).toBeGreaterThanOrEqual(3);
    });
    expect((await put({ payment: { outage: true, wiped: true } })).body.struck).toMatchObject({ 'payment.wiped': 1 });
    await put({});
    // The request is lost: only a reminder can help.
    const order = await eventually(async () => {
      await system.api.send('POST', '/_local/functions/order-sweep', {});
      const { body: found } = await system.api.order(body.orderId);
      expect(found).toMatchObject({ status: 'CONFIRMED' });
      return found as { version: number };
    });
    expect(order.version).toBeGreaterThan(4);
  });
});
