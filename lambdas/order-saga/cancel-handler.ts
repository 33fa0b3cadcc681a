import { callersOf } from '../contract/api/access.ts';
import type { Handlers } from '../contract/api/documentation.ts';
import { orderCancelOperations } from '../contract/api/order-cancel.ts';
import type { Environment } from '../contract/functions.ts';
import type { Order } from '../contract/order.ts';
import { problems } from '../contract/problems.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { mayAccess } from '@outbox-saga/kit/http/caller';
import { Problem } from '@outbox-saga/kit/http/problem';
import { createHttpHandler } from '@outbox-saga/kit/http/http';
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
  const cancelOrder: Handlers<typeof orderCancelOperations>['cancelOrder'] = async ({ path, caller, correlationId }) => {
    const load = async (): Promise<Order> => {
      const order = await findOrder(saga.store, path.id);
      if (!order || !mayAccess(caller, order.customerId)) throw new Problem(problems.orderNotFound);
      return order;
    };
    const { order, outcome } = await advance(saga, load, { type: 'Cancel' }, correlationId);
    // Asked again after it worked: the same answer.
    if (order.status === 'CONFIRMED' || order.status === 'FAILED') {
      throw new Problem(problems.orderSettled, { detail: `the order is ${order.status}; it cannot be cancelled any more` });
    }
    return { status: 202, outcome, aggregateId: order.orderId, body: { orderId: order.orderId, status: order.status, step: order.step } };
  };

  return createHttpHandler({
    operations: orderCancelOperations,
    handlers: { cancelOrder, cancelAnyOrder: cancelOrder },
    callers: callersOf(environment),
    telemetry,
    world,
    faults,
  });
}
