import * as z from 'zod';
import type { Callers } from '@outbox-saga/kit/http/contract';
import { addressSchema, currencySchema, customerIdSchema, limits, orderLineSchema, orderStatuses, textWithout } from './order.ts';

/** What the API takes: handlers parse by these schemas, and the OpenAPI document shows them. */

/** 1 to 255 visible ASCII characters. */
export const idempotencyKeySchema = z.string().regex(/^[!-~]{1,255}$/, 'must be 1 to 255 visible ASCII characters');

/**
 * Text of a person in a request: as it is stored, but without line separators and without the controls that turn or isolate the direction of text
 * (U+202A to U+202E, U+2066 to U+2069). Those act beyond their own place, on whatever a label or a screen shows next to the name. Joiners and marks of
 * direction stay: some scripts need them, and they do no more than letters do.
 */
const shownTextSchema = textWithout(
  String.raw`\u2028-\u202e\u2066-\u2069`,
  'control character, line separator, control of the direction of text, noncharacter or lone surrogate',
);

/** Body of POST /orders. Unknown fields are refused: a misspelt `shipTo` must not become an order without an address. */
export const placementSchema = z.strictObject({
  customerId: customerIdSchema
    .optional()
    .describe('Who orders. Under a token it may be left out, and is never another than the token’s `sub`.'),
  currency: currencySchema
    .optional()
    .describe(
      'Three letters of ISO 4217. Required where a real payment gateway is configured, as on prod; the sandbox takes JPY by default.',
    ),
  items: z
    .array(orderLineSchema)
    .min(1)
    .max(limits.lines)
    .describe('Lines with the same SKU and price are merged; one SKU at two prices is refused.'),
  payment: z
    .strictObject({ token: z.string().regex(/^[!-~]{1,255}$/, 'must be 1 to 255 visible ASCII characters') })
    .optional()
    .describe(
      'What the payment gateway charges. Required where a real one is configured, as on prod. The sandbox takes tok_ok by default, and knows tok_declined, tok_flaky, tok_lost_response and tok_slow.',
    ),
  shipTo: addressSchema(shownTextSchema).optional(),
  email: z.email().max(254).optional().describe('The address that the outcome is mailed to.'),
});
export type Placement = z.infer<typeof placementSchema>;

/** Query of GET /orders. */
export const listQuerySchema = z.strictObject({
  customerId: customerIdSchema.optional().describe('Whose orders are listed. Required unless a token says it.'),
  status: z.enum(orderStatuses).optional().describe('Lists only orders in this status.'),
  limit: z
    .string()
    .regex(/^[0-9]{1,3}$/, 'must be a number from 1 to 100')
    .transform(Number)
    .pipe(z.int().min(1).max(100))
    .default(20)
    .describe('How many orders one answer has at most. With a status there may be fewer although more follow.'),
  cursor: z
    .string()
    .max(1000)
    .optional()
    .describe('The cursor of the answer before: the list goes on there. It is opaque, and bound to customer and status.'),
});

/** Body of PUT /admin/stock/{sku}. */
export const stockSchema = z.strictObject({
  available: z.int().min(0).max(limits.piecesAvailable).describe('Pieces that are free to sell. What orders hold is not touched.'),
});

/** If-Match of PUT /admin/stock/{sku}: the ETag that the stock must still have, or `*` for any stock at all. */
export const ifMatchSchema = z.string().regex(/^(\*|"[0-9]{1,15}")$/, 'must be an ETag such as "7", or *');

/** What a token's subject must be to be a customer. API Gateway makes text of every claim: `null` is what a token has whose issuer knows no subject. */
const subjectSchema = customerIdSchema.refine((subject) => subject !== 'null', 'must name somebody');

/** What proves to a function who asks, by its environment. */
export function callersOf({ AUTHENTICATION: proof }: { readonly AUTHENTICATION: Callers['proof'] }): Callers {
  return proof === 'token' ? { proof, subject: subjectSchema } : { proof };
}
