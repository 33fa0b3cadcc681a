/** `npm run demo`: tells, against a running local system, what happens to orders when things go right and wrong. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { runCommand } from '../cli/arguments.ts';
import { ApiProblem } from '../client/http.ts';
import type { Order, OrderLine, Placement } from '../client/order-saga.ts';
import { connectDemo, type DemoApi } from './api.ts';

const usage = `npm run demo

  Tells, against a running local system (npm start, in another terminal), what happens to orders when things go right and wrong.

  PORT=3000                              where it runs (environment variables)
  ORDER_SAGA_URL=http://localhost:3000
  --help`;

const base = process.env['ORDER_SAGA_URL'] ?? `http://localhost:${process.env['PORT'] ?? '3000'}`;
const say = (line = ''): void => void process.stdout.write(`${line}\n`);
/** A run of its own: names that no other run used. */
const run = randomUUID().slice(0, 6);
const settleWithinMs = 120_000;

interface Scene {
  readonly title: string;
  readonly order: Placement;
  /** What must have become of it; undefined where two buyers race. */
  readonly expected?: string;
  readonly key?: string;
}

const price = 1200;
const line = (sku: string): { items: readonly OrderLine[] } => ({ items: [{ sku: `${sku}-${run}`, qty: 1, price }] });

async function main(): Promise<number> {
  const api = await connectDemo(base);
  const stock = new Map([
    [`last-one-${run}`, 1],
    [`mug-${run}`, 20],
  ]);
  say(`\nOrder Saga at ${base}. Stock: one "last-one", twenty mugs.`);
  for (const [sku, available] of stock) await api.client.putStock(sku, { available });

  const placed: string[] = [];
  const tell = async (scene: Scene): Promise<Order> => {
    say(`\n■ ${scene.title}`);
    const { body } = await api.client.placeOrder(scene.order, { idempotencyKey: scene.key ?? randomUUID() });
    const order = await follow(api, body.orderId);
    if (!placed.includes(order.orderId)) placed.push(order.orderId);
    if (scene.expected !== undefined && outcomeOf(order) !== scene.expected) {
      throw new Error(`expected ${scene.expected}, but the order ended in ${outcomeOf(order)}`);
    }
    return order;
  };

  say('\n■ Two buyers want the last one, at the same time');
  const buyers = await Promise.all(
    ['ada', 'grace'].map(async (customerId) => {
      const { body } = await api.client.placeOrder({ customerId, ...line('last-one') }, { idempotencyKey: randomUUID() });
      return body.orderId;
    }),
  );
  placed.push(...buyers);
  const race = [await follow(api, buyers[0]!), await follow(api, buyers[1]!)];
  if (race.map(outcomeOf).toSorted().join() !== 'CONFIRMED,OUT_OF_STOCK') throw new Error('the last one was not sold exactly once');

  await tell({
    title: 'A card is declined: the reserved stock goes back',
    order: { ...line('mug'), payment: { token: 'tok_declined' } },
    expected: 'PAYMENT_DECLINED',
  });
  await tell({
    title: 'Nobody delivers to 00000: the money goes back, then the stock',
    order: { ...line('mug'), shipTo: { postalCode: '00000' } },
    expected: 'UNDELIVERABLE',
  });

  const key = randomUUID();
  const order = { customerId: 'ada', ...line('mug') };
  const first = await tell({ title: 'The same request is sent twice: one order', order, key, expected: 'CONFIRMED' });
  const again = await api.client.placeOrder(order, { idempotencyKey: key });
  const replayed = again.headers.get('idempotency-replayed') === 'true';
  say(
    `    sent again → ${again.status}, the same order ${again.body.orderId === first.orderId ? 'yes' : 'NO'}, marked as a replay ${replayed ? 'yes' : 'NO'}`,
  );
  const other = await api.client
    .placeOrder({ ...order, email: 'ada@example.com' }, { idempotencyKey: key })
    .catch((error: unknown) => error);
  if (!(other instanceof ApiProblem)) throw new Error('another body under the same key was taken');
  say(`    another body under the same key → ${other.message}`);
  if (again.body.orderId !== first.orderId || !replayed || other.status !== 422) throw new Error('a repeated request was not recognised');

  await tell({
    title: 'The gateway charges, but its answer is lost: it is asked again under the same key, and charges once',
    order: { ...line('mug'), payment: { token: 'tok_lost_response' } },
    expected: 'CONFIRMED',
  });
  await tell({
    title: 'A flaky gateway fails twice, then works: retried with backoff',
    order: { ...line('mug'), payment: { token: 'tok_flaky' } },
    expected: 'CONFIRMED',
  });

  await addUp(api, stock, placed);
  return 0;
}

const outcomeOf = ({ status, failure }: Order): string => failure?.code ?? status;

/** Prints an order's messages as they are committed, until it settles. */
async function follow(api: DemoApi, orderId: string): Promise<Order> {
  say(`    order ${orderId}`);
  const deadline = Date.now() + settleWithinMs;
  let printed = 0;
  for (;;) {
    const { body: order } = await api.client.getOrder(orderId);
    const { entries } = (await api.client.getTimeline(orderId)).body;
    if (!order) throw new Error('an order was asked for without a known ETag, and not sent');
    for (const { type, source, committedAt } of entries.slice(printed)) {
      const after = Date.parse(committedAt) - Date.parse(order.placedAt);
      say(`    ${`+${after} ms`.padStart(10)}  ${type.padEnd(22)} by ${source}`);
    }
    printed = entries.length;
    if (order.settledAt !== undefined) {
      say(`    ⇒ ${order.status}${order.failure ? `: ${order.failure.code} (${order.failure.detail})` : ''}`);
      return order;
    }
    if (Date.now() > deadline)
      throw new Error(`order ${orderId} has not settled within ${settleWithinMs / 1000} s; it is at ${order.step}`);
    await pause(100);
  }
}

/** Stock and money of this run, from the tables and the gateway's books. */
async function addUp(api: DemoApi, stock: ReadonlyMap<string, number>, placed: readonly string[]): Promise<void> {
  say('\n■ Do stock and money add up?');
  const orders = await Promise.all(placed.map(async (id) => (await api.client.getOrder(id)).body));
  const confirmed = orders.flatMap((order) => (order?.status === 'CONFIRMED' ? order : []));
  let right = true;
  const check = (what: string, holds: boolean): void => {
    right &&= holds;
    say(`    ${holds ? '✓' : '✗'} ${what}`);
  };
  for (const [sku, set] of stock) {
    const { available, reserved } = (await api.client.getStock(sku)).body;
    check(`${sku}: ${available} available + ${reserved} reserved = ${set} set`, available + reserved === set);
  }
  const ledger = (await api.ledger()).filter(({ orderId }) => placed.includes(orderId));
  const sum = (kind: string): number => ledger.filter((entry) => entry.kind === kind).reduce((total, { amount }) => total + amount, 0);
  const sold = confirmed.reduce((total, order) => total + order.total, 0);
  check(
    `${sum('capture')} captured − ${sum('refund')} refunded = ${sold}, the total of ${confirmed.length} confirmed orders`,
    sum('capture') - sum('refund') === sold,
  );
  if (!right) throw new Error('the books do not balance');
  say('');
}

await runCommand({ usage, options: {} }, main);
