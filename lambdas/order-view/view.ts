import { invariant } from '@outbox-saga/kit/errors';
import type { Order, OrderStatus } from '../contract/order.ts';
import type { MessagesTo } from '../contract/routes.ts';
import { viewSortKey } from '../contract/tables.ts';

/** What one message changes in the read model. */
export interface ViewChange {
  readonly key: { readonly customerId: string; readonly placedOrder: string };
  /** The message's place in its order's history; applied only on top of the one before it. */
  readonly sequence: number;
  readonly set: Readonly<Record<string, unknown>>;
}

export function changeOf(message: MessagesTo<'order-view'>): ViewChange {
  const { sequence, aggregateId: orderId } = message;
  invariant(sequence !== undefined, `${message.type} carries a sequence`);
  const { customerId, placedAt }: Pick<Order, 'customerId' | 'placedAt'> = message.data;
  const status = statusAfter(message.type);
  const opening = message.type === 'OrderPlaced' ? openingOf({ orderId, ...message.data }) : {};
  return {
    key: { customerId, placedOrder: viewSortKey(placedAt, orderId) },
    sequence,
    set: { ...opening, status, updatedAt: message.occurredAt },
  };
}

/** The whole item, from the order itself: as if every message up to the order's version had been applied. */
export function viewOf(order: Order): ViewChange {
  return {
    key: { customerId: order.customerId, placedOrder: viewSortKey(order.placedAt, order.orderId) },
    sequence: order.version,
    set: { ...openingOf(order), status: order.status, updatedAt: order.updatedAt },
  };
}

/** What never changes after the order is placed. */
function openingOf({
  orderId,
  placedAt,
  items,
  total,
  currency,
}: Pick<Order, 'orderId' | 'placedAt' | 'total' | 'currency'> & {
  readonly items: readonly { readonly qty: number }[];
}): Record<string, unknown> {
  return { orderId, placedAt, itemCount: items.reduce((count, { qty }) => count + qty, 0), total, currency };
}

function statusAfter(type: MessagesTo<'order-view'>['type']): OrderStatus {
  switch (type) {
    case 'OrderConfirmed':
      return 'CONFIRMED';
    case 'OrderFailed':
      return 'FAILED';
    case 'OrderCancelled':
      return 'CANCELLED';
    default:
      return 'PENDING';
  }
}
