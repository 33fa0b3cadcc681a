import * as z from 'zod';
import type { FunctionDefinition } from '@outbox-saga/kit/function/definition';
import { functionKinds } from '@outbox-saga/kit/function/kinds';
import { flag, senderVariables, text } from '@outbox-saga/kit/function/variables';
import type { Consumer } from './routes.ts';
import { stageNames } from './stage-names.ts';

const { api, consumer, scheduled, publisher, relay } = functionKinds(stageNames);

/** What proves who asks (`Callers`), for every function behind a route that is not open. */
const asked = { AUTHENTICATION: z.enum(['token', 'iam', 'none']) };

/** A real provider is reached over HTTP; without a URL the sandbox answers. The secret is the id of a Secrets Manager secret, never the secret itself. */
const provider = {
  PROVIDER_URL: z.url().optional(),
  PROVIDER_SECRET_ID: text.optional(),
  SANDBOX_LEDGER_TABLE: text.optional(),
};

/** All functions. A consumer's function has the consumer's name. */
export const functions = {
  // SANDBOX_DEFAULTS: whether an order that names no currency or payment gets the sandbox's.
  'place-order': api('lambdas/place-order/main.ts', { ...asked, ...senderVariables, ORDERS_TABLE: text, SANDBOX_DEFAULTS: flag }),
  'query-orders': api('lambdas/query-orders/main.ts', { ...asked, ORDERS_TABLE: text, OUTBOX_TABLE: text, ORDER_VIEW_TABLE: text }),
  'stock-admin': api('lambdas/stock-admin/main.ts', { ...asked, INVENTORY_TABLE: text }),
  health: api('lambdas/health/main.ts', {}, { memoryMb: 256 }),
  'outbox-publisher': publisher('lambdas/outbox-publisher/main.ts', {}),
  'outbox-relay': relay('lambdas/outbox-relay/main.ts', { ORDERS_TABLE: text }),
  'order-saga': consumer('lambdas/order-saga/main.ts', { ...senderVariables, ORDERS_TABLE: text }),
  'order-cancel': api('lambdas/order-saga/cancel-main.ts', { ...asked, ...senderVariables, ORDERS_TABLE: text }),
  'order-sweep': scheduled('lambdas/order-saga/sweep-main.ts', {
    ...senderVariables,
    ORDERS_TABLE: text,
    ORDER_VIEW_TABLE: text,
    NOTIFICATIONS_TABLE: text,
    IDEMPOTENCY_TABLE: text,
  }),
  inventory: consumer('lambdas/inventory/main.ts', { ...senderVariables, INVENTORY_TABLE: text }),
  payment: consumer('lambdas/payment/main.ts', { ...senderVariables, PAYMENTS_TABLE: text, ...provider }),
  shipping: consumer('lambdas/shipping/main.ts', { ...senderVariables, SHIPMENTS_TABLE: text, ...provider }),
  notification: consumer('lambdas/notification/main.ts', { NOTIFICATIONS_TABLE: text, EMAIL_SENDER: z.email().optional() }),
  'order-view': consumer('lambdas/order-view/main.ts', { ORDER_VIEW_TABLE: text, ORDERS_TABLE: text }),
} as const satisfies Record<string, FunctionDefinition> & Record<Consumer, FunctionDefinition>;

export type FunctionName = keyof typeof functions;

/** A function's environment as it reads it: parsed by its own schema. */
export type Environment<Name extends FunctionName> = z.infer<(typeof functions)[Name]['environment']>;
