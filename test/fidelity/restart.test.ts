import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { auditBooks } from '../support/audit.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { spawnRuntime } from '../support/runtime.ts';
import { eventually, itemsOf, localSystem, settled, unique, type System } from '../support/system.ts';

// The endpoints that the environment names stay up, with their tables, streams and queues; the runtime comes and goes.
const dataDir = temporaryFolder();
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

async function withRuntime(use: (system: System) => Promise<void>): Promise<string> {
  // Reminders of stage dev come after 100 s: an order that settles before was carried by the stream.
  const runtime = await spawnRuntime({ dataDir, args: ['--stage', 'dev', '--verbose'] }).ready;
  try {
    await use(await localSystem(runtime.url));
  } finally {
    await runtime.end();
  }
  return runtime.output();
}

async function confirm(system: System, sku: string): Promise<void> {
  const { body } = await system.client.placeOrder(
    { customerId: unique('customer'), items: [{ sku, qty: 1, price: 500 }] },
    { idempotencyKey: unique('key') },
  );
  expect(await settled(system, (body as { orderId: string }).orderId)).toMatchObject({ status: 'CONFIRMED' });
}

describe('a runtime that starts again on endpoints that it did not start', () => {
  it('reads its stream from where it was, publishes nothing twice and settles new orders', async () => {
    const sku = unique('sku');
    await withRuntime(async (system) => {
      await system.client.putStock(sku, { available: 10 });
      for (let i = 0; i < 3; i++) await confirm(system, sku);
    });
    for (let start = 0; start < 2; start++) {
      const output = await withRuntime(async (system) => {
        await confirm(system, sku);
        // The last row may still be on its way. Whatever the relay had to carry would say so.
        await eventually(async () => {
          const rows = await itemsOf<{ status: string; resends?: number }>(system, 'OutboxTableName');
          expect(rows.filter(({ status, resends }) => status !== 'SENT' || resends !== undefined)).toEqual([]);
        });
        await auditBooks(system, new Map([[sku, 10]]));
      });
      expect(output).not.toMatch(/SerializationException|ValidationException|GetRecords/);
    }
  });
});
