import { nudgesSpanSeconds, type NudgePolicy, type RelayPolicy, type RetryPolicy } from './retry-policy.ts';

/** Every duration of one stage, in seconds. Stages differ here and nowhere else. */
export interface Durations {
  /** Time limit of functions behind the HTTP API. The gateway itself gives up after 30 s. */
  readonly apiTimeoutSeconds: number;
  /** Time limit of queue consumers. Visibility timeouts derive from it. */
  readonly consumerTimeoutSeconds: number;
  /** Time limit of the outbox publisher. */
  readonly publisherTimeoutSeconds: number;
  /** Time limit of scheduled functions; below their one-minute schedule, so that runs do not pile up. */
  readonly scheduledTimeoutSeconds: number;
  /** How long a consumer's event source gathers a batch. 0: hand over what is there. */
  readonly batchWindowSeconds: number;
  readonly retry: RetryPolicy;
  readonly relay: RelayPolicy;
  /** When a step of the saga that nobody answers is asked again, and how often. */
  readonly nudge: NudgePolicy;
  /** When a settled order is first checked for being known to everyone: long enough for its last messages to arrive. */
  readonly closeAfterSeconds: number;
  /** The latest time at which a step that nobody answers is given up. */
  readonly giveUpSeconds: number;
  /** How long the payment and shipping providers keep idempotency keys: an older intent is looked up, not sent again. */
  readonly providerKeySeconds: number;
  readonly queueRetentionSeconds: number;
  readonly deadLetterRetentionSeconds: number;
  readonly outboxExpirySeconds: number;
  readonly idempotencyExpirySeconds: number;
}

/** AWS recommends six times the function's time limit plus the batch window, so that throttled batches are not received twice. */
export function visibilityTimeoutSeconds(durations: Durations): number {
  return 6 * durations.consumerTimeoutSeconds + durations.batchWindowSeconds;
}

/**
 * Asserts that the numbers of a stage fit together; each inequality prevents a way of losing or doubling messages.
 *
 * @throws Error that names the stage and every rule that does not hold
 */
export function assertDurations(stage: string, d: Durations): void {
  const day = 86_400;
  const ascending: readonly (readonly [string, number])[] = [
    ['retry.windowSeconds', d.retry.windowSeconds],
    ['giveUpSeconds', d.giveUpSeconds],
    ['queueRetentionSeconds', d.queueRetentionSeconds],
    ['deadLetterRetentionSeconds', d.deadLetterRetentionSeconds],
    ['outboxExpirySeconds', d.outboxExpirySeconds],
  ];
  const broken: string[] = [];
  const demand = (holds: boolean, rule: string): void => {
    if (!holds) broken.push(rule);
  };
  for (let i = 1; i < ascending.length; i++) {
    const [lowName, low] = ascending[i - 1]!;
    const [highName, high] = ascending[i]!;
    demand(low < high, `${lowName} (${low}) must be less than ${highName} (${high})`);
  }
  const span = nudgesSpanSeconds(d.nudge);
  demand(
    d.retry.windowSeconds < span && span <= d.giveUpSeconds,
    `nudge: its waits add up to ${span} s; they must exceed retry.windowSeconds (${d.retry.windowSeconds}), or a step is given up while its message is still retried, and stay within giveUpSeconds (${d.giveUpSeconds})`,
  );
  demand(
    d.deadLetterRetentionSeconds < d.idempotencyExpirySeconds,
    `idempotencyExpirySeconds (${d.idempotencyExpirySeconds}) must exceed deadLetterRetentionSeconds (${d.deadLetterRetentionSeconds}), or a redriven message runs twice`,
  );
  demand(d.deadLetterRetentionSeconds <= 14 * day, 'deadLetterRetentionSeconds: SQS keeps messages for 14 days at most');
  demand(d.apiTimeoutSeconds < 30, 'apiTimeoutSeconds: the HTTP API gives up after 30 seconds');
  demand(d.scheduledTimeoutSeconds < 60, 'scheduledTimeoutSeconds: must end before the next minute');
  demand(visibilityTimeoutSeconds(d) <= 12 * 3600, 'consumerTimeoutSeconds: visibility would exceed 12 hours');
  demand(
    d.consumerTimeoutSeconds + 600 < d.providerKeySeconds,
    `providerKeySeconds (${d.providerKeySeconds}) must exceed consumerTimeoutSeconds (${d.consumerTimeoutSeconds}) by ten minutes at least: a call must end while its key is kept`,
  );
  demand(
    d.relay.leaseSeconds > d.scheduledTimeoutSeconds,
    'relay.leaseSeconds must exceed scheduledTimeoutSeconds, or two relays hold one row',
  );
  if (broken.length > 0) throw new Error(`durations of stage "${stage}" do not fit together:\n  ${broken.join('\n  ')}`);
}
