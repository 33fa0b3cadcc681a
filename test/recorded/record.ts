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

const seeds = 300;

await runCommand({ usage, options: {} }, async () => {
  // It replaces the clock, so it is loaded only when something is to be recorded.
  await import('@outbox-saga/testing/simulation/globals');
  const { topology } = await import('../../lambdas/contract/routes.ts');
  const { asNewCodeReads } = await import('@outbox-saga/testing/simulation/versions');
  const { runSeed } = await import('../simulation/simulation.ts');
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };
  const typeOf = (row: Record<string, unknown>): string => (JSON.parse(row['body'] as string) as { type: string }).type;
  const stateOf = (item: Record<string, unknown>): string =>
    [item['step'], item['status'], item['outcome'], item['cancelled'] ? 'cancelled' : undefined].filter(Boolean).join(' ') || 'stock';
  const recorded: Record<string, Record<string, unknown>> = {};
  const kept = new Set(['orders', 'inventory', 'payments', 'shipments', 'orderView', 'notifications', 'outbox']);

  for (let seed = 1; seed <= seeds; seed++) {
    await runSeed(seed, {
      onChange: (changes) => {
        for (const { table, after } of changes) {
          if (!kept.has(table) || !after) continue;
          // Some seeds let a newer version live beside this one: what that one wrote is not this one's.
          if (table === 'outbox' && asNewCodeReads(after['body'] as string) !== after['body']) continue;
          const state = table === 'outbox' ? typeOf(after) : stateOf(after);
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
  const unmet = Object.keys(topology.messages).filter((type) => !Object.hasOwn(recorded['outbox'] ?? {}, type));
  if (unmet.length > 0) throw new Error(`in seeds 1 to ${seeds} nobody sent ${unmet.join(', ')}: nothing is recorded`);
  writeFileSync(join(import.meta.dirname, `${version}.json`), `${JSON.stringify(sorted, undefined, 1)}\n`);
  for (const [table, states] of Object.entries(sorted)) console.log(`${table}: ${Object.keys(states).join(', ')}`);
  return 0;
});
