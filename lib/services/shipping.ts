import type { Messaging } from './messaging.ts';
import type { OrderServices } from './order-services.ts';
import { grantProvider, providerEnvironment, type Provider } from './provider.ts';

/** Shipments: arranged and called off with a carrier. */
export function addShipping(services: OrderServices, messaging: Messaging, carrier: Provider): void {
  const shipments = services.table('shipments');

  const { function: shipping } = services.consumer('shipping', {
    SHIPMENTS_TABLE: shipments.tableName,
    ...messaging.participantEnvironment,
    ...providerEnvironment(carrier),
  });
  shipping.allow(['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], shipments.tableArn);
  messaging.grantParticipant(shipping);
  grantProvider(shipping, carrier);
}
