import { randomUUID } from 'node:crypto';
import type { ClientOptions } from '../client/http.ts';
import { OrderSagaClient } from '../client/order-saga.ts';

export type Authorize = NonNullable<ClientOptions['authorize']>;

/** Who places orders, and through which client. */
export interface Customer {
  readonly client: OrderSagaClient;
  /** undefined: the token says it. */
  readonly customerId: string | undefined;
}

/** A client that does not try again: what is measured is one request. @param end ends those that are under way */
export function clientOf(url: string, authorize?: Authorize, end?: AbortSignal): OrderSagaClient {
  return new OrderSagaClient({
    baseUrl: url,
    attempts: 1,
    ...(authorize ? { authorize } : {}),
    ...(end ? { fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.any([init!.signal!, end]) }) } : {}),
  });
}

export async function placeOrder({ client, customerId }: Customer, sku: string): Promise<string> {
  const { body } = await client.placeOrder(
    {
      ...(customerId === undefined ? {} : { customerId }),
      items: [{ sku, qty: 1, price: 500 }],
      shipTo: { name: 'Ada', postalCode: '1000001' },
    },
    { idempotencyKey: randomUUID() },
  );
  return body.orderId;
}
