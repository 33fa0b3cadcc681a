import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { consumeFrom, type QueueConnections } from '@outbox-saga/kit/function/wiring';
import { sesMailer } from './mailer.ts';
import { notify, type Notifier } from './notify.ts';

export function createHandler(environment: Environment<'notification'>, connections: QueueConnections) {
  const { world, database, telemetry } = connections;
  const stage = durations[environment.STAGE];
  const notifier: Notifier = {
    // Twice a function's life: clocks differ by seconds.
    store: { database, table: environment.NOTIFICATIONS_TABLE, world, leaseSeconds: 2 * stage.consumerTimeoutSeconds },
    telemetry,
    mailer: environment.EMAIL_SENDER === undefined ? undefined : sesMailer(environment.EMAIL_SENDER),
  };

  return consumeFrom(environment, connections, {
    consumer: 'notification',
    topology,
    durations: stage,
    handlers: (message) => notify(notifier, message),
  });
}
