import * as z from 'zod';
import type { FunctionDefinition } from '@outbox-saga/kit/function/definition';
import { consumerVariables, flag, publishingVariables, senderVariables, text } from '@outbox-saga/kit/function/variables';
import type { Consumer } from './routes.ts';
import { stageNames } from './stages.ts';

const base = { STAGE: z.enum(stageNames) };
const consumer = { ...base, ...consumerVariables };
const sender = senderVariables;
const participant = { ...consumer, ...sender };

/** What proves who asks (`Callers`), for every function behind a route that is not open. */
const asked = { ...base, AUTHENTICATION: z.enum(['token', 'iam', 'none']) };

/** A real provider is reached over HTTP; without a URL the sandbox answers. The secret is the id of a Secrets Manager secret, never the secret itself. */
const provider = {
  PROVIDER_URL: z.url().optional(),
  PROVIDER_SECRET_ID: text.optional(),
  SANDBOX_LEDGER_TABLE: text.optional(),
};

/** All functions. A consumer's function has the consumer's name. */
export const functions = {
  'place-order': {
    entry: 'lambdas/place-order/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.apiTimeoutSeconds,
    // SANDBOX_DEFAULTS: whether an order that names no currency or payment gets the sandbox's.
    environment: z.object({ ...asked, ...sender, ORDERS_TABLE: text, SANDBOX_DEFAULTS: flag }),
  },
  'query-orders': {
    entry: 'lambdas/query-orders/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.apiTimeoutSeconds,
    environment: z.object({ ...asked, ORDERS_TABLE: text, OUTBOX_TABLE: text, ORDER_VIEW_TABLE: text }),
  },
  'stock-admin': {
    entry: 'lambdas/stock-admin/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.apiTimeoutSeconds,
    environment: z.object({ ...asked, INVENTORY_TABLE: text }),
  },
  health: {
    entry: 'lambdas/health/main.ts',
    memoryMb: 256,
    timeoutSeconds: (d) => d.apiTimeoutSeconds,
    environment: z.object({ ...base }),
  },
  'outbox-publisher': {
    entry: 'lambdas/outbox-publisher/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.publisherTimeoutSeconds,
    environment: z.object({ ...base, ...publishingVariables }),
  },
  'outbox-relay': {
    entry: 'lambdas/outbox-relay/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.scheduledTimeoutSeconds,
    environment: z.object({ ...base, ...publishingVariables, ORDERS_TABLE: text }),
  },
  'order-saga': {
    entry: 'lambdas/order-saga/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.consumerTimeoutSeconds,
    environment: z.object({ ...participant, ORDERS_TABLE: text }),
  },
  'order-cancel': {
    entry: 'lambdas/order-saga/cancel-main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.apiTimeoutSeconds,
    environment: z.object({ ...asked, ...sender, ORDERS_TABLE: text }),
  },
  'order-sweep': {
    entry: 'lambdas/order-saga/sweep-main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.scheduledTimeoutSeconds,
    environment: z.object({
      ...base,
      ...sender,
      ORDERS_TABLE: text,
      ORDER_VIEW_TABLE: text,
      NOTIFICATIONS_TABLE: text,
      IDEMPOTENCY_TABLE: text,
    }),
  },
  inventory: {
    entry: 'lambdas/inventory/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.consumerTimeoutSeconds,
    environment: z.object({ ...participant, INVENTORY_TABLE: text }),
  },
  payment: {
    entry: 'lambdas/payment/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.consumerTimeoutSeconds,
    environment: z.object({ ...participant, PAYMENTS_TABLE: text, ...provider }),
  },
  shipping: {
    entry: 'lambdas/shipping/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.consumerTimeoutSeconds,
    environment: z.object({ ...participant, SHIPMENTS_TABLE: text, ...provider }),
  },
  notification: {
    entry: 'lambdas/notification/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.consumerTimeoutSeconds,
    environment: z.object({ ...consumer, NOTIFICATIONS_TABLE: text, EMAIL_SENDER: z.email().optional() }),
  },
  'order-view': {
    entry: 'lambdas/order-view/main.ts',
    memoryMb: 512,
    timeoutSeconds: (d) => d.consumerTimeoutSeconds,
    environment: z.object({ ...consumer, ORDER_VIEW_TABLE: text, ORDERS_TABLE: text }),
  },
} as const satisfies Record<string, FunctionDefinition> & Record<Consumer, FunctionDefinition>;

export type FunctionName = keyof typeof functions;

/** A function's environment as it reads it: parsed by its own schema. */
export type Environment<Name extends FunctionName> = z.infer<(typeof functions)[Name]['environment']>;
