import type { Messaging } from './messaging.ts';
import type { OrderServices } from './order-services.ts';
import { grantProvider, providerEnvironment, type Provider } from './provider.ts';

/** Payments: captured and refunded through a gateway. */
export function addPayment(services: OrderServices, messaging: Messaging, gateway: Provider): void {
  const payments = services.table('payments');

  const { function: payment } = services.consumer('payment', {
    PAYMENTS_TABLE: payments.tableName,
    ...messaging.participantEnvironment,
    ...providerEnvironment(gateway),
  });
  payment.allow(['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], payments.tableArn);
  messaging.grantParticipant(payment);
  grantProvider(payment, gateway);
  // The sandbox gateway counts the tries of its flaky token.
  if ('sandboxLedger' in gateway) payment.allow(['dynamodb:UpdateItem'], gateway.sandboxLedger.tableArn);
}
