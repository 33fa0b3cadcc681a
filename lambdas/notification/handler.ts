import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { consumeFrom, type QueueConnections } from '../kit/wiring.ts';
import { sesMailer } from './mailer.ts';
import type { Settled } from './notification.ts';
import { notify, type NotificationStore } from './store.ts';

export function createHandler(environment: Environment<'notification'>, connections: QueueConnections) {
  const { world, database } = connections;
  const store: NotificationStore = {
    database,
    table: environment.NOTIFICATIONS_TABLE,
    world,
    mailer: environment.EMAIL_SENDER === undefined ? undefined : sesMailer(environment.EMAIL_SENDER),
  };
  const onSettled = (message: Settled): Promise<string> => notify(store, message);

  return consumeFrom(environment, topology, durations[environment.STAGE], connections, {
    OrderConfirmed: onSettled,
    OrderFailed: onSettled,
    OrderCancelled: onSettled,
  });
}
