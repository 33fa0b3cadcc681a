import { createHash } from 'node:crypto';

/**
 * Why a message could not be handled this time but may be next time. Each reason is counted on its own in logs and metrics.
 * `unavailable`: a provider or AWS did not answer in time, or answered that it cannot; what was asked for may have happened.
 * `newer`: its type, version or route is not known to this code, but may be to the code that is being deployed.
 */
export type TransientReason = 'conflict' | 'throttled' | 'in-progress' | 'gap' | 'unavailable' | 'newer' | 'unknown';

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
 * The same input can never succeed: malformed, of a version too old to be read, or breaking an invariant.
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

/** What AWS's servers, and the SDK where they do not answer, call a failure that is not the caller's. */
const unavailableNames = new Set([
  'TimeoutError',
  'InternalServerError',
  'InternalFailure',
  'ServiceUnavailable',
  'ServiceUnavailableException',
]);
const connectionCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

function isUnavailable(error: Error): boolean {
  const { code, $metadata } = error as Error & { code?: string; $metadata?: { httpStatusCode?: number } };
  return unavailableNames.has(error.name) || connectionCodes.has(code ?? '') || ($metadata?.httpStatusCode ?? 0) >= 500;
}

/**
 * Decides what an error means for its message. Errors of the AWS SDK are told apart by name;
 * anything unknown is transient, because dropping a message that could have succeeded costs more than one retry window.
 */
export function classify(error: unknown): { class: 'transient'; reason: TransientReason } | { class: 'permanent' } {
  if (error instanceof PermanentError) return { class: 'permanent' };
  if (error instanceof TransientError) return { class: 'transient', reason: error.reason };
  if (!(error instanceof Error)) return { class: 'transient', reason: 'unknown' };
  const { name, cause } = error;
  if (throttlingNames.has(name)) return { class: 'transient', reason: 'throttled' };
  if (name === 'TransactionConflictException') return { class: 'transient', reason: 'conflict' };
  if (name === 'IdempotencyAlreadyInProgressError') return { class: 'transient', reason: 'in-progress' };
  // Powertools wraps what failed below it: a failing delete must not hide the class of the real error.
  if (name === 'IdempotencyPersistenceLayerError' && cause instanceof Error) return classify(cause);
  return { class: 'transient', reason: isUnavailable(error) ? 'unavailable' : 'unknown' };
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
