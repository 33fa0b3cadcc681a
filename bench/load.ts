import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { percentile } from './runtime.ts';

export interface LoadResult {
  readonly clients: number;
  readonly orders: number;
  readonly acceptedPerSecond: number;
  readonly acceptP50Ms: number;
  readonly acceptP99Ms: number;
  /** Placed → settled, while the next orders are being placed. */
  readonly settledPerSecond: number;
  readonly settleP50Ms: number;
  readonly settleP99Ms: number;
}

export async function json(
  url: string,
  method = 'GET',
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: never }> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as never };
}

export async function placeOrder(url: string, customerId: string): Promise<string> {
  const order = { customerId, items: [{ sku: 'coffee', qty: 1, price: 500 }], shipTo: { name: 'Ada', postalCode: '1000001' } };
  const { status, body } = await json(`${url}/orders`, 'POST', order, { 'idempotency-key': randomUUID() });
  if (status !== 202) throw new Error(`POST /orders answered ${status}`);
  return (body as { orderId: string }).orderId;
}

interface Settled {
  readonly placedAt: string;
  readonly settledAt?: string;
  readonly status: string;
}

export async function whenSettled(url: string, orderId: string): Promise<Settled> {
  for (;;) {
    const { body } = await json(`${url}/orders/${orderId}`);
    const order = body as Settled;
    if (order.settledAt !== undefined) return order;
    await pause(100);
  }
}

/** Places `orders` orders from `clients` clients that do nothing else, then waits until all have settled. */
export async function runLoad(url: string, clients: number, orders: number): Promise<LoadResult> {
  const latencies: number[] = [];
  const ids: string[] = [];
  let left = orders;
  const startedAt = Date.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (left-- > 0) {
        const before = performance.now();
        ids.push(await placeOrder(url, `bench-${client}`));
        latencies.push(performance.now() - before);
      }
    }),
  );
  const acceptSeconds = (Date.now() - startedAt) / 1000;
  // One after the other: asking for all at once would compete with what is measured.
  const settled: Settled[] = [];
  for (const id of ids) settled.push(await whenSettled(url, id));
  const wrong = settled.filter(({ status }) => status !== 'CONFIRMED');
  if (wrong.length > 0) throw new Error(`${wrong.length} orders were not confirmed`);
  const settleMs = settled.map(({ placedAt, settledAt }) => Date.parse(settledAt!) - Date.parse(placedAt));
  const lastSettled = Math.max(...settled.map(({ settledAt }) => Date.parse(settledAt!)));
  return {
    clients,
    orders,
    acceptedPerSecond: orders / acceptSeconds,
    acceptP50Ms: percentile(latencies, 0.5),
    acceptP99Ms: percentile(latencies, 0.99),
    settledPerSecond: orders / ((lastSettled - startedAt) / 1000),
    settleP50Ms: percentile(settleMs, 0.5),
    settleP99Ms: percentile(settleMs, 0.99),
  };
}
