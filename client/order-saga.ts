// Made from lambdas/contract/openapi.json by `npm run client`; changes belong into the contract.
import { send, type Answer, type ClientOptions } from './http.ts';

export interface Placement {
  /** Who orders. Under a token it may be left out, and is never another than the token’s `sub`. */
  readonly customerId?: string;
  /** Three letters of ISO 4217. Required where a real payment gateway is configured, as on prod; the sandbox takes JPY by default. */
  readonly currency?: string;
  /** Lines with the same SKU and price are merged; one SKU at two prices is refused. */
  readonly items: readonly OrderLine[];
  /** What the payment gateway charges. Required where a real one is configured, as on prod. The sandbox takes tok_ok by default, and knows tok_declined, tok_flaky, tok_lost_response and tok_slow. */
  readonly payment?: {
    readonly token: string;
  };
  readonly shipTo?: {
    readonly name?: string;
    readonly postalCode?: string;
    readonly country?: string;
    readonly region?: string;
    readonly city?: string;
    readonly line1?: string;
    readonly line2?: string;
    readonly phone?: string;
  };
  /** The address that the outcome is mailed to. */
  readonly email?: string;
}

export interface OrderLine {
  /** The stock keeping unit. */
  readonly sku: string;
  /** How many pieces. All lines together have at most as many. */
  readonly qty: number;
  /** The price of one piece, in the currency’s minor unit. The caller names it. */
  readonly price: number;
}

export interface Accepted {
  readonly orderId: string;
  readonly status: 'PENDING';
}

export interface Order {
  readonly orderId: string;
  readonly customerId: string;
  /** PENDING becomes exactly one of the others, once. */
  readonly status: 'PENDING' | 'CONFIRMED' | 'FAILED' | 'CANCELLED';
  /** Which answer the saga waits for. SETTLED waits for nothing. */
  readonly step: 'RESERVING_STOCK' | 'CAPTURING_PAYMENT' | 'ARRANGING_SHIPMENT' | 'CALLING_OFF_SHIPMENT' | 'REFUNDING_PAYMENT' | 'RELEASING_STOCK' | 'SETTLED';
  /** How many transitions the order has made. */
  readonly version: number;
  readonly currency: string;
  /** The sum of qty × price of all lines, in the currency’s minor unit. */
  readonly total: number;
  readonly items: readonly OrderLine[];
  /** Why the order failed. */
  readonly failure?: {
    /** A stable code, for programs. */
    readonly code: 'OUT_OF_STOCK' | 'PAYMENT_DECLINED' | 'UNDELIVERABLE' | 'TIMED_OUT';
    /** A text for people. It may change. */
    readonly detail: string;
  };
  /** The carrier’s number of the shipment. A confirmed order has one. */
  readonly trackingId?: string;
  readonly placedAt: string;
  readonly updatedAt: string;
  /** When the customer’s answer became final. */
  readonly settledAt?: string;
}

export interface OrderList {
  /** The customer’s orders, newest first. The list follows an order’s changes within about a second. */
  readonly orders: readonly ListedOrder[];
  /** Present when there may be more orders. Send it with the next request to go on. */
  readonly cursor?: string;
}

export interface ListedOrder {
  readonly orderId: string;
  readonly customerId: string;
  /** PENDING becomes exactly one of the others, once. */
  readonly status: 'PENDING' | 'CONFIRMED' | 'FAILED' | 'CANCELLED';
  /** How many pieces, not how many lines. */
  readonly itemCount: number;
  /** The sum of qty × price of all lines, in the currency’s minor unit. */
  readonly total: number;
  readonly currency: string;
  readonly placedAt: string;
  readonly updatedAt: string;
}

export interface Timeline {
  readonly orderId: string;
  /** Every message of the order that is still held, oldest first. */
  readonly entries: readonly TimelineEntry[];
  /** How many of the order’s versions have messages that are no longer held. */
  readonly expired: number;
  /** Whether there are more entries than one answer shows. */
  readonly truncated: boolean;
}

export interface TimelineEntry {
  readonly messageId: string;
  /** The type of the message, such as OrderPlaced or PaymentCaptured. */
  readonly type: string;
  /** The order’s version that the message announces. Answers of participants have none. */
  readonly sequence?: number;
  /** The function that committed the message. */
  readonly source: string;
  readonly committedAt: string;
  readonly sentAt?: string;
  /** How far sending the message has got. */
  readonly status: 'PENDING' | 'SENT' | 'FAILED' | 'SENDING' | 'DEAD';
  /** How often sending the message was tried. Waiting for a queue that is down does not count. */
  readonly attempts: number;
}

export interface Cancellation {
  readonly orderId: string;
  /** PENDING becomes exactly one of the others, once. */
  readonly status: 'PENDING' | 'CONFIRMED' | 'FAILED' | 'CANCELLED';
  /** Which answer the saga waits for. SETTLED waits for nothing. */
  readonly step: 'RESERVING_STOCK' | 'CAPTURING_PAYMENT' | 'ARRANGING_SHIPMENT' | 'CALLING_OFF_SHIPMENT' | 'REFUNDING_PAYMENT' | 'RELEASING_STOCK' | 'SETTLED';
}

export interface StockSetting {
  /** Pieces that are free to sell. What orders hold is not touched. */
  readonly available: number;
}

export interface StockLevel {
  readonly sku: string;
  /** Pieces that are free to sell. */
  readonly available: number;
  /** Pieces that orders hold. */
  readonly reserved: number;
}

/** Options of every operation. */
export interface CallOptions {
  /** The caller’s own, or one that is made for the request. Every log line and message of the request carries it. */
  readonly correlationId?: string;
}

/** The API of Order Saga. Every method throws ApiProblem for an answer of 400 and above. */
export class OrderSagaClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Place an order. Accepts the order and answers. Within seconds it is confirmed, or it has failed and everything is undone. One key, one order: the same request again gets the same answer. `POST /orders` */
  placeOrder(body: Placement, options: CallOptions & {
    /** A new key for each order, and the same key for each repetition of its request. */
    readonly idempotencyKey: string;
  }): Promise<Answer<202, Accepted>> {
    return send(this.#options, {
      method: 'POST',
      path: '/orders',
      body,
      headers: { 'idempotency-key': options.idempotencyKey, 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<202, Accepted>>;
  }

  /** List a customer’s orders. `GET /orders` */
  listOrders(query: {
    /** Whose orders are listed. Required unless a token says it. */
    readonly customerId?: string;
    /** Lists only orders in this status. */
    readonly status?: 'PENDING' | 'CONFIRMED' | 'FAILED' | 'CANCELLED';
    /** How many orders one answer has at most. With a status there may be fewer although more follow. */
    readonly limit?: number;
    /** The cursor of the answer before: the list goes on there. It is opaque, and bound to customer and status. */
    readonly cursor?: string;
  } = {}, options: CallOptions = {}): Promise<Answer<200, OrderList>> {
    return send(this.#options, {
      method: 'GET',
      path: '/orders',
      query,
      headers: { 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, OrderList>>;
  }

  /** Read an order. `GET /orders/{id}` */
  getOrder(id: string, options: CallOptions & {
    /** An ETag that the caller knows: polling an unchanged order costs no body. */
    readonly ifNoneMatch?: string;
  } = {}): Promise<Answer<200, Order> | Answer<304, undefined>> {
    return send(this.#options, {
      method: 'GET',
      path: `/orders/${encodeURIComponent(id)}`,
      headers: { 'if-none-match': options.ifNoneMatch, 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, Order> | Answer<304, undefined>>;
  }

  /** Read an order’s messages. `GET /orders/{id}/timeline` */
  getTimeline(id: string, options: CallOptions = {}): Promise<Answer<200, Timeline>> {
    return send(this.#options, {
      method: 'GET',
      path: `/orders/${encodeURIComponent(id)}/timeline`,
      headers: { 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, Timeline>>;
  }

  /** Cancel an order. Turns the order round, whatever it is doing: what was taken is given back. The body is not read. Asked again, it answers the same. `POST /orders/{id}/cancel` */
  cancelOrder(id: string, options: CallOptions = {}): Promise<Answer<202, Cancellation>> {
    return send(this.#options, {
      method: 'POST',
      path: `/orders/${encodeURIComponent(id)}/cancel`,
      headers: { 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<202, Cancellation>>;
  }

  /** Read any customer’s order. `GET /admin/orders/{id}` */
  getAnyOrder(id: string, options: CallOptions & {
    /** An ETag that the caller knows: polling an unchanged order costs no body. */
    readonly ifNoneMatch?: string;
  } = {}): Promise<Answer<200, Order> | Answer<304, undefined>> {
    return send(this.#options, {
      method: 'GET',
      path: `/admin/orders/${encodeURIComponent(id)}`,
      headers: { 'if-none-match': options.ifNoneMatch, 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, Order> | Answer<304, undefined>>;
  }

  /** Read the messages of any customer’s order. `GET /admin/orders/{id}/timeline` */
  getAnyTimeline(id: string, options: CallOptions = {}): Promise<Answer<200, Timeline>> {
    return send(this.#options, {
      method: 'GET',
      path: `/admin/orders/${encodeURIComponent(id)}/timeline`,
      headers: { 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, Timeline>>;
  }

  /** Cancel any customer’s order. Turns the order round, whatever it is doing: what was taken is given back. The body is not read. Asked again, it answers the same. `POST /admin/orders/{id}/cancel` */
  cancelAnyOrder(id: string, options: CallOptions = {}): Promise<Answer<202, Cancellation>> {
    return send(this.#options, {
      method: 'POST',
      path: `/admin/orders/${encodeURIComponent(id)}/cancel`,
      headers: { 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<202, Cancellation>>;
  }

  /** Read a stock level. `GET /admin/stock/{sku}` */
  getStock(sku: string, options: CallOptions = {}): Promise<Answer<200, StockLevel>> {
    return send(this.#options, {
      method: 'GET',
      path: `/admin/stock/${encodeURIComponent(sku)}`,
      headers: { 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, StockLevel>>;
  }

  /** Set what is free to sell. `PUT /admin/stock/{sku}` */
  putStock(sku: string, body: StockSetting, options: CallOptions & {
    /** The same key for each repetition of a request. A repetition of the last setting changes nothing and is answered with the level as it is now. Without a key, or after another setting, a repetition sets again. */
    readonly idempotencyKey?: string;
    /** The stock is set only if it still has this ETag; with `*`, only if the SKU exists. */
    readonly ifMatch?: string;
  } = {}): Promise<Answer<200, StockLevel>> {
    return send(this.#options, {
      method: 'PUT',
      path: `/admin/stock/${encodeURIComponent(sku)}`,
      body,
      headers: { 'idempotency-key': options.idempotencyKey ?? crypto.randomUUID(), 'if-match': options.ifMatch, 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, StockLevel>>;
  }

  /** Ask whether the API answers. Says that the gateway reaches a function. No table is asked. `GET /health` */
  getHealth(options: CallOptions = {}): Promise<Answer<200, {
    readonly status: 'ok';
    readonly stage: 'dev' | 'test' | 'prod';
  }>> {
    return send(this.#options, {
      method: 'GET',
      path: '/health',
      headers: { 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, {
    readonly status: 'ok';
    readonly stage: 'dev' | 'test' | 'prod';
  }>>;
  }

  /** Read this document. `GET /openapi.json` */
  getDocument(options: CallOptions = {}): Promise<Answer<200, {
    readonly openapi: string;
  }>> {
    return send(this.#options, {
      method: 'GET',
      path: '/openapi.json',
      headers: { 'x-correlation-id': options.correlationId },
    }) as Promise<Answer<200, {
    readonly openapi: string;
  }>>;
  }
}
