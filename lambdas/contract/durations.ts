import { ascending, assertDurations, type Durations } from '@outbox-saga/kit/messages/durations';
import { backoffCeilingSeconds } from '@outbox-saga/kit/messages/retry-policy';

/** How a step that nobody answers is asked again: after base × factorⁿ seconds, up to the cap. */
export interface ReminderPolicy {
  readonly baseSeconds: number;
  readonly factor: number;
  readonly capSeconds: number;
  /** After so many unanswered reminders a step is given up; an undo never is. */
  readonly maxReminders: number;
}

/** From a step's first question until it is given up: the sum of all waits. */
function reminderSpanSeconds(policy: ReminderPolicy): number {
  let span = 0;
  for (let reminders = 0; reminders <= policy.maxReminders; reminders++) span += backoffCeilingSeconds(policy, reminders + 1);
  return span;
}

/** Every duration of one stage, in seconds: those of the machinery, and those of the saga and its providers. */
export interface OrderDurations extends Durations {
  /** When a step of the saga that nobody answers is asked again, and how often. */
  readonly reminder: ReminderPolicy;
  /** When a settled order is first checked for being known to everyone: long enough for its last messages to arrive. */
  readonly closeAfterSeconds: number;
  /** The latest time at which a step that nobody answers is given up. */
  readonly giveUpSeconds: number;
  /** How long the payment and shipping providers keep idempotency keys: an older intent is looked up, not sent again. */
  readonly providerKeySeconds: number;
}

/**
 * Asserts that the numbers of a stage fit together, those of the machinery included.
 *
 * @throws Error that names the stage and every rule that does not hold
 */
export function assertOrderDurations(stage: string, d: OrderDurations): void {
  const span = reminderSpanSeconds(d.reminder);
  assertDurations(stage, d, [
    ...ascending(
      ['retry.windowSeconds', d.retry.windowSeconds],
      ['giveUpSeconds', d.giveUpSeconds],
      ['queueRetentionSeconds', d.queueRetentionSeconds],
    ),
    [
      d.retry.windowSeconds < span && span <= d.giveUpSeconds,
      `reminder: its waits add up to ${span} s; they must exceed retry.windowSeconds (${d.retry.windowSeconds}), or a step is given up while its message is still retried, and stay within giveUpSeconds (${d.giveUpSeconds})`,
    ],
    [
      d.consumerTimeoutSeconds + 600 < d.providerKeySeconds,
      `providerKeySeconds (${d.providerKeySeconds}) must exceed consumerTimeoutSeconds (${d.consumerTimeoutSeconds}) by ten minutes at least: a call must end while its key is kept`,
    ],
  ]);
}
