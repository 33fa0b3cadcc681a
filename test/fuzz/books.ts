import type { StoredOrder } from '../support/audit.ts';
import { itemsOf, type System } from '../support/system.ts';

interface Row {
  readonly aggregateId: string;
  readonly status: string;
  readonly body: string;
}

/**
 * What is half-written, or not settled yet: every accepted order is there, every order's versions have exactly one row each, no row is
 * without its order, and money was taken for what is confirmed and nothing else.
 */
export async function bookFindings(system: System, accepted: ReadonlySet<string>): Promise<string[]> {
  const orders = new Map((await itemsOf<StoredOrder>(system, 'OrdersTableName')).map((order) => [order.orderId, order]));
  const rows = await itemsOf<Row>(system, 'OutboxTableName');
  const findings: string[] = [];
  for (const orderId of accepted) if (!orders.has(orderId)) findings.push(`${orderId} was accepted and is not there`);
  const sequences = new Map<string, number[]>();
  for (const { aggregateId, body, status } of rows) {
    if (!orders.has(aggregateId)) findings.push(`a row of ${aggregateId}, which is not there`);
    if (status !== 'SENT') findings.push(`a row of ${aggregateId} is ${status}`);
    const { sequence } = JSON.parse(body) as { sequence?: number };
    if (sequence !== undefined) sequences.set(aggregateId, [...(sequences.get(aggregateId) ?? []), sequence]);
  }
  for (const { orderId, step, version } of orders.values()) {
    if (step !== 'SETTLED') findings.push(`${orderId} is at ${step}`);
    const found = (sequences.get(orderId) ?? []).toSorted((a, b) => a - b);
    const wanted = Array.from({ length: version }, (_, i) => i + 1);
    if (found.join() !== wanted.join()) findings.push(`${orderId} has version ${version} and rows for ${found.join()}`);
  }
  const ledger = await itemsOf<{ kind?: string; amount: number }>(system, 'LedgerTableName');
  const sum = (kind: string): number => ledger.filter((entry) => entry.kind === kind).reduce((total, { amount }) => total + amount, 0);
  const sold = [...orders.values()].filter(({ status }) => status === 'CONFIRMED').reduce((total, order) => total + order.total, 0);
  if (sum('capture') - sum('refund') !== sold) findings.push(`${sum('capture')} captured − ${sum('refund')} refunded is not ${sold} sold`);
  return findings;
}
