import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Order } from '../../lambdas/contract/order.ts';
import { eraseCustomer, type Erasure, type ErasureOptions } from '../../ops/erase.ts';
import { anOrder } from '../support/builders.ts';
import { collect } from '../support/handlers.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());
beforeEach(async () => {
  for (const table of ['orders', 'payments', 'shipments', 'orderView'] as const) await tables.clear(table);
});

const outputs = {
  OrdersTableName: 'orders',
  OrderViewTableName: 'orderView',
  PaymentsTableName: 'payments',
  ShipmentsTableName: 'shipments',
};
const erase = (changes: Partial<ErasureOptions> = {}, database = tables.database): Promise<Erasure[]> => {
  const quietly = { pause: () => Promise.resolve(), onProgress: () => undefined };
  return collect(eraseCustomer({ outputs, database }, { customerId: 'ada', now: 1, readUnitsPerSecond: 500, ...quietly, ...changes }));
};
const personal = { email: 'ada@example.com', shipTo: { name: 'Ada' }, paymentToken: 'tok_ada' };
const closed = async (changes: Partial<Order> & { openShard?: string } = {}): Promise<string> => {
  const order = anOrder({ customerId: 'ada', step: 'SETTLED', status: 'CONFIRMED', ...personal, ...changes });
  await tables.put('orders', JSON.parse(JSON.stringify(order)) as Record<string, unknown>);
  return order.orderId;
};
const orderOf = (orderId: string) => tables.get('orders', { orderId });

describe('erasing a customer', () => {
  it('finds the orders that the read model lacks, and leaves those of others alone', async () => {
    const hers = await closed();
    const his = await closed({ customerId: 'grace' });
    await tables.put('payments', { orderId: hers, request: { token: 'tok_ada', amount: 1 } });
    await tables.put('shipments', { orderId: hers, request: { shipTo: { name: 'Ada' }, items: [] } });
    expect(await tables.all('orderView')).toEqual([]);
    expect(await erase()).toEqual([{ orderId: hers, outcome: 'erased' }]);
    const erased = await orderOf(hers);
    expect(erased).toMatchObject({ paymentToken: 'erased', erasedAt: 1, total: 1000 });
    for (const field of ['email', 'shipTo']) expect(erased).not.toHaveProperty(field);
    expect(await tables.get('payments', { orderId: hers })).toMatchObject({ request: { token: 'erased', amount: 1 } });
    expect((await tables.get('shipments', { orderId: hers }))?.['request']).toEqual({ items: [] });
    expect(await orderOf(his)).toMatchObject(personal);
    expect(await erase()).toEqual([{ orderId: hers, outcome: 'was erased' }]);
  });

  it('names what it cannot erase, and goes on with the others', async () => {
    const newer = await closed({ schemaVersion: 2 as never });
    const open = await closed({ openShard: 'open#1' } as never);
    const pending = await closed({ step: 'CAPTURING_PAYMENT', status: 'PENDING' });
    const done = await closed();
    const outcomes = Object.fromEntries((await erase()).map(({ orderId, outcome }) => [orderId, outcome]));
    expect(outcomes).toEqual({ [newer]: 'unreadable', [open]: 'open', [pending]: 'open', [done]: 'erased' });
    for (const orderId of [newer, open, pending]) expect(await orderOf(orderId)).toMatchObject(personal);
  });

  it('looks through every page, tells how far it is, and takes no more read units than it may', async () => {
    const hers: string[] = [];
    for (let i = 0; i < 1100; i++) {
      if (i % 275 === 0) hers.push(await closed());
      else await tables.put('orders', { orderId: `x${i}`, customerId: 'grace' });
    }
    const metered = {
      send: async (command: { input: { FilterExpression?: string } }) => {
        const answer = await tables.database.send(command as never);
        return command.input.FilterExpression === undefined ? answer : { ...(answer as object), ConsumedCapacity: { CapacityUnits: 125 } };
      },
    } as never;
    const progress: number[] = [];
    const pauses: number[] = [];
    const erased = await erase(
      { readUnitsPerSecond: 250, onProgress: (lookedAt) => progress.push(lookedAt), pause: async (ms) => void pauses.push(ms) },
      metered,
    );
    expect(erased.map(({ orderId }) => orderId).toSorted()).toEqual(hers.toSorted());
    expect(progress).toEqual([500, 1000, 1100]);
    expect(pauses).toEqual([500, 500]);
  });
});
