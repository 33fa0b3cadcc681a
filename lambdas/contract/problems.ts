import { commonProblems, type ProblemDefinition } from '@outbox-saga/kit/http/contract';

/** Every kind of problem that the API answers with. */
export const problems = {
  ...commonProblems,
  otherCustomer: {
    slug: 'other-customer',
    status: 403,
    title: 'The token is another customer’s',
    meaning: 'A customer orders and lists for themselves: leave `customerId` out, or name the token’s `sub`.',
  },
  orderNotFound: {
    slug: 'order-not-found',
    status: 404,
    title: 'There is no such order',
    meaning: 'No order has this id, or it is another customer’s.',
  },
  orderSettled: {
    slug: 'order-settled',
    status: 409,
    title: 'The order is settled',
    meaning: 'The order is confirmed or has failed, and cannot be cancelled any more.',
  },
  keyReused: {
    slug: 'idempotency-key-reused',
    status: 422,
    title: 'The Idempotency-Key was used for another request',
    meaning: 'The key belongs to a request with another body. Use a new key for a new request.',
  },
  incompleteOrder: {
    slug: 'incomplete-order',
    status: 422,
    title: 'The order does not say what it is paid in, or with',
    meaning:
      'Where a real payment gateway is configured, as on prod, an order names `currency` and `payment`: `errors` says what is missing. Nothing was stored. Only the sandbox has defaults.',
  },
  skuNotFound: {
    slug: 'sku-not-found',
    status: 404,
    title: 'There is no stock of this SKU',
    meaning: 'The stock of this SKU was never set.',
  },
  stockChanged: {
    slug: 'stock-changed',
    status: 412,
    title: 'The stock is not what you expect',
    meaning: 'The stock has changed since the ETag in `If-Match` was read. Read it again.',
  },
} as const satisfies Record<string, ProblemDefinition>;
