/**
 * `npm run record`: records what this version writes: one of each message type, and an order, a reservation, a payment, a shipment and a read-model item
 * in each of their states, as the simulation meets them. Run it once per release, before the version number changes, and commit the file.
 * test/contract/recorded.test.ts holds that every later version can go on from there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../cli/arguments.ts';

const usage = `npm run record

  Records what this version writes, as the simulation meets it, in test/recorded/<version>.json. Once per release, before the version number changes.
  --help`;

await runCommand({ usage, options: {} }, async () => {
  // It replaces the clock, so it is loaded only when something is to be recorded.
  await import('../simulation/globals.ts');
  const { runSeed } = await import('../simulation/simulation.ts');
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };
  const recorded: Record<string, Record<string, unknown>> = {};
  const kept = new Set(['orders', 'inventory', 'payments', 'shipments', 'orderView', 'notifications', 'outbox']);

  for (let seed = 1; seed <= 300; seed++) {
    await runSeed(seed, {
      onChange: (changes) => {
        for (const { table, after } of changes) {
          if (!kept.has(table) || !after) continue;
          const state =
            table === 'outbox'
              ? (JSON.parse(after['body'] as string) as { type: string }).type
              : [after['step'], after['status'], after['outcome'], after['cancelled'] ? 'cancelled' : undefined]
                  .filter(Boolean)
                  .join(' ') || 'stock';
          (recorded[table] ??= {})[state] ??= after;
        }
      },
    });
  }
  const sorted = Object.fromEntries(
    Object.entries(recorded).map(([table, states]) => [
      table,
      Object.fromEntries(Object.entries(states).sort(([a], [b]) => (a < b ? -1 : 1))),
    ]),
  );
  writeFileSync(join(import.meta.dirname, `${version}.json`), `${JSON.stringify(sorted, undefined, 1)}\n`);
  for (const [table, states] of Object.entries(sorted)) console.log(`${table}: ${Object.keys(states).join(', ')}`);
  return 0;
});
