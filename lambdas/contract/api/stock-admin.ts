import * as z from 'zod';
import type { Operations } from '@outbox-saga/kit/http/operations';
import { limits, skuSchema } from '../order.ts';
import { idempotencyKey } from './idempotency-key.ts';

const path = z.object({ sku: skuSchema });

/** Body of PUT /admin/stock/{sku}. */
export const stockSchema = z.strictObject({
  available: z.int().min(0).max(limits.piecesAvailable),
});

/** What function stock-admin does for the API. */
export const stockAdminOperations = {
  getStock: { route: 'GET /admin/stock/{sku}', access: 'operator', throttleShare: 0.25, path },
  putStock: {
    route: 'PUT /admin/stock/{sku}',
    access: 'operator',
    throttleShare: 0.25,
    path,
    body: { schema: stockSchema, maxBytes: limits.bodyBytes },
    headers: z.object({
      // The ETag that the stock must still have, or `*` for any stock at all.
      'if-match': z
        .string()
        .regex(/^(\*|"[0-9]{1,15}")$/, 'must be an ETag such as "7", or *')
        .optional(),
      'idempotency-key': idempotencyKey().optional(),
    }),
  },
} as const satisfies Operations;
