import * as z from 'zod';
import {
  acceptedSchema,
  cancellationSchema,
  listedOrderSchema,
  orderListSchema,
  orderSchema,
  stockLevelSchema,
  timelineEntrySchema,
  timelineSchema,
  type OrderAnswer,
} from './answers.ts';
import { correlationIdPattern, type HeaderDefinition, type OperationDefinition } from '@outbox-saga/kit/http/contract';
import type { FunctionName } from './functions.ts';
import { orderIdSchema, orderLineSchema, skuSchema } from './order.ts';
import { problems } from './problems.ts';
import { idempotencyKeySchema, ifMatchSchema, listQuerySchema, placementSchema, stockSchema } from './requests.ts';
import { stageNames } from './stages.ts';

/**
 * The API, operation by operation. The template's routes and authorizers, the OpenAPI document, the client and docs/api.md are made from it;
 * no function's bundle holds it.
 */

/** What a customer's token must carry. The form is the one that Cognito gives to custom scopes: resource server, slash, name. */
export const scopes = {
  place: { scope: 'orders/place' },
  read: { scope: 'orders/read' },
  cancel: { scope: 'orders/cancel' },
} as const;

/** Schemas that the document and the client name. */
export const namedSchemas = {
  Placement: placementSchema,
  OrderLine: orderLineSchema,
  Accepted: acceptedSchema,
  Order: orderSchema,
  OrderList: orderListSchema,
  ListedOrder: listedOrderSchema,
  Timeline: timelineSchema,
  TimelineEntry: timelineEntrySchema,
  Cancellation: cancellationSchema,
  StockSetting: stockSchema,
  StockLevel: stockLevelSchema,
} as const;

const orderId = 'ord_1V3ZJY8R4Q0W6T2K9M5C7XBDEH';
const orderPath = { id: { description: 'The order’s id, from the answer to POST /orders.', schema: orderIdSchema, example: orderId } };
const skuPath = { sku: { description: 'The stock keeping unit.', schema: skuSchema, example: 'coffee' } };
const etag: HeaderDefinition = { description: 'It is another one after every change.', schema: z.string(), example: '"4"' };
const when = { placedAt: '2026-11-21T09:00:00.000Z', updatedAt: '2026-11-21T09:00:01.204Z' };
const exampleOrder: OrderAnswer = {
  orderId,
  customerId: 'c1',
  status: 'CONFIRMED',
  step: 'SETTLED',
  version: 4,
  currency: 'JPY',
  total: 1000,
  items: [{ sku: 'coffee', qty: 2, price: 500 }],
  trackingId: 'shp_5f7c8ec7',
  ...when,
  settledAt: when.updatedAt,
};

/** Headers of every request and every answer. */
export const correlationHeader: HeaderDefinition = {
  description: 'The caller’s own, or one that is made for the request. Every log line and message of the request carries it.',
  schema: z.string().regex(correlationIdPattern, 'must be 1 to 128 visible ASCII characters'),
  example: 'checkout-7f3a',
};

/** What customers do with their own orders, and operators with everybody's. */
const reading = {
  function: 'query-orders',
  path: orderPath,
  headers: {
    'If-None-Match': {
      description: 'An ETag that the caller knows: polling an unchanged order costs no body.',
      schema: z.string(),
      example: '"3"',
    },
  },
  answers: {
    200: { description: 'The order as it is now.', schema: orderSchema, example: exampleOrder, headers: { ETag: etag } },
    304: { description: 'The order is unchanged.', headers: { ETag: etag } },
  },
  problems: [problems.orderNotFound],
} as const;

const readingTimeline = {
  function: 'query-orders',
  path: orderPath,
  answers: {
    200: {
      description: 'What happened, in order.',
      schema: timelineSchema,
      example: {
        orderId,
        entries: [
          {
            messageId: '01KAJ0C5P4Z7QZ8N2V4R6T8W0Y',
            type: 'OrderPlaced',
            sequence: 1,
            source: 'place-order',
            committedAt: when.placedAt,
            sentAt: when.placedAt,
            status: 'SENT',
            attempts: 0,
          },
        ],
        expired: 0,
        truncated: false,
      },
    },
  },
  problems: [problems.orderNotFound],
} as const;

const cancelling = {
  function: 'order-cancel',
  description:
    'Turns the order round, whatever it is doing: what was taken is given back. The body is not read. Asked again, it answers the same.',
  path: orderPath,
  answers: {
    202: {
      description: 'The order will end CANCELLED.',
      schema: cancellationSchema,
      example: { orderId, status: 'PENDING', step: 'REFUNDING_PAYMENT' },
    },
  },
  problems: [problems.orderNotFound, problems.orderSettled],
} as const;

export const operations = {
  placeOrder: {
    route: 'POST /orders',
    function: 'place-order',
    access: scopes.place,
    summary: 'Place an order',
    description:
      'Accepts the order and answers. Within seconds it is confirmed, or it has failed and everything is undone. One key, one order: the same request again gets the same answer.',
    headers: {
      'Idempotency-Key': {
        description: 'A new key for each order, and the same key for each repetition of its request.',
        schema: idempotencyKeySchema,
        required: true,
        example: 'demo-001',
      },
    },
    body: {
      schema: placementSchema,
      examples: {
        smallest: { items: [{ sku: 'coffee', qty: 1, price: 500 }] },
        whole: {
          currency: 'EUR',
          items: [
            { sku: 'coffee', qty: 2, price: 500 },
            { sku: 'mug.blue', qty: 1, price: 1200 },
          ],
          payment: { token: 'tok_ok' },
          shipTo: {
            name: 'Ada Lovelace',
            postalCode: '1000001',
            country: 'JP',
            city: 'Tokyo',
            line1: '1-1 Chiyoda',
            phone: '+81 3 1234 5678',
          },
          email: 'ada@example.com',
        },
      },
    },
    answers: {
      202: {
        description: 'The order is accepted, now or before.',
        schema: acceptedSchema,
        example: { orderId, status: 'PENDING' },
        headers: {
          Location: { description: 'The path of the order.', schema: z.string(), example: `/orders/${orderId}` },
          'Idempotency-Replayed': { description: '`true` when the order was there already.', schema: z.literal('true') },
        },
      },
    },
    problems: [
      problems.malformedBody,
      problems.otherCustomer,
      problems.bodyTooLarge,
      problems.unsupportedMediaType,
      problems.keyReused,
      problems.incompleteOrder,
    ],
  },
  listOrders: {
    route: 'GET /orders',
    function: 'query-orders',
    access: scopes.read,
    throttleShare: 0.5,
    summary: 'List a customer’s orders',
    query: listQuerySchema,
    answers: {
      200: {
        description: 'One page of the list.',
        schema: orderListSchema,
        example: { orders: [{ orderId, customerId: 'c1', status: 'CONFIRMED', itemCount: 2, total: 1000, currency: 'JPY', ...when }] },
      },
    },
    problems: [problems.otherCustomer],
  },
  getOrder: { route: 'GET /orders/{id}', access: scopes.read, throttleShare: 0.5, summary: 'Read an order', ...reading },
  getTimeline: {
    route: 'GET /orders/{id}/timeline',
    access: scopes.read,
    throttleShare: 0.25,
    summary: 'Read an order’s messages',
    ...readingTimeline,
  },
  cancelOrder: { route: 'POST /orders/{id}/cancel', access: scopes.cancel, summary: 'Cancel an order', ...cancelling },
  getAnyOrder: {
    route: 'GET /admin/orders/{id}',
    access: 'operator',
    throttleShare: 0.25,
    summary: 'Read any customer’s order',
    ...reading,
  },
  getAnyTimeline: {
    route: 'GET /admin/orders/{id}/timeline',
    access: 'operator',
    throttleShare: 0.25,
    summary: 'Read the messages of any customer’s order',
    ...readingTimeline,
  },
  cancelAnyOrder: {
    route: 'POST /admin/orders/{id}/cancel',
    access: 'operator',
    throttleShare: 0.25,
    summary: 'Cancel any customer’s order',
    ...cancelling,
  },
  getStock: {
    route: 'GET /admin/stock/{sku}',
    function: 'stock-admin',
    access: 'operator',
    throttleShare: 0.25,
    summary: 'Read a stock level',
    path: skuPath,
    answers: {
      200: {
        description: 'The stock level as it is now.',
        schema: stockLevelSchema,
        example: { sku: 'coffee', available: 9, reserved: 1 },
        headers: { ETag: etag },
      },
    },
    problems: [problems.skuNotFound],
  },
  putStock: {
    route: 'PUT /admin/stock/{sku}',
    function: 'stock-admin',
    access: 'operator',
    throttleShare: 0.25,
    summary: 'Set what is free to sell',
    path: skuPath,
    headers: {
      'Idempotency-Key': {
        description:
          'The same key for each repetition of a request. A repetition of the last setting changes nothing and is answered with the level as it is now. Without a key, or after another setting, a repetition sets again.',
        schema: idempotencyKeySchema,
        example: 'stocktaking-17',
      },
      'If-Match': {
        description: 'The stock is set only if it still has this ETag; with `*`, only if the SKU exists.',
        schema: ifMatchSchema,
        example: '"4"',
      },
    },
    body: { schema: stockSchema, examples: { ten: { available: 10 } } },
    answers: {
      200: {
        description: 'The stock level as it is now.',
        schema: stockLevelSchema,
        example: { sku: 'coffee', available: 10, reserved: 1 },
        headers: { ETag: etag },
      },
    },
    problems: [problems.malformedBody, problems.stockChanged, problems.bodyTooLarge, problems.unsupportedMediaType, problems.keyReused],
  },
  getHealth: {
    route: 'GET /health',
    function: 'health',
    access: 'open',
    throttleShare: 0.1,
    summary: 'Ask whether the API answers',
    description: 'Says that the gateway reaches a function. No table is asked.',
    answers: {
      200: {
        description: 'The API answers.',
        schema: z.object({ status: z.literal('ok'), stage: z.enum(stageNames) }),
        example: { status: 'ok', stage: 'dev' },
      },
    },
  },
  getDocument: {
    route: 'GET /openapi.json',
    function: 'health',
    access: 'open',
    throttleShare: 0.1,
    summary: 'Read this document',
    answers: { 200: { description: 'The document, in OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) } },
  },
} as const satisfies Record<string, OperationDefinition<FunctionName>>;

const all: readonly OperationDefinition[] = Object.values(operations);
const namesOf = (headers: readonly (Readonly<Record<string, unknown>> | undefined)[]): string[] => [
  ...new Set(headers.flatMap((named) => Object.keys(named ?? {})).map((name) => name.toLowerCase())),
];

/** What a web page may send and read, in lower case. The names with `x-amz` are those of a signed request. */
export const corsHeaders = {
  requestHeaders: [
    'authorization',
    'content-type',
    'x-correlation-id',
    'x-amz-content-sha256',
    'x-amz-date',
    'x-amz-security-token',
    ...namesOf(all.map(({ headers }) => headers)),
  ],
  answerHeaders: [
    'x-correlation-id',
    'retry-after',
    ...namesOf(all.flatMap(({ answers }) => Object.values(answers).map(({ headers }) => headers))),
  ],
} as const;
