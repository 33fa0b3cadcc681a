import * as z from 'zod';
import type { Operations } from '@outbox-saga/kit/http/operations';
import { addressSchema, currencySchema, customerIdSchema, limits, orderLineSchema, textWithout } from '../order.ts';
import { scopes } from './access.ts';
import { idempotencyKey } from './idempotency-key.ts';

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
  customerId: customerIdSchema.optional(),
  currency: currencySchema.optional(),
  items: z.array(orderLineSchema).min(1).max(limits.lines),
  payment: z.strictObject({ token: z.string().regex(/^[!-~]{1,255}$/, 'must be 1 to 255 visible ASCII characters') }).optional(),
  shipTo: addressSchema(shownTextSchema).optional(),
  email: z.email().max(254).optional(),
});
export type Placement = z.infer<typeof placementSchema>;

/** What function place-order does for the API. */
export const placeOrderOperations = {
  placeOrder: {
    route: 'POST /orders',
    access: scopes.place,
    headers: z.object({
      'idempotency-key': idempotencyKey('is required: a new one for each order, the same for each repetition'),
    }),
    body: { schema: placementSchema, maxBytes: limits.bodyBytes },
  },
} as const satisfies Operations;
