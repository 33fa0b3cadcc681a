import type { Envelope } from '../messages/envelope.ts';
import { assertNever, PermanentError } from '../errors.ts';
import { findItem, tryPut, tryUpdate } from '../aws/clients.ts';
import { tryCommit, type CommitContext } from '../outbox/commit.ts';
import { voidedReason, type EffectEvent, type EffectRecord, type EffectState, type EffectTerms } from './effect.ts';

export interface EffectStore extends CommitContext, EffectTerms {
  readonly table: string;
  /** Name of the table's key attribute. */
  readonly keyName: string;
}

/** A record as it is stored, under a natural key, beside its status. */
interface StoredEffect<Request> {
  readonly request?: Request;
  readonly reference?: string;
  readonly reason?: string;
  readonly startedAt: number;
  readonly updatedAt?: number;
}

/** A change that was decided: the record before and after it. */
interface Change<Request> {
  readonly before: EffectRecord<Request> | undefined;
  readonly event: EffectEvent<Request>;
  readonly after: EffectRecord<Request>;
}

/** Reads a record as it is now. @throws PermanentError when its status is unknown */
export async function loadEffect<Request>(store: EffectStore, id: string): Promise<EffectRecord<Request> | undefined> {
  const item = await findItem(store.database, store.table, { [store.keyName]: id });
  return item && recordOf<Request>(store, item);
}

/** An item as a record: under our own names of the states. */
function recordOf<Request>({ names }: EffectStore, item: Readonly<Record<string, unknown>>): EffectRecord<Request> {
  const { request, reference = 'unknown', reason = voidedReason, startedAt, updatedAt } = item as unknown as StoredEffect<Request>;
  const kept = { request, startedAt, updatedAt };
  const status = (Object.keys(names) as EffectState[]).find((state) => names[state] === item['status']);
  switch (status) {
    case 'doing':
      return { ...kept, status };
    case 'done':
    case 'undoing':
    case 'undone':
      return { ...kept, status, reference };
    case 'refused':
    case 'voided':
      return { ...kept, status, reason };
    case undefined:
      throw new PermanentError(`a record has the unknown status ${String(item['status'])}`);
    default:
      return assertNever(status, 'effect state');
  }
}

/**
 * Writes a change with its messages, if the record is still what it was.
 *
 * @returns false when somebody else was first: nothing was written
 */
export async function saveEffect<Request>(
  store: EffectStore,
  id: string,
  change: Change<Request>,
  messages: readonly Envelope[],
): Promise<boolean> {
  switch (change.event.type) {
    case 'Begun':
      return tryPut(store.database, newItem(store, id, change.after));
    case 'Voided':
      return tryCommit(store, { effect: { Put: newItem(store, id, change.after) } }, messages);
    case 'Renewed':
    case 'Done':
    case 'Refused':
    case 'UndoBegun':
    case 'Undone': {
      const update = change.event.type === 'Renewed' ? renewal(store, id, change) : transition(store, id, change);
      return messages.length > 0 ? tryCommit(store, { effect: { Update: update } }, messages) : tryUpdate(store.database, update);
    }
    default:
      return assertNever(change.event, 'event of an effect');
  }
}

function newItem<Request>({ table, keyName, names }: EffectStore, id: string, record: EffectRecord<Request>) {
  return {
    TableName: table,
    Item: { [keyName]: id, ...record, status: names[record.status] },
    ConditionExpression: 'attribute_not_exists(#key)',
    ExpressionAttributeNames: { '#key': keyName },
  };
}

/** Gives an intent its new time, if it is that very intent still. */
function renewal<Request>({ table, keyName, names }: EffectStore, id: string, { before, after }: Change<Request>) {
  return {
    TableName: table,
    Key: { [keyName]: id },
    UpdateExpression: 'SET startedAt = :to',
    ConditionExpression: '#status = :doing AND startedAt = :from',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: { ':doing': names.doing, ':from': before?.startedAt, ':to': after.startedAt },
  };
}

/** Moves a record from one state to the next, if it is in that state still, and of an intent that very one. */
function transition<Request>({ table, keyName, names }: EffectStore, id: string, { before, after }: Change<Request>) {
  const details = 'reference' in after ? ['reference', after.reference] : 'reason' in after ? ['reason', after.reason] : undefined;
  const from = before?.status ?? 'doing';
  return {
    TableName: table,
    Key: { [keyName]: id },
    UpdateExpression: `SET #status = :to, updatedAt = :now${details ? `, #${details[0]} = :${details[0]}` : ''}`,
    ConditionExpression: from === 'doing' ? '#status = :from AND startedAt = :startedAt' : '#status = :from',
    ExpressionAttributeNames: { '#status': 'status', ...(details ? { [`#${details[0]}`]: details[0]! } : {}) },
    ExpressionAttributeValues: {
      ':from': names[from],
      ...(from === 'doing' ? { ':startedAt': before?.startedAt } : {}),
      ':to': names[after.status],
      ':now': after.updatedAt,
      ...(details ? { [`:${details[0]}`]: details[1] } : {}),
    },
  };
}
