import { callersOf } from '../contract/api/access.ts';
import type { Handlers } from '../contract/api/documentation.ts';
import { queryOrdersOperations } from '../contract/api/query-orders.ts';
import type { Caller } from '@outbox-saga/kit/http/contract';
import type { Environment } from '../contract/functions.ts';
import type { Order } from '../contract/order.ts';
import { problems } from '../contract/problems.ts';
import { mayAccess } from '@outbox-saga/kit/http/caller';
import { invalid, Problem } from '@outbox-saga/kit/http/problem';
import { createHttpHandler } from '@outbox-saga/kit/http/http';
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

  async function requestedOrder(orderId: string, caller: Caller): Promise<Order> {
    const order = await findOrder(store, orderId);
    // Another customer's order is not there: whether it exists is theirs to know.
    if (!order || !mayAccess(caller, order.customerId)) throw new Problem(problems.orderNotFound);
    return order;
  }

  const getOrder: Handlers<typeof queryOrdersOperations>['getOrder'] = async ({ path, headers: conditions, caller }) => {
    const order = await requestedOrder(path.id, caller);
    const etag = etagOf(order);
    // May be kept by the customer's own client, and is asked for again each time: an unchanged order costs it no body.
    const headers = { etag, 'cache-control': 'private, no-cache' };
    if (isKnown(conditions['if-none-match'], etag)) return { status: 304, outcome: 'unchanged', aggregateId: order.orderId, headers };
    return { status: 200, outcome: 'found', aggregateId: order.orderId, body: orderAnswer(order), headers };
  };

  const getTimeline: Handlers<typeof queryOrdersOperations>['getTimeline'] = async ({ path, caller }) => {
    const order = await requestedOrder(path.id, caller);
    const { rows, more } = await orderRows(store, order.orderId);
    return { status: 200, outcome: 'found', aggregateId: order.orderId, body: timelineAnswer(order, rows, more) };
  };

  const getOrders: Handlers<typeof queryOrdersOperations>['listOrders'] = async ({ query, caller }) => {
    const { customerId = caller.subject, status, limit, cursor: text } = query;
    if (customerId === undefined) throw invalid([{ field: 'query:customerId', message: 'is required' }]);
    if (!mayAccess(caller, customerId)) throw new Problem(problems.otherCustomer);
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
    operations: queryOrdersOperations,
    handlers: { listOrders: getOrders, getOrder, getTimeline, getAnyOrder: getOrder, getAnyTimeline: getTimeline },
    callers: callersOf(environment),
    telemetry,
    world,
    faults,
  });
}
