import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { commitsTo, consumeFrom, type QueueConnections } from '@outbox-saga/kit/function/wiring';
import { handleReply, type Saga } from './advance.ts';

export function createHandler(environment: Environment<'order-saga'>, connections: QueueConnections) {
  const stage = durations[environment.STAGE];
  const saga: Saga = {
    store: { ...commitsTo(environment, stage, connections), ordersTable: environment.ORDERS_TABLE },
    makeMessage: messageMaker(topology, connections.world),
    telemetry: connections.telemetry,
  };

  return consumeFrom(environment, connections, {
    consumer: 'order-saga',
    topology,
    durations: stage,
    handlers: (reply) => handleReply(saga, reply),
  });
}
