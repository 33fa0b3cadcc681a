import { functions } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { readEnvironment } from '../kit/env.ts';
import { messageMaker } from '../kit/message.ts';
import { commitsTo, connect, consumeFrom } from '../kit/wiring.ts';
import { releaseStock, reserveStock, type Inventory } from './stock.ts';

const environment = readEnvironment('inventory', functions.inventory);
const stage = durations[environment.STAGE];
const connections = connect('inventory');
const inventory: Inventory = {
  store: { ...commitsTo(environment.OUTBOX_TABLE, stage, connections), inventoryTable: environment.INVENTORY_TABLE },
  makeMessage: messageMaker(topology, connections.world),
};

export const handler = consumeFrom(environment, topology, stage, connections, {
  OrderPlaced: (message) => reserveStock(inventory, message),
  StockReleaseRequested: (message) => releaseStock(inventory, message),
});
