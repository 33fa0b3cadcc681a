import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { expect } from 'vitest';
import { readDeadLetters } from '@outbox-saga/kit/consumer/dead-letters';
import { eventually, itemsOf, queueDepth, type System } from './system.ts';

export interface StoredOrder {
  readonly orderId: string;
  readonly customerId: string;
  readonly status: string;
  readonly step: string;
  readonly version: number;
  readonly total: number;
  readonly placedAt: number;
  readonly items: readonly { readonly sku: string; readonly qty: number }[];
}

interface LedgerEntry {
  readonly pk: string;
  readonly kind?: string;
  readonly orderId: string;
  readonly amount: number;
}

/** What must hold once every order is settled, read from the tables themselves. */
export async function auditBooks(system: System, stockSet: ReadonlyMap<string, number>): Promise<void> {
  const orders = await itemsOf<StoredOrder>(system, 'OrdersTableName');
  expect(orders.filter(({ step }) => step !== 'SETTLED')).toEqual([]);

  // Stock: what was set is still there, free or reserved, and reserved is what confirmed orders hold.
  const inventory = await itemsOf<{ pk: string; available: number; reserved: number }>(system, 'InventoryTableName');
  for (const [sku, set] of stockSet) {
    const level = inventory.find(({ pk }) => pk === `sku#${sku}`)!;
    const held = orders
      .filter(({ status }) => status === 'CONFIRMED')
      .flatMap(({ items }) => items)
      .filter((item) => item.sku === sku)
      .reduce((sum, { qty }) => sum + qty, 0);
    expect({ sku, available: level.available, reserved: level.reserved }).toEqual({ sku, available: set - held, reserved: held });
    expect(level.available).toBeGreaterThanOrEqual(0);
  }

  // Money: captured − refunded is what confirmed orders cost; an order that was refunded was captured.
  const ledger = await itemsOf<LedgerEntry>(system, 'LedgerTableName');
  const sum = (kind: string): number => ledger.filter((entry) => entry.kind === kind).reduce((total, { amount }) => total + amount, 0);
  const confirmed = orders.filter(({ status }) => status === 'CONFIRMED');
  expect(sum('capture') - sum('refund')).toBe(confirmed.reduce((total, order) => total + order.total, 0));
  const captured = new Set(ledger.filter(({ kind }) => kind === 'capture').map(({ orderId }) => orderId));
  expect(ledger.filter(({ kind, orderId }) => kind === 'refund' && !captured.has(orderId))).toEqual([]);

  // Goods ship only for confirmed orders.
  const calledOff = new Set(ledger.filter(({ kind }) => kind === 'calloff').map(({ orderId }) => orderId));
  const shipped = ledger.filter(({ kind, orderId }) => kind === 'shipment' && !calledOff.has(orderId)).map(({ orderId }) => orderId);
  expect(new Set(shipped)).toEqual(new Set(confirmed.map(({ orderId }) => orderId)));
}

/** The read model, the notifications and the queues catch up a moment after the last order settles. */
export async function auditEchoes(system: System): Promise<void> {
  await eventually(async () => {
    const orders = await itemsOf<StoredOrder>(system, 'OrdersTableName');
    const views = await itemsOf<{
      orderId: string;
      customerId: string;
      status: string;
      sequence: number;
      total: number;
      itemCount: number;
    }>(system, 'OrderViewTableName');
    const expected = orders.map(({ orderId, customerId, status, version, total, items }) => ({
      orderId,
      customerId,
      status,
      sequence: version,
      total,
      itemCount: items.reduce((count, { qty }) => count + qty, 0),
    }));
    const found = views.map(({ orderId, customerId, status, sequence, total, itemCount }) => ({
      orderId,
      customerId,
      status,
      sequence,
      total,
      itemCount,
    }));
    const byId = (a: { orderId: string }, b: { orderId: string }): number => (a.orderId < b.orderId ? -1 : 1);
    expect(found.sort(byId)).toEqual(expected.sort(byId));
    const notified = await itemsOf<{ orderId: string }>(system, 'NotificationsTableName');
    expect(notified.length).toBe(orders.length);

    const rows = await itemsOf<{ status: string; aggregateId: string }>(system, 'OutboxTableName');
    const ours = new Set(orders.map(({ orderId }) => orderId));
    expect(rows.filter(({ status, aggregateId }) => status !== 'SENT' && ours.has(aggregateId))).toEqual([]);
  });
}

/**
 * No message waits, is in flight or is dead.
 *
 * @param mayGiveUp whether faults may have used up a message's short retry window: such a letter says so, and is taken out
 */
export async function auditQueues(system: System, { mayGiveUp = false } = {}): Promise<void> {
  if (mayGiveUp) await takeOutExhausted(system);
  const queues = Object.keys(system.outputs).filter((name) => name.endsWith('QueueUrl'));
  expect(queues.length).toBeGreaterThanOrEqual(12);
  await eventually(async () => {
    const depths = await Promise.all(queues.map(async (name) => [name, await queueDepth(system, name)] as const));
    expect(depths.filter(([, depth]) => depth > 0)).toEqual([]);
  });
}

async function takeOutExhausted(system: System): Promise<void> {
  for (const [name, QueueUrl] of Object.entries(system.outputs).filter(([output]) => output.endsWith('DeadLetterQueueUrl'))) {
    for (;;) {
      const { Messages = [] } = await system.queues.send(
        new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
      );
      if (Messages.length === 0) break;
      for (const { reason } of readDeadLetters(Messages)) expect({ name, reason }).toMatchObject({ name, reason: { class: 'exhausted' } });
      for (const { ReceiptHandle } of Messages) await system.queues.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
}
