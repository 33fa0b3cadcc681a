import { setTimeout as pause } from 'node:timers/promises';
import type { OrderSagaClient } from '../client/order-saga.ts';
import { clientOf, type Customer } from '../load/customers.ts';
import { runLoad } from '../load/run.ts';

export const sku = 'coffee';

export interface LoadResult {
  readonly clients: number;
  readonly orders: number;
  readonly acceptedPerSecond: number;
  readonly acceptP50Ms: number;
  readonly acceptP99Ms: number;
  /** From the first order placed to the last one settled, while the others are being placed. */
  readonly settledPerSecond: number;
  readonly settleP50Ms: number;
  readonly settleP99Ms: number;
}

/** One of the runtime's own pages. */
export async function page(url: string, path: string, method = 'GET', body?: unknown): Promise<never> {
  const response = await fetch(`${url}/_local/${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return (await response.json()) as never;
}

export const customerOf = (url: string, customerId: string): Customer => ({ client: clientOf(url), customerId });

/** @returns how long it took from placed to settled, in ms */
export async function whenSettled(client: OrderSagaClient, orderId: string): Promise<number> {
  for (;;) {
    const { body: order } = await client.getOrder(orderId);
    if (order?.settledAt !== undefined) return Date.parse(order.settledAt) - Date.parse(order.placedAt);
    await pause(100);
  }
}

/** Places `orders` orders from `clients` clients that do nothing else. @throws Error when one of them was not confirmed */
export async function loadFrom(url: string, clients: number, orders: number): Promise<LoadResult> {
  const customers = Array.from({ length: clients }, (_, i) => customerOf(url, `bench-${i}`));
  const { tally } = await runLoad({
    customers,
    orders,
    seconds: undefined,
    rate: undefined,
    patienceMs: 120_000,
    sku,
    wait: true,
  });
  const confirmed = tally.outcomes['CONFIRMED'] ?? 0;
  if (confirmed !== orders) {
    const { outcomes, refusals, errors } = tally;
    throw new Error(`${orders - confirmed} of ${orders} orders were not confirmed: ${JSON.stringify({ outcomes, refusals, errors })}`);
  }
  return {
    clients,
    orders,
    acceptedPerSecond: tally.acceptedPerSecond,
    acceptP50Ms: tally.accepts.percentile(0.5),
    acceptP99Ms: tally.accepts.percentile(0.99),
    settledPerSecond: tally.settledPerSecond,
    settleP50Ms: tally.settlements.percentile(0.5),
    settleP99Ms: tally.settlements.percentile(0.99),
  };
}
