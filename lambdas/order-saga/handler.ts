import { functions } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { readEnvironment } from '../kit/env.ts';
import { messageMaker } from '../kit/message.ts';
import { commitsTo, connect, consumeFrom } from '../kit/wiring.ts';
import { hear, type Saga } from './advance.ts';
import type { Reply } from './saga.ts';

const environment = readEnvironment('order-saga', functions['order-saga']);
const stage = durations[environment.STAGE];
const connections = connect('order-saga');
const saga: Saga = {
  store: { ...commitsTo(environment.OUTBOX_TABLE, stage, connections), ordersTable: environment.ORDERS_TABLE },
  makeMessage: messageMaker(topology, connections.world),
  telemetry: connections.telemetry,
};
const onReply = (reply: Reply): Promise<string> => hear(saga, reply);

export const handler = consumeFrom(environment, topology, stage, connections, {
  StockReserved: onReply,
  StockRejected: onReply,
  StockReleased: onReply,
  PaymentCaptured: onReply,
  PaymentDeclined: onReply,
  PaymentRefunded: onReply,
  ShipmentArranged: onReply,
  ShipmentRejected: onReply,
  ShipmentCancelled: onReply,
});
