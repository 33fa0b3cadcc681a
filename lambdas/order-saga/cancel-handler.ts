import type { Environment } from '../contract/functions.ts';
import { orderIdPattern, type Order } from '../contract/order.ts';
import { problems } from '../contract/problems.ts';
import { callersOf } from '../contract/requests.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { createHttpHandler, isFor, Problem, type HttpHandler } from '@outbox-saga/kit/http/http';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { commitsTo, type Connections } from '@outbox-saga/kit/function/wiring';
import { advance, type Saga } from './advance.ts';
import { findOrder } from './store.ts';

export function createHandler(environment: Environment<'order-cancel'>, connections: Connections) {
  const { telemetry, world, faults } = connections;
  const saga: Saga = {
    store: { ...commitsTo(environment, durations[environment.STAGE], connections), ordersTable: environment.ORDERS_TABLE },
    makeMessage: messageMaker(topology, world),
    telemetry,
  };

  /** Turns an order round, whatever it is doing. The races with replies are the saga's to decide: one of the two is first. */
  const cancelOrder: HttpHandler = async (request) => {
    const id = request.params['id'] ?? '';
    const load = async (): Promise<Order> => {
      const order = orderIdPattern.test(id) ? await findOrder(saga.store, id) : undefined;
      if (!order || !isFor(request, order.customerId))
        throw new Problem(problems.orderNotFound, { detail: 'path:id: no order has this id' });
      return order;
    };
    const { order, outcome } = await advance(saga, load, { type: 'Cancel' }, request.correlationId);
    // Asked again after it worked: the same answer.
    if (order.status === 'CONFIRMED' || order.status === 'FAILED') {
      throw new Problem(problems.orderSettled, { detail: `the order is ${order.status}; it cannot be cancelled any more` });
    }
    return { status: 202, outcome, aggregateId: order.orderId, body: { orderId: order.orderId, status: order.status, step: order.step } };
  };

  return createHttpHandler({
    routes: { subjects: { 'POST /orders/{id}/cancel': cancelOrder }, operators: { 'POST /admin/orders/{id}/cancel': cancelOrder } },
    callers: callersOf(environment),
    telemetry,
    world,
    faults,
  });
}
