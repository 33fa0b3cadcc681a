import type { Operations } from '@outbox-saga/kit/http/operations';
import { scopes } from './access.ts';
import { orderPath } from './order-path.ts';

/** What function order-cancel does for the API. */
export const orderCancelOperations = {
  cancelOrder: { route: 'POST /orders/{id}/cancel', access: scopes.cancel, ...orderPath },
  cancelAnyOrder: { route: 'POST /admin/orders/{id}/cancel', access: 'operator', throttleShare: 0.25, ...orderPath },
} as const satisfies Operations;
