import { createPublisher } from '@outbox-saga/kit/outbox/handlers';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';

export function createHandler(environment: Environment<'outbox-publisher'>, connections: QueueConnections) {
  return createPublisher(environment, connections, { topology, durations: durations[environment.STAGE] });
}
