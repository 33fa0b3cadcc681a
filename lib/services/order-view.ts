import type { OwnedTable } from '@outbox-saga/constructs/owned-table';
import type { Messaging } from './messaging.ts';
import type { OrderServices } from './order-services.ts';

/** What customers and operators read of orders. @returns the table of the read model */
export function addOrderView(services: OrderServices, messaging: Messaging, orders: OwnedTable): OwnedTable {
  const { outbox } = messaging;
  const orderView = services.table('orderView');
  const own = { ORDER_VIEW_TABLE: orderView.tableName, ORDERS_TABLE: orders.tableName };

  const { function: view } = services.consumer('order-view', { ...own, ...messaging.listenerEnvironment });
  view.allow(['dynamodb:UpdateItem'], orderView.tableArn);
  // Read only to close a gap: the view repairs itself from the order.
  view.allow(['dynamodb:GetItem'], orders.tableArn);
  messaging.grantListener(view);

  const queryOrders = services.function('query-orders', { ...own, OUTBOX_TABLE: outbox.table.tableName, ...services.callers });
  queryOrders.allow(['dynamodb:GetItem'], orders.tableArn);
  // A timeline is what the outbox has of the order.
  queryOrders.allow(['dynamodb:Query'], outbox.table.tableArn, orderView.tableArn);
  return orderView;
}
