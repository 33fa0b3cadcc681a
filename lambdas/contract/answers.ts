import * as z from 'zod';
import { rowStatuses } from '@outbox-saga/kit/tables';
import {
  currencySchema,
  customerIdSchema,
  failureCodes,
  orderIdSchema,
  orderLineSchema,
  orderStatuses,
  orderSteps,
  skuSchema,
} from './order.ts';

/** What the API answers. Handlers take only types from here: no function's bundle holds these schemas. */

const time = z.iso.datetime();
const version = z.int().min(1);
const status = z.enum(orderStatuses).describe('PENDING becomes exactly one of the others, once.');
const step = z.enum(orderSteps).describe('Which answer the saga waits for. SETTLED waits for nothing.');
const total = z.int().min(0).describe('The sum of qty × price of all lines, in the currency’s minor unit.');

export const acceptedSchema = z.object({ orderId: orderIdSchema, status: z.literal('PENDING') });

export const orderSchema = z.object({
  orderId: orderIdSchema,
  customerId: customerIdSchema,
  status,
  step,
  version: version.describe('How many transitions the order has made.'),
  currency: currencySchema,
  total,
  items: z.array(orderLineSchema),
  failure: z
    .object({
      code: z.enum(failureCodes).describe('A stable code, for programs.'),
      detail: z.string().describe('A text for people. It may change.'),
    })
    .optional()
    .describe('Why the order failed.'),
  trackingId: z.string().optional().describe('The carrier’s number of the shipment. A confirmed order has one.'),
  placedAt: time,
  updatedAt: time,
  settledAt: time.optional().describe('When the customer’s answer became final.'),
});
export type OrderAnswer = z.infer<typeof orderSchema>;

export const listedOrderSchema = z.object({
  orderId: orderIdSchema,
  customerId: customerIdSchema,
  status,
  itemCount: z.int().min(1).describe('How many pieces, not how many lines.'),
  total,
  currency: currencySchema,
  placedAt: time,
  updatedAt: time,
});
export type ListedOrder = z.infer<typeof listedOrderSchema>;

export const orderListSchema = z.object({
  orders: z
    .array(listedOrderSchema)
    .describe('The customer’s orders, newest first. The list follows an order’s changes within about a second.'),
  cursor: z.string().optional().describe('Present when there may be more orders. Send it with the next request to go on.'),
});

export const timelineEntrySchema = z.object({
  messageId: z.string(),
  type: z.string().describe('The type of the message, such as OrderPlaced or PaymentCaptured.'),
  sequence: version.optional().describe('The order’s version that the message announces. Answers of participants have none.'),
  source: z.string().describe('The function that committed the message.'),
  committedAt: time,
  sentAt: time.optional(),
  status: z.enum(rowStatuses).describe('How far sending the message has got.'),
  attempts: z.int().min(0).describe('How often sending the message was tried. Waiting for a queue that is down does not count.'),
});
export const timelineSchema = z.object({
  orderId: orderIdSchema,
  entries: z.array(timelineEntrySchema).describe('Every message of the order that is still held, oldest first.'),
  expired: z.int().min(0).describe('How many of the order’s versions have messages that are no longer held.'),
  truncated: z.boolean().describe('Whether there are more entries than one answer shows.'),
});
export type TimelineAnswer = z.infer<typeof timelineSchema>;

export const cancellationSchema = z.object({ orderId: orderIdSchema, status, step });

export const stockLevelSchema = z.object({
  sku: skuSchema,
  available: z.int().min(0).describe('Pieces that are free to sell.'),
  reserved: z.int().min(0).describe('Pieces that orders hold.'),
});
