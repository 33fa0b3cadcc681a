import type { ListedOrder, OrderAnswer, TimelineAnswer } from '../contract/answers.ts';
import { decodeEnvelope } from '@outbox-saga/kit/messages/envelope';
import type { Order, OrderStatus } from '../contract/order.ts';
import type { OutboxRow } from '@outbox-saga/kit/outbox/row';

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** Body of GET /orders/{id}. Times in ISO 8601. */
export function orderAnswer(order: Order): OrderAnswer {
  return {
    orderId: order.orderId,
    customerId: order.customerId,
    status: order.status,
    step: order.step,
    version: order.version,
    currency: order.currency,
    total: order.total,
    items: [...order.items],
    failure: order.failure,
    trackingId: order.trackingId,
    placedAt: iso(order.placedAt),
    updatedAt: iso(order.updatedAt),
    settledAt: order.settledAt === undefined ? undefined : iso(order.settledAt),
  };
}

/** An order's ETag: its version, which every change counts up. */
export function etagOf({ version }: Pick<Order, 'version'>): string {
  return `"${version}"`;
}

/** Whether an If-None-Match header names an ETag: a list, weak or not, or `*`. */
export function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((entry) => entry.trim() === '*' || entry.trim().replace(/^W\//, '') === etag);
}

/**
 * Body of GET /orders/{id}/timeline: every message of the order that the outbox still holds, oldest first.
 * `expired` counts the versions whose messages it no longer holds.
 */
export function timelineAnswer(order: Order, rows: readonly OutboxRow[], more: boolean): TimelineAnswer {
  const entries = rows.map((row) => {
    const envelope = readableEnvelope(row.body);
    return {
      messageId: row.messageId,
      type: envelope?.type ?? 'unreadable',
      sequence: envelope?.sequence,
      source: row.source,
      committedAt: iso(row.committedAt),
      sentAt: row.sentAt === undefined ? undefined : iso(row.sentAt),
      status: row.status,
      attempts: row.attempts ?? 0,
    };
  });
  const sequences = new Set(entries.flatMap((entry) => entry.sequence ?? []));
  return {
    orderId: order.orderId,
    entries,
    expired: more ? 0 : Math.max(0, order.version - sequences.size),
    truncated: more,
  };
}

function readableEnvelope(body: string): { type: string; sequence?: number | undefined } | undefined {
  try {
    return decodeEnvelope(body);
  } catch {
    return undefined;
  }
}

/** One item of the read model, as the list shows it. */
export interface ViewItem {
  readonly orderId: string;
  readonly customerId: string;
  readonly placedOrder: string;
  readonly status: OrderStatus;
  readonly itemCount: number;
  readonly total: number;
  readonly currency: string;
  readonly placedAt: number;
  readonly updatedAt: number;
}

export function listedOrder(item: ViewItem): ListedOrder {
  return {
    orderId: item.orderId,
    customerId: item.customerId,
    status: item.status,
    itemCount: item.itemCount,
    total: item.total,
    currency: item.currency,
    placedAt: iso(item.placedAt),
    updatedAt: iso(item.updatedAt),
  };
}
