import { callersOf } from '../contract/api/access.ts';
import type { Handlers } from '../contract/api/documentation.ts';
import { placeOrderOperations } from '../contract/api/place-order.ts';
import type { Environment } from '../contract/functions.ts';
import { orderPlaced } from '../contract/messages.ts';
import { metrics } from '../contract/metrics.ts';
import { problems } from '../contract/problems.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { mayAccess } from '@outbox-saga/kit/http/caller';
import { invalid, Problem } from '@outbox-saga/kit/http/problem';
import { createHttpHandler } from '@outbox-saga/kit/http/http';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { commitsTo, type Connections } from '@outbox-saga/kit/function/wiring';
import type { Telemetry } from '@outbox-saga/kit/telemetry/telemetry';
import type { Order } from '../contract/order.ts';
import { mergeLines, openOrder, payable, requestHash } from './placement.ts';
import { acceptOrder } from './store.ts';

export function createHandler(environment: Environment<'place-order'>, connections: Connections) {
  const { telemetry, world, faults } = connections;
  const store = {
    ...commitsTo(environment, durations[environment.STAGE], connections),
    ordersTable: environment.ORDERS_TABLE,
  };
  const makeMessage = messageMaker(topology, world);

  const placeOrder: Handlers<typeof placeOrderOperations>['placeOrder'] = async ({
    headers,
    body,
    receivedBody,
    caller,
    correlationId,
  }) => {
    const placement = payable(body, environment.SANDBOX_DEFAULTS);
    if ('problems' in placement) throw new Problem(problems.incompleteOrder, { fields: placement.problems });
    if (placement.customerId !== undefined && !mayAccess(caller, placement.customerId)) throw new Problem(problems.otherCustomer);
    const customerId = caller.subject ?? placement.customerId ?? (environment.AUTHENTICATION === 'none' ? 'guest' : undefined);
    if (customerId === undefined) throw invalid([{ field: 'customerId', message: 'is required' }]);
    const lines = mergeLines(placement.items);
    if ('problems' in lines) throw invalid(lines.problems);

    const order = openOrder(placement, lines, {
      customerId,
      idempotencyKey: headers['idempotency-key'],
      correlationId,
      now: world.now(),
    });
    const message = makeMessage('OrderPlaced', orderPlaced(order), {
      aggregateId: order.orderId,
      sequence: order.version,
      groupId: order.groupId,
      correlationId: order.correlationId,
      causationId: correlationId,
      occurredAt: order.updatedAt,
    });
    const acceptance = await acceptOrder(store, order, requestHash(receivedBody), message);
    if (acceptance === 'key-reused') {
      throw new Problem(problems.keyReused, {
        detail: 'header:idempotency-key: belongs to an order with another body; use a new key for a new order',
        fields: [{ field: 'header:idempotency-key', message: 'belongs to an order with another body' }],
      });
    }
    reportAcceptance(telemetry, order, acceptance);
    return {
      status: 202,
      outcome: acceptance,
      aggregateId: order.orderId,
      body: { orderId: order.orderId, status: 'PENDING' },
      headers: {
        location: `/orders/${order.orderId}`,
        ...(acceptance === 'replayed' ? { 'idempotency-replayed': 'true' } : {}),
      },
    };
  };

  return createHttpHandler({
    operations: placeOrderOperations,
    handlers: { placeOrder },
    callers: callersOf(environment),
    telemetry,
    world,
    faults,
  });
}

function reportAcceptance(telemetry: Telemetry, order: Order, acceptance: 'accepted' | 'replayed'): void {
  telemetry.measure(acceptance === 'accepted' ? metrics.ordersAccepted : metrics.ordersReplayed, 1);
  if (acceptance === 'replayed') return;
  const { correlationId, orderId, step, status, version, customerId, total, currency } = order;
  telemetry.info('order transition', { correlationId, aggregateId: orderId, to: step, status, version, customerId, total, currency });
}
