import { functions } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect, consumeFrom } from '../kit/wiring.ts';
import { sesMailer } from './mailer.ts';
import type { Settled } from './notification.ts';
import { notify, type NotificationStore } from './store.ts';

const environment = readEnvironment('notification', functions.notification);
const connections = connect('notification');
const { world, database } = connections;
const store: NotificationStore = {
  database,
  table: environment.NOTIFICATIONS_TABLE,
  world,
  mailer: environment.EMAIL_SENDER === undefined ? undefined : sesMailer(environment.EMAIL_SENDER),
};
const onSettled = (message: Settled): Promise<string> => notify(store, message);

export const handler = consumeFrom(environment, topology, durations[environment.STAGE], connections, {
  OrderConfirmed: onSettled,
  OrderFailed: onSettled,
  OrderCancelled: onSettled,
});
