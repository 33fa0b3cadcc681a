import type { Construct } from 'constructs';
import { everyMinute } from '@outbox-saga/constructs/every-minute';
import type { OwnedTable } from '@outbox-saga/constructs/owned-table';
import type { Messaging } from './messaging.ts';
import type { OrderServices } from './order-services.ts';

export interface OrdersProps {
  /** Whether an order that names no currency or payment gets the sandbox's. A real gateway must not be asked to charge what nobody named. */
  readonly sandboxDefaults: boolean;
}

/** Orders: they are placed, brought to their end by the saga, and cancelled. @returns their table */
export function addOrders(services: OrderServices, messaging: Messaging, { sandboxDefaults }: OrdersProps): OwnedTable {
  const { outbox } = messaging;
  const orders = services.table('orders');
  const own = { ORDERS_TABLE: orders.tableName };

  const placeOrder = services.function('place-order', {
    ...own,
    ...outbox.senderEnvironment,
    ...services.callers,
    SANDBOX_DEFAULTS: String(sandboxDefaults),
  });
  placeOrder.allow(['dynamodb:PutItem'], orders.tableArn);
  outbox.grantCommit(placeOrder);

  const { function: saga } = services.consumer('order-saga', { ...own, ...messaging.participantEnvironment });
  saga.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], orders.tableArn);
  messaging.grantParticipant(saga);

  const cancel = services.function('order-cancel', { ...own, ...outbox.senderEnvironment, ...services.callers });
  cancel.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], orders.tableArn);
  outbox.grantCommit(cancel);
  return orders;
}

export interface OrderSweepProps {
  readonly orders: OwnedTable;
  readonly orderView: OwnedTable;
  readonly notifications: OwnedTable;
}

/** The sweep: every minute it asks again where nobody answered, and closes settled orders that everyone knows of. */
export function addOrderSweep(scope: Construct, services: OrderServices, messaging: Messaging, tables: OrderSweepProps): void {
  const { orders, orderView, notifications } = tables;
  const { outbox, idempotency } = messaging;
  const sweep = services.function('order-sweep', {
    ORDERS_TABLE: orders.tableName,
    ORDER_VIEW_TABLE: orderView.tableName,
    NOTIFICATIONS_TABLE: notifications.tableName,
    ...messaging.participantEnvironment,
  });
  sweep.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], orders.tableArn);
  sweep.allow(['dynamodb:Query'], orders.indexArn('open'));
  outbox.grantCommit(sweep);
  // The closing check reads what the others know, and makes rows due again that they lack.
  sweep.allow(['dynamodb:Query', 'dynamodb:UpdateItem'], outbox.table.tableArn);
  sweep.allow(['dynamodb:GetItem'], orderView.tableArn, notifications.tableArn);
  // Where a run that ended early stopped.
  sweep.allow(['dynamodb:GetItem', 'dynamodb:PutItem'], idempotency.tableArn);
  everyMinute(scope, 'EveryMinute', sweep);
}
