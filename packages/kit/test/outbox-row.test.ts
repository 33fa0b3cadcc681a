import { describe, expect, it } from 'vitest';
import { decide, evolve, newRow, type Delivery, type OutboxRow, type RowEvent } from '@outbox-saga/kit/outbox/row';
import { deciderSpecification } from '@outbox-saga/testing/decider';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';

const committedAt = 1_000_000;
const terms = { relay: { baseSeconds: 10, factor: 3, capSeconds: 900, maxAttempts: 3 }, holdSeconds: 3600 };
const message: Envelope = {
  messageId: '01KAJ0C5P4Z7QZ8N2V4R6T8W0Y',
  type: 'Waved',
  version: 1,
  kind: 'event',
  aggregateId: 'ada',
  groupId: 'ada',
  correlationId: 'c',
  causationId: 'c',
  occurredAt: 1,
  data: {},
};
const row = newRow(message, { source: 'wave', outboxExpirySeconds: 3600, world: { now: () => committedAt } });
const shard = /\d$/.exec(evolve(row, { type: 'Requeued', owed: [], reason: '', at: 0 }).attention!)![0];

const { inState } = deciderSpecification<OutboxRow, { readonly delivery: Delivery; readonly now: number }, RowEvent, RowEvent>({
  decide: (state, { delivery, now }) => decide(state!, delivery, now, terms),
  evolve: (state, event) => evolve(state!, event),
});
/** A row after these changes. */
const given = (...events: readonly RowEvent[]) => inState(events.reduce(evolve, row));
const refused = (owed = ['inventory']): Delivery => ({ outcome: 'refused', owed, error: 'no', handed: false });
const unavailable = (handed = false): Delivery => ({ outcome: 'unavailable', owed: ['notification'], error: 'down', handed });
const failed = (changes: Partial<RowEvent> = {}): RowEvent =>
  ({ type: 'Failed', owed: ['inventory'], error: 'no', counts: true, dueAt: 0, ...changes }) as RowEvent;

describe('a row of the outbox', () => {
  it('that every queue took is sent, and needs nobody any more', () => {
    given()
      .when({ delivery: { outcome: 'sent' }, now: 5 })
      .then({ type: 'Sent', at: 5 });
    given(failed(), { type: 'Sent', at: 5 }).is({
      ...row,
      status: 'SENT',
      sentAt: 5,
      attempts: 2,
      lastError: 'no',
    });
  });

  it('that a queue refused is due for that queue after growing waits', () => {
    given()
      .when({ delivery: refused(), now: 0 })
      .then({ type: 'Failed', owed: ['inventory'], error: 'no', counts: true, dueAt: 10_000 });
    given(failed())
      .when({ delivery: refused(), now: 0 })
      .then({ type: 'Failed', owed: ['inventory'], error: 'no', counts: true, dueAt: 30_000 });
    given(failed({ dueAt: 7 } as never)).is({
      ...row,
      status: 'FAILED',
      attempts: 1,
      owed: ['inventory'],
      lastError: 'no',
      attention: `due#${shard}`,
      attentionAt: 7,
    });
  });

  it('is given up after its last attempt, with the reason, and keeps who lacks it', () => {
    given(failed(), failed()).when({ delivery: refused(), now: 9 }).then({ type: 'GivenUp', error: 'no', at: 9 });
    given(failed(), failed(), { type: 'GivenUp', error: 'no', at: 9 }).is({
      ...row,
      status: 'DEAD',
      attempts: 3,
      owed: ['inventory'],
      lastError: 'no',
      attention: `dead#${shard}`,
      attentionAt: 9,
    });
  });

  it('waits longer for a queue that is down, and is never given up for that', () => {
    const down = failed({ owed: ['notification'], error: 'down', counts: false } as never);
    const often = Array.from({ length: 20 }, () => down);
    given(...often)
      .when({ delivery: unavailable(), now: 0 })
      .then({ type: 'Failed', owed: ['notification'], error: 'down', counts: false, dueAt: 900_000 });
    given(...often).is(expect.objectContaining({ status: 'FAILED', attempts: 0, deferrals: 20 }) as OutboxRow);
    // What is refused after that begins its own count.
    given(...often, failed(), failed())
      .when({ delivery: refused(), now: 9 })
      .then({ type: 'GivenUp', error: 'no', at: 9 });
  });

  it('says once when the last of its actors got it', () => {
    const first = { type: 'Failed', owed: ['notification'], error: 'down', counts: false, handedAt: 5, dueAt: 10_005 } as const;
    given()
      .when({ delivery: unavailable(true), now: 5 })
      .then(first);
    given(first)
      .when({ delivery: unavailable(true), now: 6 })
      .then({ type: 'Failed', owed: ['notification'], error: 'down', counts: false, dueAt: 30_006 });
    given(first, failed()).is(expect.objectContaining({ handedAt: 5 }) as OutboxRow);
  });

  it('of a type that is not known here waits for code that knows it, and is given up when that does not come', () => {
    const newer: Delivery = { outcome: 'newer', error: 'unknown type' };
    const lastMoment = committedAt + terms.holdSeconds * 1000;
    given()
      .when({ delivery: newer, now: lastMoment })
      .then({ type: 'Failed', owed: [], error: 'unknown type', counts: false, dueAt: lastMoment + 10_000 });
    given()
      .when({ delivery: newer, now: lastMoment + 1 })
      .then({ type: 'GivenUp', error: 'unknown type', at: lastMoment + 1 });
    // Whom it owes stays as it was.
    given(failed())
      .when({ delivery: newer, now: committedAt })
      .then({ type: 'Failed', owed: ['inventory'], error: 'unknown type', counts: false, dueAt: committedAt + 30_000 });
  });

  it('that can never be sent is given up at once', () => {
    given()
      .when({ delivery: { outcome: 'unroutable', error: 'no envelope' }, now: 4 })
      .then({ type: 'GivenUp', error: 'no envelope', at: 4 });
  });

  it('that somebody misses is due at once, with short waits again', () => {
    given(
      failed({ counts: false } as never),
      { type: 'Sent', at: 5 },
      { type: 'Requeued', owed: ['order-view'], reason: 'missed', at: 8 },
    ).is({
      ...row,
      status: 'FAILED',
      attempts: 0,
      resends: 1,
      sentAt: 5,
      owed: ['order-view'],
      lastError: 'missed',
      attention: `due#${shard}`,
      attentionAt: 8,
    });
  });

  it('keeps 300 characters of an error', () => {
    given(failed({ error: 'x'.repeat(400) } as never)).is(expect.objectContaining({ lastError: 'x'.repeat(300) }) as OutboxRow);
  });
});
