import { expect, it } from 'vitest';
import { auditBooks, auditEchoes, auditQueues } from '../support/audit.ts';
import { runningSystem } from '../support/running-system.ts';
import { eventually, itemsOf } from '../support/system.ts';

const system = runningSystem();

it('settles 500 orders of 16 clients over 20 scarce SKUs with exact stock, money and read model', async () => {
  const stock = new Map<string, number>();
  for (let i = 0; i < 20; i++) stock.set(`sku-${i}`, 10 + i);
  await Promise.all([...stock].map(([sku, available]) => system.client.putStock(sku, { available })));

  let next = 0;
  const client = async (customerId: string): Promise<void> => {
    while (next < 500) {
      const i = next++;
      const { status } = await system.client.placeOrder(
        {
          customerId,
          items: [
            { sku: `sku-${i % 20}`, qty: 1 + (i % 3), price: 100 + i },
            { sku: `sku-${(i * 7 + 3) % 20}`, qty: 1, price: 100 + i },
          ],
          payment: { token: i % 5 === 0 ? 'tok_declined' : 'tok_ok' },
          shipTo: { postalCode: i % 10 === 7 ? '00000' : '1000001' },
        },
        { idempotencyKey: `load-${i}` },
      );
      expect(status).toBe(202);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, c) => client(`client-${c}`)));

  await eventually(async () => {
    const orders = await itemsOf<{ step: string }>(system, 'OrdersTableName');
    expect(orders).toHaveLength(500);
    expect(orders.filter(({ step }) => step !== 'SETTLED')).toEqual([]);
  });
  const outcomes = await itemsOf<{ status: string; failure?: { code: string } }>(system, 'OrdersTableName');
  expect(new Set(outcomes.map(({ status, failure }) => failure?.code ?? status))).toEqual(
    new Set(['CONFIRMED', 'OUT_OF_STOCK', 'PAYMENT_DECLINED', 'UNDELIVERABLE']),
  );
  await auditEchoes(system);
  await auditBooks(system, stock);
  await auditQueues(system);

  // Everyone knows of every order: the sweep closes them all.
  await eventually(async () => {
    await system.api.send('POST', '/_local/functions/order-sweep', {});
    const open = (await itemsOf<{ openShard?: string }>(system, 'OrdersTableName')).filter(({ openShard }) => openShard !== undefined);
    expect(open).toHaveLength(0);
  });
});
