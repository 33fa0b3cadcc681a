import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReceiveMessageCommand, SendMessageCommand, type Message } from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import { readDeadLetters, type DeadLetter } from '@outbox-saga/kit/consumer/dead-letters';
import { auditBooks, auditEchoes } from '../support/audit.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { startRuntime, type StartedRuntime } from '../support/runtime.ts';
import { itemsOf, localSystem, type System } from '../support/system.ts';

const short = process.env['STORM'] === 'short';
/** The storm's size. Short is for CI. */
const size = short
  ? { orders: 60, baseline: 20, clients: 8, kills: 10, restarts: 1, poison: 10 }
  : { orders: 1000, baseline: 200, clients: 16, kills: 100, restarts: 5, poison: 50 };

const consumers = ['OrderSaga', 'Inventory', 'Payment', 'Shipping', 'Notification', 'OrderView'];
/** Failures and delays in two participants, acknowledgements lost in a third, and a little of everything else. */
const faults = {
  inventory: { failRate: 0.3, delayMs: 500, conflictRate: 0.05 },
  payment: { failRate: 0.3, delayMs: 500, throttleRate: 0.05 },
  shipping: { ackLossRate: 0.8 },
  'order-view': { reorderRate: 0.1, duplicateRate: 0.1 },
  'outbox-publisher': { partialBatchRate: 0.02 },
};

type Kind = 'CONFIRMED' | 'PAYMENT_DECLINED' | 'UNDELIVERABLE' | 'OUT_OF_STOCK';
interface Planned {
  readonly key: string;
  readonly kind: Kind;
  readonly sku: string;
  readonly qty: number;
}

const skus = 20;

/** Every order has one end that it can have: of each SKU there is exactly what is asked for, and one order in ten asks for the impossible. */
function plan(prefix: string, count: number, healthy: boolean): Planned[] {
  return Array.from({ length: count }, (_, i): Planned => {
    const kind: Kind =
      healthy || i % 10 < 5 ? 'CONFIRMED' : i % 10 < 7 ? 'PAYMENT_DECLINED' : i % 10 < 9 ? 'UNDELIVERABLE' : 'OUT_OF_STOCK';
    return { key: `${prefix}-${i}`, kind, sku: `${prefix}-sku-${i % skus}`, qty: kind === 'OUT_OF_STOCK' ? 1_000_000 : 1 + (i % 3) };
  });
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const patience = 20 * 60_000;

/** Waits for a condition while the system may be down. */
async function until(what: string, holds: () => Promise<boolean>, everyMs = 500): Promise<void> {
  const end = Date.now() + patience;
  for (;;) {
    if (await holds().catch(() => false)) return;
    if (Date.now() > end) throw new Error(`waited ${patience / 60_000} minutes for ${what}`);
    await pause(everyMs);
  }
}

/** What no code can ever read. A newer version or an unknown type is no poison: it waits for the code that knows it (test/integration/messages.test.ts). */
const poisonBodies: readonly ((id: string) => string)[] = [
  (id) => `not JSON ${id}`,
  (id) => JSON.stringify({ id }),
  (id) => JSON.stringify([id]),
  (id) => envelope(id, { type: '' }),
  (id) => envelope(id, { version: 0 }),
  (id) => envelope(id, { kind: 'rumour' }),
  (id) => envelope(id, { messageId: 'short' }),
  (id) => envelope(id, { data: { amount: 'much' }, type: 'PaymentCaptured' }),
  (id) => envelope(id, { occurredAt: -1 }),
  (id) => JSON.stringify({ id, nested: '['.repeat(1000) }),
  (id) => `${'x'.repeat(200_000)} ${id}`,
];

function envelope(id: string, changes: Record<string, unknown>): string {
  const message = {
    messageId: '01'.padEnd(26, '0'),
    type: 'StockReserved',
    version: 1,
    kind: 'event',
    aggregateId: id,
    groupId: 'poison',
    correlationId: id,
    causationId: id,
    occurredAt: 0,
    data: {},
  };
  return JSON.stringify({ ...message, ...changes });
}

it('survives failures, delays, lost acknowledgements, poison, kills and restarts', async () => {
  const startedAt = Date.now();
  const dataDir = temporaryFolder();
  // The durations of dev: nobody gives up an order while the storm lasts.
  let runtime: StartedRuntime = await startRuntime({ dataDir, args: ['--stage', 'dev'], isolation: 'process' });
  let system: System = await localSystem(runtime.url);
  const report: [string, string | number][] = [];
  const accepted = new Map<string, Planned>();
  const setFaults = (to: unknown): Promise<unknown> => system.api.send('PUT', '/_local/faults', to);

  const stockFor = async (orders: readonly Planned[]): Promise<Map<string, number>> => {
    const stock = new Map<string, number>();
    for (const { sku, qty, kind } of orders) stock.set(sku, (stock.get(sku) ?? 0) + (kind === 'OUT_OF_STOCK' ? 0 : qty));
    for (const [sku, units] of stock) await system.api.setStock(sku, units);
    return stock;
  };
  /** Places orders from several clients; each repeats its request until it is accepted. */
  const placeAll = async (orders: readonly Planned[], clients: number, pauseMs = 0): Promise<void> => {
    const waiting = [...orders];
    const client = async (customerId: string): Promise<void> => {
      for (let order = waiting.shift(); order; order = waiting.shift()) {
        const { key, kind, sku, qty } = order;
        for (;;) {
          const answer = await system.api
            .place(
              {
                customerId,
                items: [{ sku, qty, price: 100 }],
                payment: { token: kind === 'PAYMENT_DECLINED' ? 'tok_declined' : 'tok_ok' },
                shipTo: { postalCode: kind === 'UNDELIVERABLE' ? '00000' : '1000001' },
              },
              key,
            )
            .catch(() => undefined);
          if (answer?.status === 202) {
            accepted.set(answer.body.orderId as string, order);
            await pause(pauseMs);
            break;
          }
          await pause(200);
        }
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, c) => client(`client-${c}`)));
  };
  const ordersOf = () =>
    itemsOf<{ orderId: string; step: string; status: string; failure?: { code: string }; placedAt: number; settledAt: number }>(
      system,
      'OrdersTableName',
    );
  const allSettled = (): Promise<void> =>
    until('every order to settle', async () => {
      for (const name of ['order-sweep', 'outbox-relay']) await system.api.send('POST', `/_local/functions/${name}`, {});
      const orders = await ordersOf();
      return orders.length === accepted.size && orders.every(({ step }) => step === 'SETTLED');
    });
  const settleTimes = async (prefix: string): Promise<string> => {
    const times = (await ordersOf())
      .filter(({ orderId, status }) => status === 'CONFIRMED' && accepted.get(orderId)?.key.startsWith(`${prefix}-`))
      .map(({ placedAt, settledAt }) => settledAt - placedAt)
      .toSorted((a, b) => a - b);
    const at = (share: number): number => Math.round(times[Math.floor((times.length - 1) * share)]!);
    return `${at(0.5)} / ${at(0.99)} ms`;
  };
  const poison = new Map<string, string>();
  const throwPoison = async (): Promise<void> => {
    for (const consumer of consumers) {
      for (let i = 0; i < size.poison; i++) {
        const id = `poison-${randomUUID()}`;
        const body = poisonBodies[i % poisonBodies.length]!(id);
        poison.set(body, consumer);
        await system.queues.send(new SendMessageCommand({ QueueUrl: system.outputs[`${consumer}QueueUrl`], MessageBody: body }));
      }
    }
  };

  try {
    // Healthy orders, alone and then among poison.
    const stock = new Map<string, number>();
    for (const [prefix, poisoned] of [
      ['warm-up', false],
      ['healthy', false],
      ['poisoned', true],
    ] as const) {
      const orders = plan(prefix, prefix === 'warm-up' ? 20 : size.baseline, true);
      for (const [sku, units] of await stockFor(orders)) stock.set(sku, units);
      // At a rate that leaves the machine room: it is about latency.
      await Promise.all([placeAll(orders, 2, 300), poisoned ? throwPoison() : undefined]);
      await allSettled();
      if (prefix === 'warm-up') continue;
      report.push([
        `healthy orders${poisoned ? `, with ${poison.size} poison messages among them` : ''}: settled p50 / p99`,
        await settleTimes(prefix),
      ]);
    }

    // The storm.
    const orders = plan('storm', size.orders, false);
    for (const [sku, units] of await stockFor(orders)) stock.set(sku, units);
    await setFaults(faults);
    let killed = 0;
    let restarted = 0;
    const restart = async (): Promise<void> => {
      runtime.process.kill('SIGKILL');
      await new Promise((resolve) => runtime.process.once('exit', resolve));
      runtime = await startRuntime({ dataDir, args: ['--stage', 'dev'], isolation: 'process' });
      system = await localSystem(runtime.url);
      await setFaults(faults);
      restarted++;
    };
    const killer = async (): Promise<void> => {
      while (killed < size.kills || restarted < size.restarts) {
        await pause(100 + Math.random() * 400);
        if (restarted < size.restarts && killed >= ((restarted + 1) * size.kills) / (size.restarts + 1)) await restart();
        const { body } = await system.api.get('/_local/functions').catch(() => ({ body: undefined }));
        const pids = Object.values((body ?? {}) as Record<string, { pids: number[] }>).flatMap((fn) => fn.pids);
        const pid = pids[Math.floor(Math.random() * pids.length)];
        if (pid === undefined) continue;
        try {
          process.kill(pid, 'SIGKILL');
          killed++;
        } catch {
          // It ended by itself a moment ago.
        }
      }
    };
    // At least so many, however long the orders take.
    await Promise.all([placeAll(orders, size.clients), killer()]);
    const { struck } = (await system.api.get('/_local/faults')).body as { struck: Record<string, number> };
    await setFaults({});
    await allSettled();
    report.push(
      ['orders in the storm', size.orders],
      ['environments killed', killed],
      ['restarts of everything', restarted],
      ['faults made by the runtime since the last restart', JSON.stringify(struck)],
      ['their confirmed orders: settled p50 / p99', await settleTimes('storm')],
    );

    // What must have come of it.
    const outcomes = new Map((await ordersOf()).map(({ orderId, status, failure }) => [orderId, failure?.code ?? status]));
    const wrong = [...accepted].filter(([orderId, { kind }]) => outcomes.get(orderId) !== kind);
    expect(wrong.map(([orderId, { key, kind }]) => `${key} (${orderId}) ended ${outcomes.get(orderId)}, not ${kind}`)).toEqual([]);
    expect(outcomes.size).toBe(accepted.size);
    expect(accepted.size).toBe(20 + 2 * size.baseline + size.orders);
    await until('the echoes', async () => {
      for (const name of ['order-sweep', 'outbox-relay']) await system.api.send('POST', `/_local/functions/${name}`, {});
      return (await itemsOf<{ openShard?: string }>(system, 'OrdersTableName')).every(({ openShard }) => openShard === undefined);
    });
    await auditEchoes(system);
    await auditBooks(system, stock);
    report.push(['orders lost, done twice, or with another end', 0]);

    const letters = await deadLetters(system);
    const reasons = new Map(
      letters.flatMap(({ consumer, letter }) => letter.copies.map(({ Body }) => [`${consumer} ${Body}`, letter.reason])),
    );
    for (const [body, consumer] of poison) {
      expect(reasons.get(`${consumer} ${body}`), `${consumer}: ${body.slice(0, 80)}`).toMatchObject({
        class: 'permanent',
        error: expect.stringMatching(/\w/),
        fingerprint: expect.stringMatching(/^\w{12}$/),
      });
    }
    const others = letters.filter(({ letter }) => !letter.copies.some(({ Body }) => poison.has(Body!)));
    expect(others.filter(({ letter }) => letter.reason === 'UNACKNOWLEDGED')).toEqual([]);
    report.push(
      ['poison messages, each in its dead-letter queue with its reason', poison.size],
      ['other dead letters, each with its reason', others.length],
      ['took', `${Math.round((Date.now() - startedAt) / 1000)} s`],
    );
    const table = ['| storm | |', '|---|---:|', ...report.map(([what, value]) => `| ${what} | ${value} |`)].join('\n');
    console.log(`\n${table}\n`);
    if (!short) writeFileSync(join(import.meta.dirname, 'results/storm.md'), `# Storm\n\n\`npm run storm\`\n\n${table}\n`);
  } finally {
    await runtime.remove();
  }
});

async function deadLetters(system: System): Promise<{ consumer: string; letter: DeadLetter<Message> }[]> {
  const found: { consumer: string; letter: DeadLetter<Message> }[] = [];
  for (const consumer of consumers) {
    const messages: Message[] = [];
    for (;;) {
      const { Messages = [] } = await system.queues.send(
        new ReceiveMessageCommand({
          QueueUrl: system.outputs[`${consumer}DeadLetterQueueUrl`],
          MaxNumberOfMessages: 10,
          VisibilityTimeout: 600,
          MessageAttributeNames: ['All'],
        }),
      );
      if (Messages.length === 0) break;
      messages.push(...Messages);
    }
    found.push(...readDeadLetters(messages).map((letter) => ({ consumer, letter })));
  }
  return found;
}
