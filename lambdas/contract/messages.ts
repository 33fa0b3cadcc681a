import * as z from 'zod';
import type { DataOf } from '@outbox-saga/kit/messages/topology';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { currencySchema, customerIdSchema, failureCodes, shipToSchema, skuSchema, type Order } from './order.ts';

/**
 * What every message of the saga carries, so that the read model finds its item (customer and placement time are its key)
 * without a lookup. Times in milliseconds since 1970.
 */
const order = { customerId: customerIdSchema, placedAt: z.int().min(0) };
const amount = { amount: z.int().min(0), currency: currencySchema };
const reason = z.string().max(500);

/**
 * Every message type with the version and schema of its payload. `aggregateId` of the envelope is the order's id.
 * A change of a shape means a new version (docs/evolution.md).
 */
export const messages = {
  // order-saga and place-order → others
  OrderPlaced: {
    version: 1,
    data: z.object({
      ...order,
      currency: currencySchema,
      total: z.int().min(0),
      items: z.array(z.object({ sku: skuSchema, qty: z.int().min(1) })).min(1),
    }),
  },
  PaymentRequested: { version: 1, data: z.object({ ...order, ...amount, token: z.string() }) },
  ShipmentRequested: {
    version: 1,
    data: z.object({
      ...order,
      items: z.array(z.object({ sku: skuSchema, qty: z.int().min(1) })).min(1),
      shipTo: shipToSchema.optional(),
    }),
  },
  ShipmentCancelRequested: { version: 1, data: z.object(order) },
  RefundRequested: { version: 1, data: z.object({ ...order, ...amount }) },
  StockReleaseRequested: { version: 1, data: z.object(order) },
  OrderConfirmed: { version: 1, data: z.object({ ...order, ...amount, email: z.string().optional() }) },
  OrderFailed: {
    version: 1,
    data: z.object({ ...order, code: z.enum(failureCodes), detail: reason, email: z.string().optional() }),
  },
  OrderCancelled: { version: 1, data: z.object({ ...order, email: z.string().optional() }) },

  // participants → order-saga
  StockReserved: { version: 1, data: z.object({}) },
  StockRejected: {
    version: 1,
    data: z.object({ shortages: z.array(z.object({ sku: skuSchema, asked: z.int(), available: z.int() })) }),
  },
  StockReleased: { version: 1, data: z.object({}) },
  PaymentCaptured: { version: 1, data: z.object({ ...amount, reference: z.string() }) },
  PaymentDeclined: { version: 1, data: z.object({ reason }) },
  PaymentRefunded: { version: 1, data: z.object(amount) },
  ShipmentArranged: { version: 1, data: z.object({ trackingId: z.string() }) },
  ShipmentRejected: { version: 1, data: z.object({ reason }) },
  ShipmentCancelled: { version: 1, data: z.object({}) },
} as const;

export type MessageType = keyof typeof messages;
export type MessageData<Type extends MessageType> = DataOf<typeof messages, Type>;
/** A message before it has an envelope. */
export type NewMessage = { [Type in MessageType]: { readonly type: Type; readonly data: MessageData<Type> } }[MessageType];
/** One message type, or a union of several, with its payload. */
export type Message<Type extends MessageType = MessageType> = {
  [T in Type]: Envelope<T, MessageData<T>>;
}[Type];

/** What OrderPlaced says of an order: when it is placed, and when its stock is asked for again. */
export function orderPlaced(order: Order): MessageData<'OrderPlaced'> {
  return {
    customerId: order.customerId,
    placedAt: order.placedAt,
    currency: order.currency,
    total: order.total,
    items: order.items.map(({ sku, qty }) => ({ sku, qty })),
  };
}
