import type { RelayPolicy, RetryPolicy } from './retry-policy.ts';

/** The durations of one stage that the machinery needs, in seconds. An application adds its own (`Durations &`, or an interface that extends this one). */
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
  /** How long a message may wait in a consumer's queue. */
  readonly queueRetentionSeconds: number;
  /** How long a dead letter waits for an operator. At most 14 days, which is as long as SQS keeps anything. */
  readonly deadLetterRetentionSeconds: number;
  /** When a row of the outbox expires, counted from its commit. */
  readonly outboxExpirySeconds: number;
  /** When the record that a message was handled expires. */
  readonly idempotencyExpirySeconds: number;
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** Durations to begin with. A stage overrides what it wants otherwise, and `assertDurations` says what does not fit. */
export const usualDurations: Durations = {
  apiTimeoutSeconds: 10,
  consumerTimeoutSeconds: 15,
  publisherTimeoutSeconds: 30,
  scheduledTimeoutSeconds: 50,
  batchWindowSeconds: 0,
  retry: { baseSeconds: 2, factor: 2, capSeconds: 15 * minute, windowSeconds: 6 * hour },
  relay: { baseSeconds: 10, factor: 3, capSeconds: 15 * minute, maxAttempts: 10, leaseSeconds: 60, pendingSeconds: 60 },
  // SQS's own default.
  queueRetentionSeconds: 4 * day,
  // As long as SQS keeps anything.
  deadLetterRetentionSeconds: 14 * day,
  outboxExpirySeconds: 30 * day,
  idempotencyExpirySeconds: 30 * day,
};

/** AWS recommends six times the function's time limit plus the batch window, so that throttled batches are not received twice. */
export function visibilityTimeoutSeconds(durations: Pick<Durations, 'consumerTimeoutSeconds' | 'batchWindowSeconds'>): number {
  return 6 * durations.consumerTimeoutSeconds + durations.batchWindowSeconds;
}

/** A rule of durations: what must hold, and what to say where it does not. */
export type DurationRule = readonly [holds: boolean, rule: string];

/** Durations that must grow from one to the next, by name. */
export function ascending(...durations: readonly (readonly [name: string, seconds: number])[]): DurationRule[] {
  return durations.slice(1).map(([highName, high], i) => {
    const [lowName, low] = durations[i]!;
    return [low < high, `${lowName} (${low}) must be less than ${highName} (${high})`];
  });
}

/** What must hold of the machinery's durations; each rule prevents a way of losing or doubling messages. */
function rulesOf(d: Durations): readonly DurationRule[] {
  return [
    ...ascending(
      ['retry.windowSeconds', d.retry.windowSeconds],
      ['queueRetentionSeconds', d.queueRetentionSeconds],
      ['deadLetterRetentionSeconds', d.deadLetterRetentionSeconds],
      ['outboxExpirySeconds', d.outboxExpirySeconds],
    ),
    [
      d.deadLetterRetentionSeconds < d.idempotencyExpirySeconds,
      `idempotencyExpirySeconds (${d.idempotencyExpirySeconds}) must exceed deadLetterRetentionSeconds (${d.deadLetterRetentionSeconds}), or a redriven message runs twice`,
    ],
    [d.deadLetterRetentionSeconds <= 14 * day, 'deadLetterRetentionSeconds: SQS keeps messages for 14 days at most'],
    [d.apiTimeoutSeconds < 30, 'apiTimeoutSeconds: the HTTP API gives up after 30 seconds'],
    [d.scheduledTimeoutSeconds < 60, 'scheduledTimeoutSeconds: must end before the next minute'],
    [visibilityTimeoutSeconds(d) <= 12 * 3600, 'consumerTimeoutSeconds: visibility would exceed 12 hours'],
    [
      d.relay.leaseSeconds > d.scheduledTimeoutSeconds,
      'relay.leaseSeconds must exceed scheduledTimeoutSeconds, or two relays hold one row',
    ],
  ];
}

/**
 * Asserts that the durations of a stage fit together.
 *
 * @param own rules of the application's own durations
 * @throws Error that names the stage and every rule that does not hold
 */
export function assertDurations(stage: string, durations: Durations, own: readonly DurationRule[] = []): void {
  const broken = [...own, ...rulesOf(durations)].filter(([holds]) => !holds);
  if (broken.length === 0) return;
  throw new Error(`durations of stage "${stage}" do not fit together:\n  ${broken.map(([, rule]) => rule).join('\n  ')}`);
}
