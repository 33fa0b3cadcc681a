import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { auditBooks, auditEchoes } from '../support/audit.ts';
import { startRuntime } from '../support/runtime.ts';
import { eventually, itemsOf, localSystem, type System } from '../support/system.ts';

interface Restart {
  /** What the saga is about to do or has just done. */
  readonly when: string;
  readonly function: string;
  /** The call of the function at whose two sides the whole runtime is killed. */
  readonly call: string;
  readonly order: 'confirmed' | 'undeliverable' | 'cancelled';
  /** In CI, at which side. */
  readonly ci?: 'dieBefore' | 'dieAfter';
}

/** Every step of the saga, there and back, and every commit on the way. The n-th call of an operation tells apart what a function does several times. */
const restarts: readonly Restart[] = [
  { when: 'the order is accepted', function: 'place-order', call: 'TransactWriteItems', order: 'confirmed', ci: 'dieAfter' },
  { when: 'the first message is sent', function: 'outbox-publisher', call: 'SendMessageBatch', order: 'confirmed' },
  { when: 'the first message is marked sent', function: 'outbox-publisher', call: 'UpdateItem', order: 'confirmed' },
  { when: 'inventory locks the message', function: 'inventory', call: 'PutItem', order: 'confirmed' },
  { when: 'the stock is reserved', function: 'inventory', call: 'TransactWriteItems', order: 'confirmed', ci: 'dieAfter' },
  { when: 'inventory remembers the message', function: 'inventory', call: 'UpdateItem', order: 'confirmed' },
  { when: 'the payment is requested', function: 'order-saga', call: 'TransactWriteItems', order: 'confirmed', ci: 'dieBefore' },
  { when: 'the intent to capture is written', function: 'payment', call: 'PutItem#2', order: 'confirmed' },
  { when: 'the gateway takes the money', function: 'payment', call: 'PutItem#3', order: 'confirmed', ci: 'dieAfter' },
  { when: 'the capture is committed', function: 'payment', call: 'TransactWriteItems', order: 'confirmed' },
  { when: 'the shipment is requested', function: 'order-saga', call: 'TransactWriteItems#2', order: 'confirmed' },
  { when: 'the intent to ship is written', function: 'shipping', call: 'PutItem#2', order: 'confirmed' },
  { when: 'the carrier takes the parcel', function: 'shipping', call: 'PutItem#3', order: 'confirmed' },
  { when: 'the shipment is committed', function: 'shipping', call: 'TransactWriteItems', order: 'confirmed' },
  { when: 'the order is confirmed', function: 'order-saga', call: 'TransactWriteItems#3', order: 'confirmed' },
  { when: 'the read model opens', function: 'order-view', call: 'UpdateItem', order: 'confirmed' },
  { when: 'the customer is told', function: 'notification', call: 'PutItem', order: 'confirmed' },
  { when: 'the refund is requested', function: 'order-saga', call: 'TransactWriteItems#3', order: 'undeliverable' },
  { when: 'the refund begins', function: 'payment', call: 'UpdateItem#2', order: 'undeliverable' },
  { when: 'the gateway gives the money back', function: 'payment', call: 'PutItem#5', order: 'undeliverable', ci: 'dieBefore' },
  { when: 'the refund is committed', function: 'payment', call: 'TransactWriteItems#2', order: 'undeliverable' },
  { when: 'the release is requested', function: 'order-saga', call: 'TransactWriteItems#4', order: 'undeliverable' },
  { when: 'the stock is released', function: 'inventory', call: 'TransactWriteItems#2', order: 'undeliverable' },
  { when: 'the order fails', function: 'order-saga', call: 'TransactWriteItems#5', order: 'undeliverable' },
  { when: 'the cancellation is accepted', function: 'order-cancel', call: 'TransactWriteItems', order: 'cancelled', ci: 'dieAfter' },
  { when: 'the shipment is called off', function: 'shipping', call: 'TransactWriteItems', order: 'cancelled' },
  { when: 'the refund of the cancelled order is requested', function: 'order-saga', call: 'TransactWriteItems', order: 'cancelled' },
  { when: 'the order is cancelled', function: 'order-saga', call: 'TransactWriteItems#3', order: 'cancelled' },
];
const cases = restarts.flatMap((restart) =>
  (['dieBefore', 'dieAfter'] as const)
    .filter((side) => process.env['RESTARTS'] !== 'ci' || restart.ci === side)
    .map((side) => ({ ...restart, side, title: `${side === 'dieBefore' ? 'before' : 'after'} ${restart.when}` })),
);

/** What went well, for the record. */
const passed: string[] = [];
afterAll(() => {
  if (process.env['RESTARTS'] === 'ci' || passed.length < cases.length) return;
  const rows = cases.map(({ title, function: name, call, order }) => `| ${title} | ${name} ${call} | ${order} |`);
  writeFileSync(
    join(import.meta.dirname, 'results/restarts.md'),
    [
      '# Restarts',
      '',
      '`npm run restarts`: everything killed, started again, settled and audited',
      '',
      '| killed | at | order |',
      '|---|---|---|',
      ...rows,
      '',
    ].join('\n'),
  );
});

const outcomes = { confirmed: 'CONFIRMED', undeliverable: 'FAILED', cancelled: 'CANCELLED' } as const;

describe('a restart', () => {
  it.concurrent.for(cases)(
    '$title loses nothing and does nothing twice',
    async ({ title, function: name, call, side, order }, { onTestFinished }) => {
      let runtime = await startRuntime({ isolation: 'process' });
      onTestFinished(() => runtime.remove());
      const { dataDir } = runtime;
      let system: System = await localSystem(runtime.url);
      await system.api.setStock('tea', 3);
      const faults = { [name]: { [side]: call }, ...(order === 'cancelled' && name !== 'shipping' ? { shipping: { outage: true } } : {}) };
      // The step to be called off waits for its participant, so that the cancellation comes in time.
      const waiting = order === 'cancelled';
      await system.api.send('PUT', '/_local/faults', waiting ? { shipping: { outage: true } } : faults);

      const place = () =>
        system.api.place(
          {
            customerId: 'ada',
            items: [{ sku: 'tea', qty: 2, price: 100 }],
            shipTo: { postalCode: order === 'undeliverable' ? '00000' : '1000001' },
          },
          'the-one-order',
        );
      const died = new Promise<void>((resolve, reject) => {
        runtime.process.once('exit', () => resolve());
        setTimeout(() => reject(new Error(`${name} never came to ${call}`)), 60_000).unref();
      });
      died.catch(() => undefined);
      // The runtime dies in the middle of it, in some cases before it can answer.
      await place().catch(() => undefined);
      if (waiting) {
        const { orderId } = (await eventually(async () => {
          const [found] = await itemsOf<{ orderId: string; step: string }>(system, 'OrdersTableName');
          expect(found?.step).toBe('ARRANGING_SHIPMENT');
          return found!;
        })) as { orderId: string };
        // Counts begin here: what the saga did before is not what is to be cut.
        await system.api.send('PUT', '/_local/faults', faults);
        const cancel = () => system.api.send('POST', `/orders/${orderId}/cancel`, undefined);
        await cancel().catch(() => undefined);
        await system.api.send('PUT', '/_local/faults', { [name]: { [side]: call } }).catch(() => undefined);
        await died;
        runtime = await startRuntime({ dataDir, isolation: 'process' });
        system = await localSystem(runtime.url);
        expect([202, 409]).toContain((await cancel()).status);
      } else {
        await died;
        runtime = await startRuntime({ dataDir, isolation: 'process' });
        system = await localSystem(runtime.url);
        // The client did not hear of it, or is not sure: the same request again.
        expect((await place()).status).toBe(202);
      }
      const sweeping = setInterval(() => {
        for (const fn of ['order-sweep', 'outbox-relay'])
          void system.api.send('POST', `/_local/functions/${fn}`, {}).catch(() => undefined);
      }, 1000);
      try {
        await eventually(async () => {
          const orders = await itemsOf<{ status: string; openShard?: string }>(system, 'OrdersTableName');
          expect(orders).toMatchObject([{ status: outcomes[order] }]);
          expect(orders[0]!.openShard).toBeUndefined();
        });
        await auditEchoes(system);
      } finally {
        clearInterval(sweeping);
      }
      await auditBooks(system, new Map([['tea', 3]]));
      passed.push(title);
    },
  );
});
