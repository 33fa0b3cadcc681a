import type { Environment } from '../contract/functions.ts';
import { orderIdPattern, type Order } from '../contract/order.ts';
import { problems } from '../contract/problems.ts';
import { callersOf, listQuerySchema } from '../contract/requests.ts';
import { createHttpHandler, fieldProblems, invalid, isFor, Problem, type HttpHandler, type HttpRequest } from '@outbox-saga/kit/http/http';
import type { Connections } from '@outbox-saga/kit/function/wiring';
import { etagOf, isKnown, listedOrder, orderAnswer, timelineAnswer } from './answers.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { findOrder, listOrders, orderRows, type QueryStore } from './store.ts';

export function createHandler(environment: Environment<'query-orders'>, connections: Connections) {
  const { telemetry, world, faults, database } = connections;
  const store: QueryStore = {
    database,
    ordersTable: environment.ORDERS_TABLE,
    outboxTable: environment.OUTBOX_TABLE,
    orderViewTable: environment.ORDER_VIEW_TABLE,
  };

  async function requestedOrder(request: HttpRequest): Promise<Order> {
    const id = request.params['id'] ?? '';
    const order = orderIdPattern.test(id) ? await findOrder(store, id) : undefined;
    // Another customer's order is not there: whether it exists is theirs to know.
    if (!order || !isFor(request, order.customerId)) throw new Problem(problems.orderNotFound, { detail: 'path:id: no order has this id' });
    return order;
  }

  const getOrder: HttpHandler = async (request) => {
    const order = await requestedOrder(request);
    const etag = etagOf(order);
    // May be kept by the customer's own client, and is asked for again each time: an unchanged order costs it no body.
    const headers = { etag, 'cache-control': 'private, no-cache' };
    if (isKnown(request.headers['if-none-match'], etag)) return { status: 304, outcome: 'unchanged', aggregateId: order.orderId, headers };
    return { status: 200, outcome: 'found', aggregateId: order.orderId, body: orderAnswer(order), headers };
  };

  const getTimeline: HttpHandler = async (request) => {
    const order = await requestedOrder(request);
    const { rows, more } = await orderRows(store, order.orderId);
    return { status: 200, outcome: 'found', aggregateId: order.orderId, body: timelineAnswer(order, rows, more) };
  };

  const getOrders: HttpHandler = async (request) => {
    const parsed = listQuerySchema.safeParse(request.query);
    if (!parsed.success) throw invalid(fieldProblems(parsed.error, 'query', 'query:'));
    const { customerId = request.subject, status, limit, cursor: text } = parsed.data;
    if (customerId === undefined) throw invalid([{ field: 'query:customerId', message: 'is required' }]);
    if (!isFor(request, customerId)) throw new Problem(problems.otherCustomer);
    const cursor = text === undefined ? undefined : decodeCursor(text, customerId, status);
    if (text !== undefined && !cursor) throw invalid([{ field: 'query:cursor', message: 'is not a cursor of this list' }]);
    const { items, next } = await listOrders(store, { customerId, status, limit, after: cursor?.placedOrder });
    return {
      status: 200,
      outcome: 'listed',
      body: {
        orders: items.map(listedOrder),
        cursor: next === undefined ? undefined : encodeCursor({ customerId, status, placedOrder: next }),
      },
    };
  };

  return createHttpHandler({
    routes: {
      subjects: { 'GET /orders/{id}': getOrder, 'GET /orders/{id}/timeline': getTimeline, 'GET /orders': getOrders },
      operators: { 'GET /admin/orders/{id}': getOrder, 'GET /admin/orders/{id}/timeline': getTimeline },
    },
    callers: callersOf(environment),
    telemetry,
    world,
    faults,
  });
}
