import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Envelope } from '../messages/envelope.ts';
import { assertNever, PermanentError, TransientError } from '../errors.ts';
import { conditionFailed, tryUpdate } from '../aws/clients.ts';
import { commit, tryCommit, type CommitContext, type Write } from '../outbox/commit.ts';

/**
 * An effect in someone else's system (a capture, a shipment) that must happen at most once and can be undone.
 * Its record is written before the call (the intent) and completed with the reply after it:
 *
 *   doing ─► done ─► undoing ─► undone          voided: undone before it was ever done, so a late "do" is refused
 *     └────► refused
 */
export type EffectState = 'doing' | 'done' | 'refused' | 'undoing' | 'undone' | 'voided';

/** What the provider said about doing it. `pending`: it does not know yet; ask again. */
export type Performed =
  | { readonly outcome: 'done'; readonly reference: string }
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'pending' };

/** What a look-up found. `unknown`: the provider has no trace of it. */
export type Found = Performed | { readonly outcome: 'undone'; readonly reference: string } | { readonly outcome: 'unknown' };

/**
 * The provider says that the request itself is wrong and that it will never be done under this key. It may answer a repetition whose first try was done
 * and whose answer was lost, so an effect looks it up before it believes it.
 */
export class RequestRefused extends PermanentError {
  /** For the customer: without paths and names of systems. */
  readonly reason: string;

  /** @param call what was asked, for logs */
  constructor(call: string, reason: string) {
    super(`${call}: ${reason}`);
    this.reason = reason;
  }
}

/**
 * The provider. Each call carries a key that is the same on every try; a call that may have happened throws TransientError, one that is refused for
 * what it asks RequestRefused.
 */
export interface EffectPort<Request> {
  perform(request: Request, idempotencyKey: string): Promise<Performed>;
  undo(request: Request, reference: string, idempotencyKey: string): Promise<'undone' | 'pending'>;
  find(id: string): Promise<Found>;
}

/** The record as it is stored, under `orderId`-like natural key. Times in milliseconds since 1970. */
interface EffectRecord<Request> {
  readonly status: string;
  readonly request?: Request;
  readonly reference?: string;
  readonly reason?: string;
  /** When the intent was written, or renewed because the provider had no trace of it. */
  readonly startedAt: number;
  /** When it came to its present state, if that is not its first. */
  readonly updatedAt?: number;
}

/** How the saga is told. Each is called with what the record holds, so that a repeated question gets the same answer. */
export interface EffectReplies {
  readonly done: (reference: string) => Envelope;
  readonly refused: (reason: string) => Envelope;
}

export interface EffectContext<Request> extends CommitContext {
  readonly table: string;
  /** Name of the table's key attribute. */
  readonly keyName: string;
  /** What the states are called in this table: `{ doing: 'CAPTURING', done: 'CAPTURED', … }`. */
  readonly names: Readonly<Record<EffectState, string>>;
  readonly port: EffectPort<Request>;
  /** The provider keeps idempotency keys for this long; an older intent is looked up, never sent again. */
  readonly providerKeySeconds: number;
  /** Nothing that was begun is under way for longer: the function's time limit. */
  readonly callSeconds: number;
}

/** Reason of the refusal that a late "do" gets when its undo came first. */
export const voidedReason = 'it was called off before it was done';

/**
 * Does the effect once and replies. Found in progress (a crash, a lost answer), it is driven to its outcome;
 * found finished, it is answered again from the record.
 *
 * @returns a word for the log line
 */
export async function performEffect<Request>(
  context: EffectContext<Request>,
  id: string,
  request: Request,
  replies: EffectReplies,
): Promise<string> {
  const begun = { status: context.names.doing, request, startedAt: context.world.now() };
  const stored = await begin(context, id, begun);
  const state = stored ? stateOf(context, stored) : 'doing';
  switch (state) {
    case 'doing': {
      const { outcome, startedAt } = await driveForward(context, id, stored ?? begun);
      const [next, reply] =
        outcome.outcome === 'done'
          ? ([{ state: 'done', reference: outcome.reference }, replies.done(outcome.reference)] as const)
          : ([{ state: 'refused', reason: outcome.reason }, replies.refused(outcome.reason)] as const);
      if (await settle(context, id, { from: { state: 'doing', startedAt }, to: next }, [reply])) return next.state;
      await assertAgrees(context, id, outcome);
      // An undo drove it to its outcome meanwhile and has answered.
      return 'superseded';
    }
    case 'done':
    case 'undoing':
    case 'undone':
      await commit(context, [], [replies.done(stored!.reference ?? 'unknown')]);
      return `answered again: ${state}`;
    case 'refused':
    case 'voided':
      await commit(context, [], [replies.refused(stored!.reason ?? voidedReason)]);
      return `answered again: ${state}`;
    default:
      return assertNever(state, 'effect state');
  }
}

/**
 * Undoes the effect and replies. An intent whose outcome is not known is driven to it first: what may have
 * happened must be known before it is called off. Without a record a tombstone is left.
 *
 * @param reply made with whether there was something to undo
 */
export async function undoEffect<Request>(
  context: EffectContext<Request>,
  id: string,
  reply: (undone: boolean) => Envelope,
): Promise<string> {
  const stored = await load(context, id);
  if (!stored) {
    const tombstone = { status: context.names.voided, reason: voidedReason, startedAt: context.world.now() };
    if (await insert(context, id, tombstone, [reply(false)])) return 'tombstone';
    throw new TransientError('conflict', `${id}: an effect began while its undo was recorded`);
  }
  const state = stateOf(context, stored);
  switch (state) {
    case 'doing': {
      const outcome = await drive(context, id, stored);
      const from = { state: 'doing', startedAt: stored.startedAt } as const;
      if (outcome.outcome === 'done') {
        if (await settle(context, id, { from, to: { state: 'undoing', reference: outcome.reference } })) {
          return finishUndo(context, id, { ...stored, reference: outcome.reference }, reply);
        }
      } else {
        if (outcome.outcome === 'unknown' && !isOver(context, stored.startedAt)) {
          throw new TransientError('unavailable', `${id}: the provider has no trace of it, and a call may still be under way`);
        }
        const reason = outcome.outcome === 'refused' ? outcome.reason : 'the provider has no trace of it';
        if (await settle(context, id, { from, to: { state: 'refused', reason } }, [reply(false)])) return 'nothing to undo';
      }
      throw new TransientError('conflict', `${id}: the effect changed while it was undone`);
    }
    case 'done': {
      const reference = stored.reference ?? 'unknown';
      if (!(await settle(context, id, { from: { state: 'done' }, to: { state: 'undoing', reference } }))) {
        throw new TransientError('conflict', `${id}: the effect changed while it was undone`);
      }
      return finishUndo(context, id, { ...stored, reference }, reply);
    }
    case 'undoing':
      return finishUndo(context, id, stored, reply);
    case 'undone':
    case 'refused':
    case 'voided':
      await commit(context, [], [reply(state === 'undone')]);
      return `answered again: ${state}`;
    default:
      return assertNever(state, 'effect state');
  }
}

async function finishUndo<Request>(
  context: EffectContext<Request>,
  id: string,
  stored: EffectRecord<Request>,
  reply: (undone: boolean) => Envelope,
): Promise<string> {
  const { reference = 'unknown' } = stored;
  if (stored.request === undefined) throw new PermanentError(`${id}: the record of what was done lacks its request`);
  // Its key may be forgotten: what has happened must not happen again.
  const forgotten = stateOf(context, stored) === 'undoing' && isForgotten(context, stored.updatedAt ?? stored.startedAt);
  if (!forgotten || (await stillDone(context, id))) await callUndo(context, id, stored.request, reference);
  if (await settle(context, id, { from: { state: 'undoing' }, to: { state: 'undone', reference } }, [reply(true)])) return 'undone';
  return 'superseded';
}

async function callUndo<Request>(context: EffectContext<Request>, id: string, request: Request, reference: string): Promise<void> {
  try {
    const found = await context.port.undo(request, reference, `undo-${id}`);
    if (found === 'pending') throw new TransientError('unavailable', `${id}: the provider has not finished the undo`);
  } catch (error) {
    // A refused undo stays loud, unless it was a repetition and the first try was done.
    if (!(error instanceof RequestRefused) || (await stillDone(context, id))) throw error;
  }
}

/** Clocks of two environments differ by less. */
const clockSkewMs = 60_000;

/**
 * Whether a call that begins now could reach a provider that has forgotten the key. It is asked that much early: so no call under the key is under way
 * any more when the key's life is over.
 */
function isForgotten({ world, providerKeySeconds, callSeconds }: EffectContext<never>, since: number): boolean {
  return world.now() - since > (providerKeySeconds - callSeconds) * 1000 - clockSkewMs;
}

/** Whether nothing is under way any more that was sent for an intent: only then "no trace of it" means that it will not happen. */
function isOver({ world, providerKeySeconds }: EffectContext<never>, since: number): boolean {
  return world.now() - since > providerKeySeconds * 1000;
}

/** Whether the provider says that what we know was done is not undone yet. */
async function stillDone<Request>({ port }: EffectContext<Request>, id: string): Promise<boolean> {
  const found = await port.find(id);
  if (found.outcome === 'done') return true;
  if (found.outcome === 'undone') return false;
  if (found.outcome === 'pending') throw new TransientError('unavailable', `${id}: the provider does not know yet what became of it`);
  throw new PermanentError(`${id}: it was done, and the provider now says ${found.outcome}`);
}

type Known = Exclude<Performed, { outcome: 'pending' }>;

/**
 * Brings an intent to a known outcome by doing it. When the key may be forgotten and the provider has no trace of it, it never happened
 * (a long outage): the intent is renewed and sent. Its new time keeps an undo that looked it up before from recording it as never done.
 */
async function driveForward<Request>(
  context: EffectContext<Request>,
  id: string,
  record: EffectRecord<Request>,
): Promise<{ outcome: Known; startedAt: number }> {
  const outcome = await drive(context, id, record);
  if (outcome.outcome !== 'unknown') return { outcome, startedAt: record.startedAt };
  const startedAt = context.world.now();
  if (await renew(context, id, record.startedAt, startedAt)) return driveForward(context, id, { ...record, startedAt });
  throw new TransientError('conflict', `${id}: the intent changed while it was renewed`);
}

/** Brings an intent to a known outcome: by sending it (again, under its key), or by looking it up once the key may be forgotten. */
async function drive<Request>(
  context: EffectContext<Request>,
  id: string,
  record: EffectRecord<Request>,
): Promise<Known | { readonly outcome: 'unknown' }> {
  if (record.request === undefined) throw new PermanentError(`${id}: an intent lacks its request`);
  const forgotten = isForgotten(context, record.startedAt);
  const found = forgotten ? await context.port.find(id) : await send(context, id, record.request);
  switch (found.outcome) {
    case 'done':
    case 'refused':
    case 'unknown':
      return found;
    case 'undone':
      return { outcome: 'done', reference: found.reference };
    case 'pending':
      throw new TransientError('unavailable', `${id}: the provider does not know the outcome yet`);
    default:
      return assertNever(found, 'outcome');
  }
}

/** Does it under its key. What the provider refuses by status is looked up: the refusal may answer a repetition. */
async function send<Request>({ port }: EffectContext<Request>, id: string, request: Request): Promise<Found> {
  try {
    return await port.perform(request, `do-${id}`);
  } catch (error) {
    if (!(error instanceof RequestRefused)) throw error;
    const found = await port.find(id);
    return found.outcome === 'unknown' ? { outcome: 'refused', reason: error.reason } : found;
  }
}

/**
 * What was done must not be recorded as never done: a provider broke its contract, and only a person can set that right.
 *
 * @throws PermanentError
 */
async function assertAgrees<Request>(context: EffectContext<Request>, id: string, { outcome }: Known): Promise<void> {
  const stored = outcome === 'done' ? await load(context, id) : undefined;
  const state = stored && stateOf(context, stored);
  if (state !== 'refused' && state !== 'voided') return;
  throw new PermanentError(`${id}: the provider did it, and it is recorded as ${stored!.status}: ${stored!.reason}`);
}

/** Gives an intent a new time; false when it is not what it was. */
async function renew(context: EffectContext<never>, id: string, from: number, to: number): Promise<boolean> {
  return tryUpdate(context.database, {
    TableName: context.table,
    Key: { [context.keyName]: id },
    UpdateExpression: 'SET startedAt = :to',
    ConditionExpression: '#status = :doing AND startedAt = :from',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: { ':doing': context.names.doing, ':from': from, ':to': to },
  });
}

/** Writes the intent, unless there is a record already; then returns that. */
async function begin<Request>(
  context: EffectContext<Request>,
  id: string,
  intent: EffectRecord<Request>,
): Promise<EffectRecord<Request> | undefined> {
  try {
    await context.database.send(
      new PutCommand({
        TableName: context.table,
        Item: { [context.keyName]: id, ...intent },
        ConditionExpression: 'attribute_not_exists(#key)',
        ExpressionAttributeNames: { '#key': context.keyName },
      }),
    );
    return undefined;
  } catch (error) {
    if (!conditionFailed(error)) throw error;
    const stored = await load(context, id);
    if (!stored) throw new TransientError('conflict', `${id}: its record vanished while it was read`, { cause: error });
    return stored;
  }
}

async function insert<Request>(
  context: EffectContext<Request>,
  id: string,
  record: EffectRecord<Request>,
  messages: readonly Envelope[],
): Promise<boolean> {
  const put: Write = {
    Put: {
      TableName: context.table,
      Item: { [context.keyName]: id, ...record },
      ConditionExpression: 'attribute_not_exists(#key)',
      ExpressionAttributeNames: { '#key': context.keyName },
    },
  };
  return tryCommit(context, [put], messages);
}

/** From one state to the next. An intent is moved only if it still is that very intent. */
interface Move {
  readonly from: { readonly state: 'done' | 'undoing' } | { readonly state: 'doing'; readonly startedAt: number };
  readonly to: { readonly state: EffectState; readonly reference?: string; readonly reason?: string };
}

/** Moves a record from one state to the next, with its messages; false when it was not in that state, or not that very intent, any more. */
async function settle<Request>(
  context: EffectContext<Request>,
  id: string,
  { from, to }: Move,
  messages: readonly Envelope[] = [],
): Promise<boolean> {
  const input = {
    TableName: context.table,
    Key: { [context.keyName]: id },
    UpdateExpression: [
      'SET #status = :to, updatedAt = :now',
      ...(to.reference === undefined ? [] : [', #reference = :reference']),
      ...(to.reason === undefined ? [] : [', #reason = :reason']),
    ].join(''),
    ConditionExpression: from.state === 'doing' ? '#status = :from AND startedAt = :startedAt' : '#status = :from',
    ExpressionAttributeNames: {
      '#status': 'status',
      ...(to.reference === undefined ? {} : { '#reference': 'reference' }),
      ...(to.reason === undefined ? {} : { '#reason': 'reason' }),
    },
    ExpressionAttributeValues: {
      ':from': context.names[from.state],
      ...(from.state === 'doing' ? { ':startedAt': from.startedAt } : {}),
      ':to': context.names[to.state],
      ':now': context.world.now(),
      ...(to.reference === undefined ? {} : { ':reference': to.reference }),
      ...(to.reason === undefined ? {} : { ':reason': to.reason.slice(0, 300) }),
    },
  };
  return messages.length > 0 ? tryCommit(context, [{ Update: input }], messages) : tryUpdate(context.database, input);
}

async function load<Request>(context: EffectContext<Request>, id: string): Promise<EffectRecord<Request> | undefined> {
  const { Item } = await context.database.send(
    new GetCommand({ TableName: context.table, Key: { [context.keyName]: id }, ConsistentRead: true }),
  );
  return Item as EffectRecord<Request> | undefined;
}

function stateOf<Request>(context: EffectContext<Request>, record: EffectRecord<Request>): EffectState {
  const known = (Object.entries(context.names) as [EffectState, string][]).find(([, name]) => name === record.status);
  if (!known) throw new PermanentError(`a record has the unknown status ${record.status}`);
  return known[0];
}
