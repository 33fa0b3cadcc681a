import type { Environment } from '../contract/functions.ts';
import { durations } from '../contract/stages.ts';
import { serveProvider } from '../providers/provider-service.ts';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import { httpCarrier } from './http-carrier.ts';
import { sandboxCarrier } from './sandbox-carrier.ts';
import { shipment } from './shipment.ts';

export function createHandler(environment: Environment<'shipping'>, connections: QueueConnections) {
  const settings = {
    consumer: 'shipping' as const,
    durations: durations[environment.STAGE],
    table: environment.SHIPMENTS_TABLE,
    keyName: 'orderId',
  };
  return serveProvider({ ...shipment, http: httpCarrier, sandbox: sandboxCarrier }, settings, environment, connections);
}
