import { assertNever, type TransientReason } from '../errors.ts';
import type { Found, RequestRefused } from './effect-port.ts';

/**
 * An effect in someone else's system (a capture, a shipment) that must happen at most once and can be undone. This file decides; it is pure.
 * `effect-run.ts` carries out what it decides, `effect-store.ts` keeps the records, and a provider (`effect-port.ts`) does it.
 *
 *   doing ─► done ─► undoing ─► undone          voided: undone before it was ever done, so a late "do" is refused
 *     └────► refused
 */
export type EffectState = 'doing' | 'done' | 'refused' | 'undoing' | 'undone' | 'voided';

/** What is known of an effect. Its record is written before the call (the intent) and completed with the reply after it. Times in milliseconds since 1970. */
export type EffectRecord<Request> = {
  /** What was asked of the provider; undefined only where a record was damaged. */
  readonly request?: Request | undefined;
  /** When the intent was written, or renewed because the provider had no trace of it. */
  readonly startedAt: number;
  /** When it came to its present state, if that is not its first. */
  readonly updatedAt?: number | undefined;
} & (
  | { readonly status: 'doing' }
  | { readonly status: 'done' | 'undoing' | 'undone'; readonly reference: string }
  | { readonly status: 'refused' | 'voided'; readonly reason: string }
);

/** What changes a record. */
export type EffectEvent<Request> =
  | { readonly type: 'Begun'; readonly request: Request }
  | { readonly type: 'Renewed' }
  | { readonly type: 'Done'; readonly reference: string }
  | { readonly type: 'Refused'; readonly reason: string }
  | { readonly type: 'UndoBegun'; readonly reference: string }
  | { readonly type: 'Undone' }
  | { readonly type: 'Voided' };

/** How the saga is told. `undone` says whether there was something to undo. */
export type EffectReply =
  | { readonly type: 'done'; readonly reference: string }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'undone'; readonly undone: boolean };

/** A call to the provider. */
export type EffectCall<Request> =
  | { readonly type: 'perform'; readonly request: Request }
  | { readonly type: 'undo'; readonly request: Request; readonly reference: string }
  | {
      readonly type: 'find';
      /** The refusal that is looked up before it is believed. */
      readonly refusal?: RequestRefused;
      /** Whether nothing was under way any more when it was asked: only then "no trace of it" means that it will not happen. */
      readonly conclusive: boolean;
    };

export type EffectAnswer =
  | Found
  /** To an undo. */
  | { readonly outcome: 'undone' }
  | { readonly outcome: 'request refused'; readonly refusal: RequestRefused };

/** What is wanted: that it is done, or that it is not. */
export type EffectGoal = 'do' | 'undo';

export type EffectInput<Request> =
  | { readonly type: 'Do'; readonly request: Request }
  | { readonly type: 'Undo' }
  /** An outcome is wanted, and this is the time. */
  | { readonly type: 'Drive'; readonly goal: EffectGoal; readonly now: number }
  | { readonly type: 'Answered'; readonly goal: EffectGoal; readonly call: EffectCall<Request>; readonly answer: EffectAnswer }
  /** A change that was decided is written. */
  | { readonly type: 'Stored'; readonly goal: EffectGoal; readonly event: EffectEvent<Request> }
  /** Somebody else changed the record first, so the change was not written. */
  | { readonly type: 'Overtaken'; readonly goal: EffectGoal; readonly event: EffectEvent<Request> }
  /** The record was read again after that. */
  | { readonly type: 'Reread'; readonly event: EffectEvent<Request> };

export type EffectDecision<Request> =
  /** Write a change with its reply, if the record is still what it was. */
  | { readonly kind: 'store'; readonly event: EffectEvent<Request>; readonly reply?: EffectReply }
  /** Bring it to an outcome: what to call depends on the time. */
  | { readonly kind: 'drive' }
  | { readonly kind: 'call'; readonly call: EffectCall<Request> }
  | { readonly kind: 'read again'; readonly event: EffectEvent<Request> }
  /** Tell again what the record holds. */
  | { readonly kind: 'answer again'; readonly reply: EffectReply }
  | { readonly kind: 'end'; readonly outcome: string }
  | { readonly kind: 'retry later'; readonly reason: TransientReason; readonly why: string }
  /** Only a person can set it right. `cause`: the provider's own refusal, which says why. */
  | { readonly kind: 'give up'; readonly why: string; readonly cause?: RequestRefused };

export interface EffectTerms {
  /** What the states are called in the effect's table: `{ doing: 'CAPTURING', done: 'CAPTURED', … }`. */
  readonly names: Readonly<Record<EffectState, string>>;
  /** The provider keeps idempotency keys for this long; an older intent is looked up, never sent again. */
  readonly providerKeySeconds: number;
  /** Nothing that was begun is under way for longer: the function's time limit. */
  readonly callSeconds: number;
}

/** Reason of the refusal that a late "do" gets when its undo came first. */
export const voidedReason = 'it was called off before it was done';

const noTrace = 'the provider has no trace of it';

/** Clocks of two environments differ by less. */
const clockSkewMs = 60_000;

/**
 * What to do next about an effect. A repeated question gets the same answer from the record; what is in doubt is brought to its outcome first, also when it
 * shall be undone: what may have happened must be known before it is called off.
 *
 * An undo that meets an intent sends the call once more, under its key, and does not look it up first: a look-up that finds nothing proves nothing while a
 * request may still be on its way, and the key is the only thing that turns such a request into a repetition
 * (decision 30 of the order system).
 *
 * @param record undefined: there is none, or none is known of
 */
export function decide<Request>(
  record: EffectRecord<Request> | undefined,
  input: EffectInput<Request>,
  terms: EffectTerms,
): EffectDecision<Request> {
  switch (input.type) {
    case 'Do':
      return decideDo(record, input.request);
    case 'Undo':
      return decideUndo(record);
    case 'Drive':
      return decideCall(record, input.now, terms);
    case 'Answered':
      return record?.status === 'undoing' ? decideUndoing(record, input) : decideOutcome(input);
    case 'Stored':
      return decideStored(record, input);
    case 'Overtaken':
      return decideOvertaken(input);
    case 'Reread':
      return decideReread(record, input.event, terms);
    default:
      return assertNever(input, 'input of an effect');
  }
}

/** The record after an event. @param now milliseconds since 1970 */
export function evolve<Request>(
  record: EffectRecord<Request> | undefined,
  event: EffectEvent<Request>,
  now: number,
): EffectRecord<Request> {
  const kept = { request: record?.request, startedAt: record?.startedAt ?? now, updatedAt: now };
  switch (event.type) {
    case 'Begun':
      return { status: 'doing', request: event.request, startedAt: now };
    case 'Voided':
      return { status: 'voided', reason: voidedReason, startedAt: now };
    case 'Renewed':
      return { status: 'doing', request: record?.request, startedAt: now, updatedAt: record?.updatedAt };
    case 'Done':
      return { ...kept, status: 'done', reference: event.reference };
    case 'Refused':
      return { ...kept, status: 'refused', reason: event.reason.slice(0, 300) };
    case 'UndoBegun':
      return { ...kept, status: 'undoing', reference: event.reference };
    case 'Undone':
      return { ...kept, status: 'undone', reference: referenceOf(record) };
    default:
      return assertNever(event, 'event of an effect');
  }
}

function referenceOf(record: EffectRecord<unknown> | undefined): string {
  return record && 'reference' in record ? record.reference : 'unknown';
}

function decideDo<Request>(record: EffectRecord<Request> | undefined, request: Request): EffectDecision<Request> {
  if (!record) return { kind: 'store', event: { type: 'Begun', request } };
  switch (record.status) {
    case 'doing':
      return { kind: 'drive' };
    case 'done':
    case 'undoing':
    case 'undone':
      return { kind: 'answer again', reply: { type: 'done', reference: record.reference } };
    case 'refused':
    case 'voided':
      return { kind: 'answer again', reply: { type: 'refused', reason: record.reason } };
    default:
      return assertNever(record, 'effect state');
  }
}

function decideUndo<Request>(record: EffectRecord<Request> | undefined): EffectDecision<Request> {
  // A tombstone: a "do" that is still on its way will be refused.
  if (!record) return { kind: 'store', event: { type: 'Voided' }, reply: { type: 'undone', undone: false } };
  switch (record.status) {
    case 'doing':
    case 'undoing':
      return { kind: 'drive' };
    case 'done':
      return { kind: 'store', event: { type: 'UndoBegun', reference: record.reference } };
    case 'undone':
      return { kind: 'answer again', reply: { type: 'undone', undone: true } };
    case 'refused':
    case 'voided':
      return { kind: 'answer again', reply: { type: 'undone', undone: false } };
    default:
      return assertNever(record, 'effect state');
  }
}

/**
 * The call that brings it to its outcome: the same one again, under its key, while a call that begins now reaches a provider that has the key. It is looked
 * up that much earlier than the key's life ends, so no call under the key is under way any more when it is over.
 */
function decideCall<Request>(
  record: EffectRecord<Request> | undefined,
  now: number,
  { providerKeySeconds, callSeconds }: EffectTerms,
): EffectDecision<Request> {
  if (record?.request === undefined) return { kind: 'give up', why: 'an intent lacks its request' };
  const since = record.status === 'doing' ? record.startedAt : (record.updatedAt ?? record.startedAt);
  if (now - since > (providerKeySeconds - callSeconds) * 1000 - clockSkewMs) {
    return { kind: 'call', call: { type: 'find', conclusive: now - since > providerKeySeconds * 1000 } };
  }
  return record.status === 'doing' ? { kind: 'call', call: { type: 'perform', request: record.request } } : callUndo(record);
}

function callUndo<Request>(record: EffectRecord<Request> | undefined): EffectDecision<Request> {
  if (record?.request === undefined) return { kind: 'give up', why: 'the record of what was done lacks its request' };
  return { kind: 'call', call: { type: 'undo', request: record.request, reference: referenceOf(record) } };
}

type Answered<Request> = Extract<EffectInput<Request>, { type: 'Answered' }>;

/** What the answer about an intent means. */
function decideOutcome<Request>({ goal, call, answer }: Answered<Request>): EffectDecision<Request> {
  switch (answer.outcome) {
    case 'done':
      return outcomeDone(goal, answer.reference);
    case 'undone':
      return outcomeDone(goal, 'reference' in answer ? answer.reference : 'unknown');
    case 'refused':
      return outcomeRefused(goal, answer.reason);
    case 'request refused':
      return { kind: 'call', call: { type: 'find', refusal: answer.refusal, conclusive: true } };
    case 'pending':
      return { kind: 'retry later', reason: 'unavailable', why: 'the provider does not know the outcome yet' };
    case 'unknown': {
      const { refusal, conclusive } = call.type === 'find' ? call : { refusal: undefined, conclusive: false };
      if (refusal) return outcomeRefused(goal, refusal.reason);
      // A long outage: it never happened. The new time keeps an undo that looked it up before from recording it as never done.
      if (goal === 'do') return { kind: 'store', event: { type: 'Renewed' } };
      if (!conclusive) return { kind: 'retry later', reason: 'unavailable', why: `${noTrace}, and a call may still be under way` };
      return outcomeRefused(goal, noTrace);
    }
    default:
      return assertNever(answer, 'outcome');
  }
}

function outcomeDone<Request>(goal: EffectGoal, reference: string): EffectDecision<Request> {
  if (goal === 'undo') return { kind: 'store', event: { type: 'UndoBegun', reference } };
  return { kind: 'store', event: { type: 'Done', reference }, reply: { type: 'done', reference } };
}

function outcomeRefused<Request>(goal: EffectGoal, reason: string): EffectDecision<Request> {
  const reply: EffectReply = goal === 'undo' ? { type: 'undone', undone: false } : { type: 'refused', reason };
  return { kind: 'store', event: { type: 'Refused', reason }, reply };
}

/** What the answer about an undo means. Its key may be forgotten, or its refusal may answer a repetition: what has happened must not happen again. */
function decideUndoing<Request>(record: EffectRecord<Request> | undefined, { call, answer }: Answered<Request>): EffectDecision<Request> {
  const lookUp = call.type === 'find';
  switch (answer.outcome) {
    case 'undone':
      return { kind: 'store', event: { type: 'Undone' }, reply: { type: 'undone', undone: true } };
    case 'pending': {
      const why = lookUp ? 'the provider does not know yet what became of it' : 'the provider has not finished the undo';
      return { kind: 'retry later', reason: 'unavailable', why };
    }
    case 'request refused':
      return { kind: 'call', call: { type: 'find', refusal: answer.refusal, conclusive: true } };
    case 'done':
      // A refused undo stays loud.
      if (lookUp && call.refusal) return { kind: 'give up', why: call.refusal.message, cause: call.refusal };
      return callUndo(record);
    case 'refused':
    case 'unknown':
      return { kind: 'give up', why: `it was done, and the provider now says ${answer.outcome}` };
    default:
      return assertNever(answer, 'outcome of an undo');
  }
}

function decideStored<Request>(
  record: EffectRecord<Request> | undefined,
  { goal, event }: Extract<EffectInput<Request>, { type: 'Stored' }>,
): EffectDecision<Request> {
  switch (event.type) {
    case 'Begun':
    case 'Renewed':
      return { kind: 'drive' };
    case 'UndoBegun':
      // Its key's life begins with it.
      return callUndo(record);
    case 'Done':
      return { kind: 'end', outcome: 'done' };
    case 'Refused':
      return { kind: 'end', outcome: goal === 'do' ? 'refused' : 'nothing to undo' };
    case 'Undone':
      return { kind: 'end', outcome: 'undone' };
    case 'Voided':
      return { kind: 'end', outcome: 'tombstone' };
    default:
      return assertNever(event, 'event of an effect');
  }
}

function decideOvertaken<Request>({ goal, event }: Extract<EffectInput<Request>, { type: 'Overtaken' }>): EffectDecision<Request> {
  const conflict = (why: string): EffectDecision<Request> => ({ kind: 'retry later', reason: 'conflict', why });
  switch (event.type) {
    case 'Begun':
    case 'Done':
      return { kind: 'read again', event };
    case 'Renewed':
      return conflict('the intent changed while it was renewed');
    case 'Refused':
      // An undo drove it to its outcome meanwhile and has answered.
      return goal === 'do' ? { kind: 'end', outcome: 'superseded' } : conflict('the effect changed while it was undone');
    case 'UndoBegun':
      return conflict('the effect changed while it was undone');
    case 'Undone':
      return { kind: 'end', outcome: 'superseded' };
    case 'Voided':
      return conflict('an effect began while its undo was recorded');
    default:
      return assertNever(event, 'event of an effect');
  }
}

function decideReread<Request>(
  record: EffectRecord<Request> | undefined,
  event: EffectEvent<Request>,
  { names }: EffectTerms,
): EffectDecision<Request> {
  if (event.type === 'Begun') {
    if (record) return decideDo(record, event.request);
    return { kind: 'retry later', reason: 'conflict', why: 'its record vanished while it was read' };
  }
  // What was done must not be recorded as never done: a provider broke its contract, and only a person can set that right.
  if (record?.status === 'refused' || record?.status === 'voided') {
    return { kind: 'give up', why: `the provider did it, and it is recorded as ${names[record.status]}: ${record.reason}` };
  }
  return { kind: 'end', outcome: 'superseded' };
}
