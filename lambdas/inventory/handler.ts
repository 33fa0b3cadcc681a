import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { commitsTo, consumeFrom, type QueueConnections } from '@outbox-saga/kit/function/wiring';
import { releaseStock, reserveStock, type Inventory } from './stock.ts';

export function createHandler(environment: Environment<'inventory'>, connections: QueueConnections) {
  const stage = durations[environment.STAGE];
  const inventory: Inventory = {
    store: { ...commitsTo(environment, stage, connections), inventoryTable: environment.INVENTORY_TABLE },
    makeMessage: messageMaker(topology, connections.world),
  };

  return consumeFrom(environment, connections, {
    consumer: 'inventory',
    topology,
    durations: stage,
    handlers: {
      OrderPlaced: (message) => reserveStock(inventory, message),
      StockReleaseRequested: (message) => releaseStock(inventory, message),
    },
  });
}
