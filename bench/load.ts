import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { ClientOptions } from '../client/http.ts';
import { OrderSagaClient, type Order } from '../client/order-saga.ts';
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

/** One of the runtime's own pages. */
export async function page(url: string, path: string, method = 'GET', body?: unknown): Promise<never> {
  const response = await fetch(`${url}/_local/${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return (await response.json()) as never;
}

/** A customer's client. It does not try again: what is measured is one request. */
export function clientOf(url: string, authorize?: ClientOptions['authorize']): OrderSagaClient {
  return new OrderSagaClient({ baseUrl: url, attempts: 1, ...(authorize ? { authorize } : {}) });
}

export async function placeOrder(client: OrderSagaClient, customerId: string): Promise<string> {
  const { body } = await client.placeOrder(
    { customerId, items: [{ sku: 'coffee', qty: 1, price: 500 }], shipTo: { name: 'Ada', postalCode: '1000001' } },
    { idempotencyKey: randomUUID() },
  );
  return body.orderId;
}

export async function whenSettled(client: OrderSagaClient, orderId: string): Promise<Order> {
  for (;;) {
    const { body: order } = await client.getOrder(orderId);
    if (order?.settledAt !== undefined) return order;
    await pause(100);
  }
}

/** Places `orders` orders from `clients` clients that do nothing else, then waits until all have settled. */
export async function runLoad(api: OrderSagaClient, clients: number, orders: number): Promise<LoadResult> {
  const latencies: number[] = [];
  const ids: string[] = [];
  let left = orders;
  const startedAt = Date.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (left-- > 0) {
        const before = performance.now();
        ids.push(await placeOrder(api, `bench-${client}`));
        latencies.push(performance.now() - before);
      }
    }),
  );
  const acceptSeconds = (Date.now() - startedAt) / 1000;
  // One after the other: asking for all at once would compete with what is measured.
  const settled: Order[] = [];
  for (const id of ids) settled.push(await whenSettled(api, id));
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
