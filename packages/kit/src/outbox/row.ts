import { assertNever } from '../errors.ts';
import type { World } from '../function/world.ts';
import { decodeEnvelope, encodeEnvelope, type Envelope } from '../messages/envelope.ts';
import { backoffCeilingSeconds, type RelayPolicy } from '../messages/retry-policy.ts';
import { onlyListeners, routeOf, type Topology } from '../messages/topology.ts';
import { attentionKey, attentionShards, shardOf, type AttentionState, type OutboxKey, type RowStatus } from '../tables.ts';

/**
 * A row of the outbox: one message, and what became of it. This file decides; it is pure. `row-store.ts` writes what it decides, `deliver.ts` sends.
 *
 *   PENDING → SENT, FAILED, DEAD    by the publisher, when it has tried
 *   FAILED → SENDING                by a relay that takes it; PENDING too, where the outbox indexes pending rows
 *   SENDING → SENT, FAILED, DEAD    by that relay, when it has tried
 *   PENDING, SENT → FAILED          by whoever misses its effect (`requeue`)
 */

/** An outbox row. Times in milliseconds since 1970, except `expiresAt` in seconds (DynamoDB's TTL). */
export interface OutboxRow extends OutboxKey {
  readonly status: RowStatus;
  /** The envelope as ASCII JSON: exactly what the queues get. */
  readonly body: string;
  readonly source: string;
  readonly committedAt: number;
  readonly expiresAt: number;
  readonly attempts?: number;
  /** How often it was put off for what is not its own fault: each time for longer, and never counted as an attempt. */
  readonly deferrals?: number | undefined;
  /** How often somebody who missed its effect made it due for the relay. */
  readonly resends?: number;
  readonly sentAt?: number;
  /** When the last of its actors got it, if a listener still lacked it then. */
  readonly handedAt?: number | undefined;
  readonly lastError?: string;
  /** Consumers that still lack this message; absent means all of its route. */
  readonly owed?: readonly string[] | undefined;
  readonly owner?: string | undefined;
  readonly leaseUntil?: number | undefined;
  /** Present only while the row needs someone: partition and sort key of the attention index. */
  readonly attention?: string | undefined;
  readonly attentionAt?: number | undefined;
}

/** What became of one row when it was sent. `handed`: all actors have it, only listeners lack it. */
export type Delivery =
  | { readonly outcome: 'sent' }
  /** Some queue refused this very message; the others have it. */
  | { readonly outcome: 'refused'; readonly owed: readonly string[]; readonly error: string; readonly handed: boolean }
  /** A queue failed, or SQS did: not this row's fault. */
  | { readonly outcome: 'unavailable'; readonly owed: readonly string[]; readonly error: string; readonly handed: boolean }
  /** Its type or version is not known here: a deployment may be under way. */
  | { readonly outcome: 'newer'; readonly error: string }
  /** It can never be sent: its body is no envelope. */
  | { readonly outcome: 'unroutable'; readonly error: string };

/** What changes a row. */
export type RowEvent =
  | { readonly type: 'Sent'; readonly at: number }
  | {
      readonly type: 'Failed';
      readonly owed: readonly string[];
      readonly error: string;
      /** Whether it is the row's own fault: only that makes it DEAD after enough attempts. */
      readonly counts: boolean;
      /** When the last of its actors got it, if that was now. */
      readonly handedAt?: number | undefined;
      readonly dueAt: number;
    }
  | { readonly type: 'GivenUp'; readonly error: string; readonly at: number }
  /** Somebody misses its effect. `owed`: the consumers that lack it; none where nobody here knows its route. */
  | { readonly type: 'Requeued'; readonly owed: readonly string[]; readonly reason: string; readonly at: number };

export interface RowTerms {
  readonly relay: Pick<RelayPolicy, 'baseSeconds' | 'factor' | 'capSeconds' | 'maxAttempts'>;
  /** How long after its commit a row whose type or version is not known here waits for code that knows it. */
  readonly holdSeconds: number;
}

/** What becomes of a row that somebody tried to send. What is not its own fault makes it wait ever longer too, and never ends it. */
export function decide(row: OutboxRow, delivery: Delivery, now: number, terms: RowTerms): RowEvent {
  switch (delivery.outcome) {
    case 'sent':
      return { type: 'Sent', at: now };
    case 'refused':
    case 'unavailable':
      return failed(row, { ...delivery, counts: delivery.outcome === 'refused' }, now, terms);
    case 'newer':
      return now - row.committedAt <= terms.holdSeconds * 1000
        ? failed(row, { owed: row.owed ?? [], error: delivery.error, counts: false, handed: false }, now, terms)
        : { type: 'GivenUp', error: delivery.error, at: now };
    case 'unroutable':
      return { type: 'GivenUp', error: delivery.error, at: now };
    default:
      return assertNever(delivery, 'delivery of an outbox row');
  }
}

interface Failure {
  readonly owed: readonly string[];
  readonly error: string;
  readonly counts: boolean;
  readonly handed: boolean;
}

function failed(row: OutboxRow, { owed, error, counts, handed }: Failure, now: number, { relay }: RowTerms): RowEvent {
  const attempts = (row.attempts ?? 0) + (counts ? 1 : 0);
  if (attempts >= relay.maxAttempts) return { type: 'GivenUp', error, at: now };
  const waits = attempts + (row.deferrals ?? 0) + (counts ? 0 : 1);
  return {
    type: 'Failed',
    owed,
    error,
    counts,
    ...(handed && row.handedAt === undefined ? { handedAt: now } : {}),
    dueAt: now + backoffCeilingSeconds(relay, waits) * 1000,
  };
}

/** What a row is after a change. What it no longer needs is undefined in it. */
export function evolve(row: OutboxRow, event: RowEvent): OutboxRow {
  // Whatever becomes of it, no relay holds it any more.
  const free = { ...row, owner: undefined, leaseUntil: undefined };
  const attempts = row.attempts ?? 0;
  switch (event.type) {
    case 'Sent': {
      const done = { owed: undefined, deferrals: undefined, attention: undefined, attentionAt: undefined };
      return { ...free, ...done, status: 'SENT', sentAt: event.at, attempts: attempts + 1 };
    }
    case 'Failed':
      return {
        ...free,
        status: 'FAILED',
        attempts: attempts + (event.counts ? 1 : 0),
        deferrals: event.counts ? row.deferrals : (row.deferrals ?? 0) + 1,
        owed: event.owed.length > 0 ? event.owed : row.owed,
        lastError: shortened(event.error),
        handedAt: event.handedAt ?? row.handedAt,
        ...inAttention(row, 'due', event.dueAt),
      };
    case 'GivenUp':
      // Whoever sends it again begins with short waits.
      return {
        ...free,
        status: 'DEAD',
        attempts: attempts + 1,
        deferrals: undefined,
        lastError: shortened(event.error),
        ...inAttention(row, 'dead', event.at),
      };
    case 'Requeued':
      return {
        ...free,
        status: 'FAILED',
        // What it took to send it before does not count against it now.
        attempts: 0,
        deferrals: undefined,
        resends: (row.resends ?? 0) + 1,
        owed: event.owed.length > 0 ? event.owed : row.owed,
        lastError: event.reason,
        ...inAttention(row, 'due', event.at),
      };
    default:
      return assertNever(event, 'event of an outbox row');
  }
}

/** Where the attention index has a row. */
export function inAttention(
  { messageId }: Pick<OutboxKey, 'messageId'>,
  state: AttentionState,
  at: number,
): { readonly attention: string; readonly attentionAt: number } {
  return { attention: attentionKey(state, shardOf(messageId, attentionShards)), attentionAt: at };
}

const shortened = (error: string): string => error.slice(0, 300);

/** How a sender makes rows. */
export interface RowSettings {
  /** Name of the committing function; the timeline shows it. */
  readonly source: string;
  readonly outboxExpirySeconds: number;
  /** Rows that the stream has not delivered after this long are the relay's. Default: never; the application finds such rows itself. */
  readonly pendingSeconds?: number;
  readonly world: Pick<World, 'now'>;
}

/** A fresh row for a message, as it is committed beside the state change. */
export function newRow(message: Envelope, { source, outboxExpirySeconds, pendingSeconds, world }: RowSettings): OutboxRow {
  const now = world.now();
  return {
    aggregateId: message.aggregateId,
    messageId: message.messageId,
    status: 'PENDING',
    body: encodeEnvelope(message),
    source,
    committedAt: now,
    expiresAt: Math.floor(now / 1000) + outboxExpirySeconds,
    ...(pendingSeconds === undefined ? {} : inAttention(message, 'due', now + pendingSeconds * 1000)),
  };
}

/** Who still lacks a row's message: those that it names, else all of its route; nobody when it has no route here or cannot be read. */
export function pendingConsumers(topology: Topology, { owed = [], body }: Pick<OutboxRow, 'owed' | 'body'>): readonly string[] {
  if (owed.length > 0) return owed;
  try {
    return routeOf(topology, decodeEnvelope(body).type)?.consumers ?? [];
  } catch {
    return [];
  }
}

/** Whether nothing but listeners lack a row's message, so that nothing need wait for it. */
export function pendingOnlyForListeners(topology: Topology, row: Pick<OutboxRow, 'owed' | 'body'>): boolean {
  return onlyListeners(topology, pendingConsumers(topology, row));
}
