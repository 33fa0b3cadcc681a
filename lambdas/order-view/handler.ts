import { functions } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect, consumeFrom } from '../kit/wiring.ts';
import { applyChange, type ViewStore } from './store.ts';
import { changeOf, type VersionedMessage } from './view.ts';

const environment = readEnvironment('order-view', functions['order-view']);
const connections = connect('order-view');
const { database } = connections;
const store: ViewStore = { database, table: environment.ORDER_VIEW_TABLE };
const onChange = (message: VersionedMessage): Promise<string> => applyChange(store, changeOf(message));

export const handler = consumeFrom(environment, topology, durations[environment.STAGE], connections, {
  OrderPlaced: onChange,
  PaymentRequested: onChange,
  ShipmentRequested: onChange,
  ShipmentCancelRequested: onChange,
  RefundRequested: onChange,
  StockReleaseRequested: onChange,
  OrderConfirmed: onChange,
  OrderFailed: onChange,
  OrderCancelled: onChange,
});
