/** How long and how often a failing message is tried again. Times in seconds. */
export interface RetryPolicy {
  /** Upper bound of the first delay. */
  readonly baseSeconds: number;
  /** Growth of the upper bound from one attempt to the next. */
  readonly factor: number;
  /** No delay is longer than this. SQS allows a visibility timeout of up to 12 hours. */
  readonly capSeconds: number;
  /** A message that has failed for longer than this is dead-lettered as `exhausted`, unless it was hardly tried meanwhile (`isExhausted`). */
  readonly windowSeconds: number;
}

/** When the relay tries rows again that SQS refused: base × factorⁿ up to the cap, dead after the last attempt. Times in seconds. */
export interface RelayPolicy {
  readonly baseSeconds: number;
  readonly factor: number;
  readonly capSeconds: number;
  readonly maxAttempts: number;
  /** How long a relay may work on a row before another one may take it over. */
  readonly leaseSeconds: number;
  /** Where the outbox indexes pending rows: how long the stream has to deliver one before the relay takes it. */
  readonly pendingSeconds: number;
}

/**
 * Exponential backoff with full jitter: a delay between 1 second and base × factorⁿ, in whole seconds.
 * Never 0: SQS takes 0 as "visible at once", which turns a retry into a busy loop.
 *
 * @param attempt 1 for the first failure
 * @param random uniform in [0, 1)
 */
export function backoffSeconds(
  policy: Pick<RetryPolicy, 'baseSeconds' | 'factor' | 'capSeconds'>,
  attempt: number,
  random: number,
): number {
  return Math.max(1, Math.ceil(backoffCeilingSeconds(policy, attempt) * random));
}

/**
 * How often a message that always fails is received until its window has passed, on average: with full jitter a wait is half
 * of its ceiling. SQS's own maxReceiveCount must be well above it, or SQS dead-letters first and nobody says why.
 */
export function expectedReceives(policy: RetryPolicy): number {
  let receives = 1;
  for (let elapsed = 0; elapsed < policy.windowSeconds; receives++) {
    elapsed += Math.max(1, backoffCeilingSeconds(policy, receives) / 2);
  }
  return receives;
}

/**
 * Whether a message was tried for long enough: its window has passed, and at least half of the tries were made for which the window has room.
 * Time alone would not do: a consumer that could not run for hours after a first failure would give the message up at the second.
 *
 * @param failures how often it failed for one reason, and since when (milliseconds since 1970)
 */
export function isExhausted(policy: RetryPolicy, failures: { readonly count: number; readonly firstAt: number }, now: number): boolean {
  return now - failures.firstAt > policy.windowSeconds * 1000 && failures.count >= expectedReceives(policy) / 2;
}

/** The upper bound of `backoffSeconds`; the delay itself where only one claims the work at a time, and needs no jitter. */
export function backoffCeilingSeconds(policy: Pick<RelayPolicy, 'baseSeconds' | 'factor' | 'capSeconds'>, attempt: number): number {
  return Math.min(policy.capSeconds, policy.baseSeconds * policy.factor ** Math.max(0, attempt - 1));
}
