import type { Messaging } from './messaging.ts';
import type { OrderServices } from './order-services.ts';

/** Stock: what there is, what orders hold of it, and how operators set it. */
export function addInventory(services: OrderServices, messaging: Messaging): void {
  const table = services.table('inventory');
  const own = { INVENTORY_TABLE: table.tableName };

  const { function: inventory } = services.consumer('inventory', { ...own, ...messaging.participantEnvironment });
  inventory.allow(['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], table.tableArn);
  messaging.grantParticipant(inventory);

  const stockAdmin = services.function('stock-admin', { ...own, ...services.callers });
  stockAdmin.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], table.tableArn);
}
