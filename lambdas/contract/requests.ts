import * as z from 'zod';
import type { Callers } from './core/http.ts';
import { currencySchema, customerIdSchema, limits, orderLineSchema, orderStatuses, shipToSchema } from './order.ts';

/** What the API takes: handlers parse by these schemas, and the OpenAPI document shows them. */

/** 1 to 255 visible ASCII characters. */
export const idempotencyKeySchema = z.string().regex(/^[!-~]{1,255}$/, 'must be 1 to 255 visible ASCII characters');

/** Body of POST /orders. Unknown fields are refused: a misspelt `shipTo` must not become an order without an address. */
export const placementSchema = z.strictObject({
  customerId: customerIdSchema.optional().describe('Who orders. Under a token it may be left out and is never another than its `sub`.'),
  currency: currencySchema.default('JPY'),
  items: z
    .array(orderLineSchema)
    .min(1)
    .max(limits.lines)
    .describe('Lines with the same SKU and price are merged; one SKU at two prices is refused.'),
  payment: z
    .strictObject({ token: z.string().regex(/^[!-~]{1,255}$/, 'must be 1 to 255 visible ASCII characters') })
    .default({ token: 'tok_ok' })
    .describe('What the payment gateway charges. The sandbox knows tok_ok, tok_declined, tok_flaky, tok_lost_response and tok_slow.'),
  shipTo: shipToSchema.optional(),
  email: z.email().max(254).optional().describe('Where the outcome is mailed to.'),
});
export type Placement = z.infer<typeof placementSchema>;

/** Query of GET /orders. */
export const listQuerySchema = z.strictObject({
  customerId: customerIdSchema.optional().describe('Whose orders. Required unless a token says it.'),
  status: z.enum(orderStatuses).optional().describe('Only orders in this status.'),
  limit: z
    .string()
    .regex(/^[0-9]{1,3}$/, 'must be a number from 1 to 100')
    .transform(Number)
    .pipe(z.int().min(1).max(100))
    .default(20)
    .describe('Orders in one answer. With a status there may be fewer although more follow.'),
  cursor: z
    .string()
    .max(1000)
    .optional()
    .describe('From the answer before: the list goes on there. Opaque, and bound to customer and status.'),
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
