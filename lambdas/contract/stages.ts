import { usualDurations } from '@outbox-saga/kit/messages/durations';
import { assertOrderDurations, type OrderDurations } from './durations.ts';
import { stageNames, type StageName } from './stage-names.ts';

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

const prod: OrderDurations = {
  ...usualDurations,
  reminder: { baseSeconds: 5 * minute, factor: 3, capSeconds: 6 * hour, maxReminders: 4 },
  closeAfterSeconds: 30,
  giveUpSeconds: day,
  // Stripe keeps idempotency keys for at least 24 hours; half of it leaves room for clocks and queues.
  providerKeySeconds: 12 * hour,
};

/**
 * The durations of every stage. `test` shows a whole retry ladder in seconds; what takes days on `prod`
 * is proven in virtual time, not by waiting.
 */
export const durations: Readonly<Record<StageName, OrderDurations>> = {
  dev: {
    ...prod,
    retry: { ...prod.retry, baseSeconds: 1, capSeconds: minute, windowSeconds: 10 * minute },
    reminder: { baseSeconds: 100, factor: 2, capSeconds: hour, maxReminders: 4 },
    giveUpSeconds: hour,
  },
  test: {
    ...prod,
    apiTimeoutSeconds: 6,
    consumerTimeoutSeconds: 4,
    publisherTimeoutSeconds: 6,
    retry: { baseSeconds: 1, factor: 2, capSeconds: 2, windowSeconds: 15 },
    relay: { ...prod.relay, baseSeconds: 1, factor: 2, capSeconds: 2, pendingSeconds: 2 },
    reminder: { baseSeconds: 5, factor: 2, capSeconds: 20, maxReminders: 2 },
    closeAfterSeconds: 2,
    giveUpSeconds: minute,
    queueRetentionSeconds: hour,
    deadLetterRetentionSeconds: 2 * hour,
  },
  prod,
};

for (const stage of stageNames) assertOrderDurations(stage, durations[stage]);
