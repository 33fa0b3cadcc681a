import { createHash } from 'node:crypto';

/** Why a message could not be handled this time but may be next time. Each reason is counted on its own in logs and metrics. */
export type TransientReason = 'conflict' | 'throttled' | 'in-progress' | 'gap' | 'unavailable' | 'unknown';

/** What the consumer kit does with a failing message: `transient` is retried, `permanent` and `exhausted` go to the dead-letter queue. */
export type FailureClass = 'transient' | 'permanent' | 'exhausted';

interface FailureOptions {
  readonly cause?: unknown;
}

/**
 * The same input may succeed later: contention, throttling, a provider that does not answer.
 * The consumer kit retries it within the consumer's retry window.
 */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  readonly reason: TransientReason;

  constructor(reason: TransientReason, message: string, options: FailureOptions = {}) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * The same input can never succeed: malformed, of an unknown type or version, or breaking an invariant.
 * The consumer kit moves it to the dead-letter queue at once.
 */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';

  constructor(message: string, options: FailureOptions = {}) {
    super(message, options);
  }
}

/**
 * Fails with a PermanentError when an invariant does not hold. Stays on in production:
 * a broken invariant in a money system must stop that message, not continue it.
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new PermanentError(`invariant broken: ${message}`);
}

/** Reached only when a union got a new member and a switch did not. */
export function assertNever(value: never, what: string): never {
  throw new PermanentError(`unexpected ${what}: ${JSON.stringify(value)}`);
}

const throttlingNames = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
  'RequestThrottled',
  'KmsThrottled',
  'TooManyRequestsException',
]);

/**
 * Decides what an error means for its message. Errors of the AWS SDK are told apart by name;
 * anything unknown is transient, because dropping a message that could have succeeded costs more than one retry window.
 */
export function classify(error: unknown): { class: 'transient'; reason: TransientReason } | { class: 'permanent' } {
  if (error instanceof PermanentError) return { class: 'permanent' };
  if (error instanceof TransientError) return { class: 'transient', reason: error.reason };
  const { name, cause } = error instanceof Error ? error : new Error(String(error));
  if (throttlingNames.has(name)) return { class: 'transient', reason: 'throttled' };
  if (name === 'TransactionConflictException') return { class: 'transient', reason: 'conflict' };
  if (name === 'IdempotencyAlreadyInProgressError') return { class: 'transient', reason: 'in-progress' };
  // Powertools wraps what failed below it: a failing delete must not hide the class of the real error.
  if (name === 'IdempotencyPersistenceLayerError' && cause instanceof Error) return classify(cause);
  return { class: 'transient', reason: 'unknown' };
}

/** A short, stable name for "the same failure": error name and message without numbers and ids. 12 hexadecimal characters. */
export function fingerprint(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const shape = `${name}:${message.replaceAll(/[0-9A-HJKMNP-TV-Z]{20,}|[0-9a-z]{20,}|\d+/g, '#')}`;
  return createHash('sha256').update(shape).digest('hex').slice(0, 12);
}

/** An error's message with those of its causes, at most 500 characters: what a person needs in a row, a log line or a dead letter. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current !== undefined && parts.length < 4;) {
    parts.push(current instanceof Error ? `${current.name}: ${current.message}` : String(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(' ← ').slice(0, 500);
}
