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
} from '../answers.ts';
import type { operations } from '../api.ts';
import { correlationIdPattern, type gatewayAnswers } from '@outbox-saga/kit/http/contract';
import type { DocumentationOf, HeaderDocumentation, OperationHandlers, Operations } from '@outbox-saga/kit/http/operations';
import { orderLineSchema } from '../order.ts';
import { problems, type ProblemKind } from '../problems.ts';
import { stageNames } from '../stage-names.ts';
import { placementSchema } from './place-order.ts';
import { stockSchema } from './stock-admin.ts';

/**
 * What readers of the API learn about its operations, in the order in which they are shown: the OpenAPI document, the client and docs/api.md are made
 * from it. Functions take only types from here, so that no bundle holds prose, examples or the schemas of responses.
 */

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
const path = { id: { description: 'The order’s id, from the answer to POST /orders.', example: orderId } };
const skuPath = { sku: { description: 'The stock keeping unit.', example: 'coffee' } };
const etag: HeaderDocumentation = { description: 'It is another one after every change.', schema: z.string(), example: '"4"' };
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
export const correlationHeader: HeaderDocumentation = {
  description: 'The caller’s own, or one that is made for the request. Every log line and message of the request carries it.',
  schema: z.string().regex(correlationIdPattern, 'must be 1 to 128 visible ASCII characters'),
  example: 'checkout-7f3a',
};

/** What customers do with their own orders, and operators with everybody's. */
const reading = {
  path,
  headers: {
    'if-none-match': {
      description: 'An ETag that the caller knows: polling an unchanged order costs no body.',
      example: '"3"',
    },
  },
  responses: {
    200: { description: 'The order as it is now.', schema: orderSchema, example: exampleOrder, headers: { ETag: etag } },
    304: { description: 'The order is unchanged.', headers: { ETag: etag } },
  },
  problems: [problems.orderNotFound],
} as const;

const readingTimeline = {
  path,
  responses: {
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
            attempts: 1,
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
  description:
    'Turns the order round, whatever it is doing: what was taken is given back. The body is not read. Asked again, it answers the same.',
  path,
  responses: {
    202: {
      description: 'The order will end CANCELLED.',
      schema: cancellationSchema,
      example: { orderId, status: 'PENDING', step: 'REFUNDING_PAYMENT' },
    },
  },
  problems: [problems.orderNotFound, problems.orderSettled],
} as const;

export const documentation = {
  placeOrder: {
    summary: 'Place an order',
    description:
      'Accepts the order and answers. Within seconds it is confirmed, or it has failed and everything is undone. One key, one order: the same request again gets the same answer.',
    headers: {
      'idempotency-key': {
        description: 'A new key for each order, and the same key for each repetition of its request.',
        example: 'demo-001',
      },
    },
    body: {
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
      fields: {
        customerId: 'Who orders. Under a token it may be left out, and is never another than the token’s `sub`.',
        currency:
          'Three letters of ISO 4217. Required where a real payment gateway is configured, as on prod; the sandbox takes JPY by default.',
        items: 'Lines with the same SKU and price are merged; one SKU at two prices is refused.',
        payment:
          'What the payment gateway charges. Required where a real one is configured, as on prod. The sandbox takes tok_ok by default, and knows tok_declined, tok_flaky, tok_lost_response and tok_slow.',
        email: 'The address that the outcome is mailed to.',
      },
    },
    responses: {
      202: {
        description: 'The order is accepted, now or before.',
        schema: acceptedSchema,
        example: { orderId, status: 'PENDING' },
        headers: {
          Location: { description: 'The path of the order.', schema: z.string(), example: `/orders/${orderId}` },
          'Idempotency-Replayed': { description: '`true` when the order was there already.', schema: z.literal('true'), optional: true },
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
    summary: 'List a customer’s orders',
    query: {
      customerId: { description: 'Whose orders are listed. Required unless a token says it.' },
      status: { description: 'Lists only orders in this status.' },
      limit: { description: 'How many orders one answer has at most. With a status there may be fewer although more follow.' },
      cursor: { description: 'The cursor of the answer before: the list goes on there. It is opaque, and bound to customer and status.' },
    },
    responses: {
      200: {
        description: 'One page of the list.',
        schema: orderListSchema,
        example: { orders: [{ orderId, customerId: 'c1', status: 'CONFIRMED', itemCount: 2, total: 1000, currency: 'JPY', ...when }] },
      },
    },
    problems: [problems.otherCustomer],
  },
  getOrder: { summary: 'Read an order', ...reading },
  getTimeline: {
    summary: 'Read an order’s messages',
    ...readingTimeline,
  },
  cancelOrder: { summary: 'Cancel an order', ...cancelling },
  getAnyOrder: {
    summary: 'Read any customer’s order',
    ...reading,
  },
  getAnyTimeline: {
    summary: 'Read the messages of any customer’s order',
    ...readingTimeline,
  },
  cancelAnyOrder: {
    summary: 'Cancel any customer’s order',
    ...cancelling,
  },
  getStock: {
    summary: 'Read a stock level',
    path: skuPath,
    responses: {
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
    summary: 'Set what is free to sell',
    path: skuPath,
    headers: {
      'idempotency-key': {
        description:
          'The same key for each repetition of a request. A repetition of the last setting changes nothing and is answered with the level as it is now. Without a key, or after another setting, a repetition sets again.',
        example: 'stocktaking-17',
      },
      'if-match': {
        description: 'The stock is set only if it still has this ETag; with `*`, only if the SKU exists.',
        example: '"4"',
      },
    },
    body: { examples: { ten: { available: 10 } }, fields: { available: 'Pieces that are free to sell. What orders hold is not touched.' } },
    responses: {
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
    summary: 'Ask whether the API answers',
    description: 'Says that the gateway reaches a function. No table is asked.',
    responses: {
      200: {
        description: 'The API answers.',
        schema: z.object({ status: z.literal('ok'), stage: z.enum(stageNames) }),
        example: { status: 'ok', stage: 'dev' },
      },
    },
  },
  getDocument: {
    summary: 'Read this document',
    responses: { 200: { description: 'The document, in OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) } },
  },
} as const satisfies DocumentationOf<typeof operations>;

/** A handler for each operation of a function: it gets parsed values, and returns what is documented. */
export type Handlers<Declared extends Operations> = OperationHandlers<Declared, typeof documentation>;

/** Slug → for the caller: why, and what to do. */
export const problemMeanings: Readonly<Record<ProblemKind['slug'], string>> = {
  'invalid-request': '`errors` names every field that is wrong: `items.0.qty`, `header:…`, `query:…`, `path:…`. Nothing was changed.',
  'malformed-body': 'The body is empty, not UTF-8 or not JSON.',
  'no-identity': 'The route demands IAM, and the request reached its function without an IAM identity: the route has lost its authorizer.',
  'not-found': 'No route has this path. Only callers with an IAM identity are told; the gateway refuses all others with 403.',
  'method-not-allowed':
    'The path is right, the method is not; `Allow` names those that are. Only callers with an IAM identity are told; the gateway refuses all others with 403.',
  'body-too-large': 'A body may have at most 64 KB.',
  'unsupported-media-type': 'Send `Content-Type: application/json` without a `Content-Encoding`.',
  internal: 'The failure is logged under the correlation id. The same request may be sent again: a key makes it the same order.',
  'try-again':
    'Contention, throttling, or a service behind this one that did not answer in time. The request may have been carried out: send the same one again, with the same key, after `Retry-After` seconds; it is carried out once.',
  'unusable-subject': '`sub` must be 1 to 128 of A-Z a-z 0-9 . _ : @ | - and start with a letter or digit, and must not be `null`.',
  'other-customer': 'A customer orders and lists for themselves: leave `customerId` out, or name the token’s `sub`.',
  'order-not-found': 'No order has this id, or it is another customer’s.',
  'order-settled': 'The order is confirmed or has failed, and cannot be cancelled any more.',
  'idempotency-key-reused': 'The key belongs to a request with another body. Use a new key for a new request.',
  'incomplete-order':
    'Where a real payment gateway is configured, as on prod, an order names `currency` and `payment`: `errors` says what is missing. Nothing was stored. Only the sandbox has defaults.',
  'sku-not-found': 'The stock of this SKU was never set.',
  'stock-changed': 'The stock has changed since the ETag in `If-Match` was read. Read it again.',
};

/** When the gateway answers by itself. */
export const gatewayOccasions: Readonly<Record<keyof typeof gatewayAnswers, string>> = {
  badRequest: 'the request line, the path’s percent-encoding or a header is malformed',
  unauthorized: 'a route for customers was asked without a token, or with one that does not hold',
  forbidden:
    'the token lacks the scope; or a route that demands IAM was asked without a valid signature or by an identity that may not. What matches no route demands IAM too',
  notFound: 'no route matches (here `$default` always does)',
  tooLarge: 'the body has more than 10 MB',
  tooManyRequests: 'the stage’s or the route’s throttle is used up',
  headersTooLarge: 'the headers have more than 10,240 bytes',
  internal: 'the function crashed or may not be invoked',
  unavailable: 'the function did not answer within 30 seconds',
};
