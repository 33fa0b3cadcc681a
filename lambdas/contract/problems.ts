import { commonProblems, type ProblemDefinition } from '@outbox-saga/kit/http/contract';

/** Every kind of problem that the API answers with. What they mean to callers stands in their documentation (api/documentation.ts). */
export const problems = {
  ...commonProblems,
  unusableSubject: { slug: 'unusable-subject', status: 403, title: 'The token’s subject cannot be a customer' },
  otherCustomer: { slug: 'other-customer', status: 403, title: 'The token is another customer’s' },
  orderNotFound: { slug: 'order-not-found', status: 404, title: 'There is no such order', detail: 'path:id: no order has this id' },
  orderSettled: { slug: 'order-settled', status: 409, title: 'The order is settled' },
  keyReused: { slug: 'idempotency-key-reused', status: 422, title: 'The Idempotency-Key was used for another request' },
  incompleteOrder: { slug: 'incomplete-order', status: 422, title: 'The order does not say what it is paid in, or with' },
  skuNotFound: { slug: 'sku-not-found', status: 404, title: 'There is no stock of this SKU', detail: 'path:sku: its stock was never set' },
  stockChanged: {
    slug: 'stock-changed',
    status: 412,
    title: 'The stock is not what you expect',
    detail: 'header:if-match: the stock has changed since; read it again',
  },
} as const satisfies Record<string, ProblemDefinition>;

export type ProblemKind = (typeof problems)[keyof typeof problems];
