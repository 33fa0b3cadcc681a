import type { Environment } from '../contract/functions.ts';
import { durations } from '../contract/stages.ts';
import { serveProvider } from '../providers/provider-service.ts';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import { httpGateway } from './http-gateway.ts';
import { payment } from './payment.ts';
import { sandboxGateway } from './sandbox-gateway.ts';

export function createHandler(environment: Environment<'payment'>, connections: QueueConnections) {
  const settings = {
    consumer: 'payment' as const,
    durations: durations[environment.STAGE],
    table: environment.PAYMENTS_TABLE,
    keyName: 'orderId',
  };
  return serveProvider({ ...payment, http: httpGateway, sandbox: sandboxGateway }, settings, environment, connections);
}
