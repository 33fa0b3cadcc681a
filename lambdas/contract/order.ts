import { createHash } from 'node:crypto';
import * as z from 'zod';
import { toBase32 } from '@outbox-saga/kit/base32';
import { PermanentError } from '@outbox-saga/kit/errors';

/** What the customer is told. PENDING becomes exactly one of the others, once. */
export const orderStatuses = ['PENDING', 'CONFIRMED', 'FAILED', 'CANCELLED'] as const;
export type OrderStatus = (typeof orderStatuses)[number];

/** Where the saga is: which answer it waits for. SETTLED waits for nothing. */
export const orderSteps = [
  'RESERVING_STOCK',
  'CAPTURING_PAYMENT',
  'ARRANGING_SHIPMENT',
  'CALLING_OFF_SHIPMENT',
  'REFUNDING_PAYMENT',
  'RELEASING_STOCK',
  'SETTLED',
] as const;
export type OrderStep = (typeof orderSteps)[number];

/** Why an order failed; stable, for programs. The detail beside it is for people. */
export const failureCodes = ['OUT_OF_STOCK', 'PAYMENT_DECLINED', 'UNDELIVERABLE', 'TIMED_OUT'] as const;
export type FailureCode = (typeof failureCodes)[number];

export const limits = {
  /** Lines of one request, before repeated SKUs are merged. With reservation and outbox row a reservation stays below DynamoDB's 100 actions. */
  lines: 40,
  /** Pieces of one order: what an order holds can be counted, stored and shown, however its lines are merged. */
  pieces: 1_000_000,
  /** Request body, in bytes. */
  bodyBytes: 64 * 1024,
  /** Pieces of one SKU that can be set as free to sell. */
  piecesAvailable: 10 ** 12,
  /** Pieces of one SKU that orders may hold when it is set: both together stay far below 2⁵³, from where on sums are not exact. */
  piecesHeld: 10 ** 15,
} as const;

/** Stock keeping unit: an identifier, so plain ASCII. */
export const skuSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter or digit');

export const customerIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:@|-]{0,127}$/, 'must be 1 to 128 of A-Z a-z 0-9 . _ : @ | - and start with a letter or digit');

export const orderLineSchema = z.strictObject({
  sku: skuSchema.describe('The stock keeping unit.'),
  qty: z.int({ abort: true }).min(1).max(limits.pieces).describe('How many pieces. All lines together have at most as many.'),
  price: z.int().min(0).describe('The price of one piece, in the currency’s minor unit. The caller names it.'),
});
export type OrderLine = z.infer<typeof orderLineSchema>;

/** Three upper-case letters of ISO 4217. */
export const currencySchema = z.string().regex(/^[A-Z]{3}$/, 'must be three letters of ISO 4217, such as JPY');

/**
 * Text of a person: 1 to `maxLength` code points of any script, but no control character, no noncharacter of the basic plane, no lone surrogate, and
 * nothing that `refused` has beside them. Those break terminals, CSV exports, queues and some carriers, and no name contains them. Written without classes of Unicode: tools in other
 * languages read this pattern in the OpenAPI document.
 *
 * @param refused ranges of a character class
 * @param names what all refused characters are called
 */
export const textWithout =
  (refused: string, names: string) =>
  (maxLength: number): z.ZodString =>
    z
      .string()
      .regex(
        new RegExp(String.raw`^[^\u0000-\u001f\u007f-\u009f${refused}\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]{1,${maxLength}}$`, 'u'),
        `must be 1 to ${maxLength} characters, none of them a ${names}`,
      );

const textSchema = textWithout('', 'control character, noncharacter or lone surrogate');

/** @param text what the parts may be that people write */
export const addressSchema = (text: (maxLength: number) => z.ZodString) =>
  z.strictObject({
    name: text(100).optional(),
    postalCode: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9 -]{0,15}$/, 'must be 1 to 16 letters, digits, spaces or hyphens')
      .optional(),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/, 'must be two letters of ISO 3166')
      .optional(),
    region: text(100).optional(),
    city: text(100).optional(),
    line1: text(200).optional(),
    line2: text(200).optional(),
    phone: z
      .string()
      .regex(/^\+?[0-9 ()-]{3,32}$/, 'must be a phone number')
      .optional(),
  });

/** An address in orders and messages. Requests are held to more (api/place-order.ts); what was accepted before that is still delivered. */
export const shipToSchema = addressSchema(textSchema);
export type ShipTo = z.infer<typeof shipToSchema>;

export interface OrderFailure {
  readonly code: FailureCode;
  readonly detail: string;
}

/**
 * An order as it is stored. `version` counts its committed transitions and equals the sequence of its newest message.
 * `schemaVersion` is the version of this very shape (docs/evolution.md).
 */
export interface Order {
  readonly schemaVersion: 1;
  readonly orderId: string;
  readonly customerId: string;
  readonly status: OrderStatus;
  readonly step: OrderStep;
  readonly version: number;
  readonly currency: string;
  /** Sum of qty × price, in minor units. */
  readonly total: number;
  readonly items: readonly OrderLine[];
  readonly paymentToken: string;
  readonly shipTo?: ShipTo | undefined;
  readonly email?: string | undefined;
  readonly failure?: OrderFailure | undefined;
  /** Set when the customer called the order off and it was still possible: it will end CANCELLED. */
  readonly cancelled?: true | undefined;
  /** By which the carrier knows the parcel; set when the order is confirmed. */
  readonly trackingId?: string | undefined;
  /** How often the present step was asked again because nobody answered. */
  readonly nudges?: number | undefined;
  readonly groupId: string;
  readonly correlationId: string;
  /** Milliseconds since 1970. */
  readonly placedAt: number;
  readonly updatedAt: number;
  readonly settledAt?: number | undefined;
}

const schemaVersion: Order['schemaVersion'] = 1;

/**
 * An item of the orders table as an order: whoever reads one reads it through here.
 *
 * @throws PermanentError when its shape is one that this code does not know
 */
export function readOrder(item: Readonly<Record<string, unknown>> | undefined): Order | undefined {
  if (!item) return undefined;
  if (item['schemaVersion'] !== schemaVersion) {
    const [id, version] = [item['orderId'], item['schemaVersion']].map(String);
    throw new PermanentError(`order ${id} has schema version ${version}; this code reads version ${schemaVersion}`);
  }
  return item as unknown as Order;
}

/** The end of a SHA-256 in base 32: 26 characters carry 130 bits. */
function hash32(parts: readonly string[], length: number): string {
  const hash = createHash('sha256');
  // Length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return toBase32(BigInt(`0x${hash.digest('hex')}`), length);
}

/** The order's id follows from who orders and under which key, so that a repeated request finds its order without a lookup table. */
export function orderIdOf(customerId: string, idempotencyKey: string): string {
  return `ord_${hash32([customerId, idempotencyKey], 26)}`;
}

/**
 * Id of the message that tells a settled order's outcome again: the same for everybody who tells it, so that only one of them can commit its row.
 * Its time is the settlement's.
 */
export function outcomeIdOf({ orderId, version, updatedAt }: Order): string {
  return toBase32(BigInt(updatedAt), 10) + hash32(['outcome', orderId, String(version)], 16);
}

export const orderIdPattern = /^ord_[0-9A-HJKMNP-TV-Z]{26}$/;
export const orderIdSchema = z.string().regex(orderIdPattern, 'must be an order id');

/** Fair-queue group of a customer: a hash, because MessageGroupId is at most 128 characters and visible to operators. */
export function groupIdOf(customerId: string): string {
  return hash32(['customer', customerId], 20);
}
