import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { auditBooks, auditEchoes, auditQueues, type StoredOrder } from '../support/audit.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { spawnRuntime, type StartedRuntime } from '../support/runtime.ts';
import { itemsOf, localSystem, type System } from '../support/system.ts';
import { Random } from '@outbox-saga/testing/simulation/random';

const recorded = 20;
const kills = Number(process.env['KILLS'] ?? recorded);
const seed = Number(process.env['SEED'] ?? randomInt(1_000_000));
const clients = 6;
/** Nobody gives up an order while it lasts. */
const args = ['--stage', 'dev'];
const patience = { timeout: 15 * 60_000, interval: 500 };

const outcomes = { CONFIRMED: 'tok_ok', PAYMENT_DECLINED: 'tok_declined' } as const;
type Outcome = keyof typeof outcomes;
const skus = ['tea', 'coffee', 'cocoa'];
const stock = 1_000_000;

interface Acknowledged {
  readonly key: string;
  readonly outcome: Outcome;
}

/** What is there of the system now: nothing while it is down. */
let system: System | undefined;
/** By the order's id: everything that a client was told is accepted. */
const acknowledged = new Map<string, Acknowledged>();
/** Requests that were not answered: what became of them, only the next answer tells. */
let unanswered = 0;
const placing = new AbortController();

/** Places orders one after the other. Each request is repeated until it is answered, as a client must that hears nothing. */
async function placeOrders(client: number, random: Random): Promise<void> {
  for (let i = 0; !placing.signal.aborted; i++) {
    const key = `kills-${client}-${i}`;
    const outcome: Outcome = random.chance(0.8) ? 'CONFIRMED' : 'PAYMENT_DECLINED';
    const order = {
      customerId: `client-${client}`,
      items: [{ sku: random.pick(skus), qty: random.int(1, 3), price: 100 }],
      payment: { token: outcomes[outcome] },
    };
    while (!(await isAccepted(order, key, outcome))) await pause(50);
    await pause(random.int(0, 300));
  }
}

async function isAccepted(order: Parameters<System['api']['place']>[0], key: string, outcome: Outcome): Promise<boolean> {
  if (!system) return false;
  try {
    const { status, body } = await system.api.place(order, key);
    if (status !== 202) return false;
    acknowledged.set((body as { orderId: string }).orderId, { key, outcome });
    return true;
  } catch (error) {
    // What fetch throws when nobody is there any more. All else is no answer of this API.
    if (!(error instanceof TypeError)) throw error;
    unanswered++;
    return false;
  }
}

const ordersOf = (of: System): Promise<(StoredOrder & { failure?: { code: string } })[]> => itemsOf(of, 'OrdersTableName');

/** Those that somebody was told of before, and that are not there. */
async function lost(of: System, told: readonly string[]): Promise<string[]> {
  const there = new Set((await ordersOf(of)).map(({ orderId }) => orderId));
  return told.filter((orderId) => !there.has(orderId));
}

/** The runtime and its functions, in one blow. */
function killAll({ process: { pid } }: Pick<StartedRuntime, 'process'>): void {
  process.kill(-pid!, 'SIGKILL');
}

it(`loses nothing of what it acknowledged, killed at ${kills} moments of seed ${seed}`, async () => {
  const startedAt = Date.now();
  const random = new Random(seed);
  const dataDir = temporaryFolder();
  const start = () => spawnRuntime({ dataDir, args });
  let runtime = await start().ready;
  const report: [string, string | number][] = [];
  try {
    system = await localSystem(runtime.url);
    for (const sku of skus) await system.api.setStock(sku, stock);
    const placed = Promise.all(Array.from({ length: clients }, (_, client) => placeOrders(client, new Random(seed, client + 1))));
    let killedInStart = 0;
    let missing = 0;
    for (let kill = 1; kill <= kills; kill++) {
      const enough = acknowledged.size + random.int(1, 25);
      await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThanOrEqual(enough), { ...patience, interval: 10 });
      await pause(random.int(0, 1000));
      const told = [...acknowledged.keys()];
      killAll(runtime);
      system = undefined;
      await runtime.end();
      if (random.chance(0.25)) {
        const starting = start();
        await pause(random.int(200, 2000));
        killAll(starting);
        await starting.exited;
        killedInStart++;
      }
      runtime = await start().ready;
      const next = await localSystem(runtime.url);
      const gone = await lost(next, told);
      missing += gone.length;
      console.log(`kill ${kill}: ${told.length} orders acknowledged, ${gone.length} of them lost`);
      expect(gone).toEqual([]);
      system = next;
    }
    placing.abort();
    await placed;

    const last = system!;
    await vi.waitFor(async () => {
      for (const name of ['order-sweep', 'outbox-relay']) await last.api.send('POST', `/_local/functions/${name}`, {});
      const orders = await itemsOf<StoredOrder & { openShard?: string }>(last, 'OrdersTableName');
      expect(orders.filter(({ step, openShard }) => step !== 'SETTLED' || openShard !== undefined)).toEqual([]);
    }, patience);
    const ends = new Map((await ordersOf(last)).map(({ orderId, status, failure }) => [orderId, failure?.code ?? status]));
    expect(ends).toEqual(new Map(Array.from(acknowledged, ([orderId, { outcome }]) => [orderId, outcome])));
    expect(new Set(Array.from(acknowledged.values(), ({ key }) => key)).size).toBe(acknowledged.size);
    await auditEchoes(last);
    await auditBooks(last, new Map(skus.map((sku) => [sku, stock])));
    await auditQueues(last);

    report.push(
      ['seed', seed],
      ['kill -9 of everything, with orders under way', kills],
      ['and while it was starting again', killedInStart],
      ['orders acknowledged', acknowledged.size],
      ['requests without an answer, sent again under their key', unanswered],
      ['acknowledged orders lost, or there twice', missing],
      ['orders that did not settle, or with another end; books, queues and read model that do not agree', 0],
      ['took', `${Math.round((Date.now() - startedAt) / 1000)} s`],
    );
    const table = ['| kills | |', '|---|---:|', ...report.map(([what, value]) => `| ${what} | ${value} |`)].join('\n');
    console.log(`\n${table}\n`);
    if (kills >= recorded) writeFileSync(join(import.meta.dirname, 'results/kills.md'), `# Kills\n\n\`npm run kills\`\n\n${table}\n`);
  } finally {
    placing.abort();
    await runtime.remove();
  }
});
