import * as z from 'zod';
import type { Operations } from '@outbox-saga/kit/http/operations';
import { customerIdSchema, orderStatuses } from '../order.ts';
import { scopes } from './access.ts';
import { orderPath } from './order-path.ts';

const reading = { ...orderPath, headers: z.object({ 'if-none-match': z.string().optional() }) } as const;

/** What function query-orders does for the API. */
export const queryOrdersOperations = {
  listOrders: {
    route: 'GET /orders',
    access: scopes.read,
    throttleShare: 0.5,
    query: z.strictObject({
      customerId: customerIdSchema.optional(),
      status: z.enum(orderStatuses).optional(),
      limit: z
        .string()
        .regex(/^[0-9]{1,3}$/, 'must be a number from 1 to 100')
        .transform(Number)
        .pipe(z.int().min(1).max(100))
        .default(20),
      cursor: z.string().max(1000).optional(),
    }),
  },
  getOrder: { route: 'GET /orders/{id}', access: scopes.read, throttleShare: 0.5, ...reading },
  getTimeline: { route: 'GET /orders/{id}/timeline', access: scopes.read, throttleShare: 0.25, ...orderPath },
  getAnyOrder: { route: 'GET /admin/orders/{id}', access: 'operator', throttleShare: 0.25, ...reading },
  getAnyTimeline: { route: 'GET /admin/orders/{id}/timeline', access: 'operator', throttleShare: 0.25, ...orderPath },
} as const satisfies Operations;
