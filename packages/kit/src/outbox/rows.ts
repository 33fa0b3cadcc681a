import { QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { decodeEnvelope, encodeEnvelope, type Envelope } from '../messages/envelope.ts';
import { onlyListeners, routeOf, type Topology } from '../messages/topology.ts';
import { attentionKey, attentionShards, shardOf, type AttentionState, type OutboxKey, type RowStatus } from '../tables.ts';
import { backoffCeilingSeconds, type RelayPolicy } from '../messages/retry-policy.ts';
import { conditionFailed, type Database } from '../aws/clients.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { World } from '../function/world.ts';

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
  readonly deferrals?: number;
  /** How often somebody who missed its effect made it due for the relay. */
  readonly resends?: number;
  readonly sentAt?: number;
  /** When the last of its actors got it, if a listener still lacked it then. */
  readonly handedAt?: number;
  readonly lastError?: string;
  /** Consumers that still lack this message; absent means all of its route. */
  readonly owed?: readonly string[];
  readonly owner?: string;
  readonly leaseUntil?: number;
  /** Present only while the row needs someone: partition and sort key of the attention index. */
  readonly attention?: string;
  readonly attentionAt?: number;
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

interface RowContext {
  readonly source: string;
  readonly outboxExpirySeconds: number;
  readonly pendingSeconds?: number;
  readonly world: World;
}

/** A fresh row for a message, as it is committed beside the state change. */
export function newRow(message: Envelope, { source, outboxExpirySeconds, pendingSeconds, world }: RowContext): OutboxRow {
  const now = world.now();
  return {
    aggregateId: message.aggregateId,
    messageId: message.messageId,
    status: 'PENDING',
    body: encodeEnvelope(message),
    source,
    committedAt: now,
    expiresAt: Math.floor(now / 1000) + outboxExpirySeconds,
    ...(pendingSeconds === undefined ? {} : { attention: attention(message, 'due'), attentionAt: now + pendingSeconds * 1000 }),
  };
}

/** Access to rows after they were committed: every status change goes through here and is logged with its reason. */
export interface OutboxContext {
  readonly database: Database;
  readonly table: string;
  readonly relay: RelayPolicy;
  readonly telemetry: Telemetry;
  readonly world: World;
}

interface Change {
  readonly to: RowStatus;
  readonly set: Readonly<Record<string, unknown>>;
  readonly remove: readonly string[];
  /** Statuses from which the change is allowed; beyond that the row must exist, or TTL's work would come back as a ghost. */
  readonly from: readonly RowStatus[];
  /** Only the lease holder may change it. */
  readonly owner?: string;
}

/** Applies a change; false when the row is gone or someone else was first, which is never an error. */
async function change(context: OutboxContext, key: OutboxKey, { to, set, remove, from, owner }: Change): Promise<boolean> {
  const sets = { status: to, ...set };
  const names: Record<string, string> = { '#id': 'aggregateId', '#status': 'status' };
  const values: Record<string, unknown> = {};
  const assignments = Object.entries(sets).map(([name, value], i) => {
    names[`#s${i}`] = name;
    values[`:s${i}`] = value;
    return `#s${i} = :s${i}`;
  });
  const allowed = from.map((status, i) => {
    values[`:f${i}`] = status;
    return `:f${i}`;
  });
  remove.forEach((name, i) => (names[`#r${i}`] = name));
  let condition = `attribute_exists(#id) AND #status IN (${allowed.join(', ')})`;
  if (owner !== undefined) {
    names['#owner'] = 'owner';
    values[':owner'] = owner;
    condition += ' AND #owner = :owner';
  }
  const removal = remove.length > 0 ? ` REMOVE ${remove.map((_, i) => `#r${i}`).join(', ')}` : '';
  try {
    await context.database.send(
      new UpdateCommand({
        TableName: context.table,
        Key: { aggregateId: key.aggregateId, messageId: key.messageId },
        UpdateExpression: `SET ${assignments.join(', ')}${removal}`,
        ConditionExpression: condition,
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: values,
      }),
    );
    return true;
  } catch (error) {
    if (conditionFailed(error)) return false;
    throw error;
  }
}

function attention(key: Pick<OutboxKey, 'messageId'>, state: AttentionState): string {
  return attentionKey(state, shardOf(key.messageId, attentionShards));
}

const relayAttributes = ['owner', 'leaseUntil', 'owed', 'deferrals'] as const;
const attentionAttributes = ['attention', 'attentionAt'] as const;

/** Why a row was not delivered to everyone. */
export interface Failure {
  /** Consumers that still lack it; none when nobody here knows its route. */
  readonly owed: readonly string[];
  readonly error: string;
  /** Whether it is the row's own fault: only that makes it DEAD after enough attempts. */
  readonly counts: boolean;
  /** Whether all actors have it and only listeners lack it. */
  readonly handed?: boolean;
}

/** SENT absorbs: nothing but the closing check's `requeue` leaves it, and whoever delivered to all consumers may set it from any other status. */
export async function markSent(context: OutboxContext, row: OutboxRow): Promise<void> {
  const changed = await change(context, row, {
    to: 'SENT',
    set: { sentAt: context.world.now(), attempts: (row.attempts ?? 0) + 1 },
    remove: [...attentionAttributes, ...relayAttributes],
    from: ['PENDING', 'FAILED', 'SENDING'],
  });
  if (changed) report(context, row, 'SENT');
}

/**
 * Hands a row to the relay: it keeps the consumers that still lack it and becomes due after the ladder's next step,
 * or DEAD when the ladder ends. What is not the row's fault climbs the ladder too, and never ends it.
 */
export async function markFailed(context: OutboxContext, row: OutboxRow, failure: Failure, owner?: string): Promise<RowStatus> {
  const attempts = (row.attempts ?? 0) + (failure.counts ? 1 : 0);
  const deferrals = (row.deferrals ?? 0) + (failure.counts ? 0 : 1);
  if (attempts >= context.relay.maxAttempts) return markDead(context, row, { error: failure.error, attempts }, owner);
  const changed = await change(context, row, {
    to: 'FAILED',
    set: {
      attempts,
      ...(deferrals > 0 ? { deferrals } : {}),
      ...(failure.owed.length > 0 ? { owed: [...failure.owed] } : {}),
      lastError: failure.error.slice(0, 300),
      ...(failure.handed && row.handedAt === undefined ? { handedAt: context.world.now() } : {}),
      attention: attention(row, 'due'),
      attentionAt: context.world.now() + backoffCeilingSeconds(context.relay, attempts + deferrals) * 1000,
    },
    remove: ['owner', 'leaseUntil'],
    from: owner === undefined ? ['PENDING'] : ['SENDING'],
    ...(owner === undefined ? {} : { owner }),
  });
  if (changed) report(context, row, 'FAILED', failure.error);
  return 'FAILED';
}

/** Gives a row up. It stays in the table with its reason until an operator replays it or it expires. */
export async function markDead(
  context: OutboxContext,
  row: OutboxRow,
  { error, attempts = (row.attempts ?? 0) + 1 }: { readonly error: string; readonly attempts?: number },
  owner?: string,
): Promise<RowStatus> {
  const changed = await change(context, row, {
    to: 'DEAD',
    set: {
      attempts,
      lastError: error.slice(0, 300),
      attention: attention(row, 'dead'),
      attentionAt: context.world.now(),
    },
    // Whoever sends it again begins a new ladder.
    remove: ['owner', 'leaseUntil', 'deferrals'],
    from: owner === undefined ? ['PENDING'] : ['SENDING'],
    ...(owner === undefined ? {} : { owner }),
  });
  if (changed) report(context, row, 'DEAD', error);
  return 'DEAD';
}

/** An aggregate has far fewer rows, unless an undo was asked for weeks. */
const mostRows = 200;

/** The newest rows of an aggregate, newest first. */
export async function rowsOf({ database, table }: Pick<OutboxContext, 'database' | 'table'>, aggregateId: string): Promise<OutboxRow[]> {
  const { Items = [] } = await database.send(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: 'aggregateId = :id',
      ExpressionAttributeValues: { ':id': aggregateId },
      ConsistentRead: true,
      ScanIndexForward: false,
      Limit: mostRows,
    }),
  );
  return Items as OutboxRow[];
}

/**
 * Makes a row due for the relay at once, for the consumers that lack it, whether or not it was sent before.
 *
 * @returns false when the relay has it already, or it is dead or gone
 */
export async function requeue(context: OutboxContext, row: OutboxRow, owed: readonly string[], reason: string): Promise<boolean> {
  const changed = await change(context, row, {
    to: 'FAILED',
    set: {
      ...(owed.length > 0 ? { owed: [...owed] } : {}),
      lastError: reason,
      // What it took to send it before does not count against it now.
      attempts: 0,
      resends: (row.resends ?? 0) + 1,
      attention: attention(row, 'due'),
      attentionAt: context.world.now(),
    },
    remove: ['owner', 'leaseUntil', 'deferrals'],
    from: ['PENDING', 'SENT'],
  });
  if (changed) report(context, row, 'FAILED', reason);
  return changed;
}

/**
 * Takes a due row for this relay until its lease ends; another relay may then take it over.
 *
 * @returns the row as it is now, or undefined when it is gone, done, held by someone else or not due: the index that it was found by may lag
 */
export async function claim(context: OutboxContext, key: OutboxKey, owner: string): Promise<OutboxRow | undefined> {
  const now = context.world.now();
  const leaseUntil = now + context.relay.leaseSeconds * 1000;
  try {
    const { Attributes } = await context.database.send(
      new UpdateCommand({
        TableName: context.table,
        Key: { aggregateId: key.aggregateId, messageId: key.messageId },
        UpdateExpression: 'SET #status = :sending, #owner = :owner, leaseUntil = :lease, attention = :attention, attentionAt = :lease',
        ConditionExpression:
          'attribute_exists(aggregateId) AND ((#status IN (:failed, :pending) AND attentionAt <= :now) OR (#status = :sending AND leaseUntil < :now))',
        ExpressionAttributeNames: { '#status': 'status', '#owner': 'owner' },
        ExpressionAttributeValues: {
          ':sending': 'SENDING',
          ':failed': 'FAILED',
          ':pending': 'PENDING',
          ':owner': owner,
          ':lease': leaseUntil,
          ':attention': attention(key, 'sending'),
          ':now': now,
        },
        ReturnValues: 'ALL_NEW',
      }),
    );
    const row = Attributes as unknown as OutboxRow;
    report(context, row, 'SENDING');
    return row;
  } catch (error) {
    if (conditionFailed(error)) return undefined;
    throw error;
  }
}

function report(context: OutboxContext, row: OutboxRow, to: RowStatus, lastError?: string): void {
  const fields = { aggregateId: row.aggregateId, messageId: row.messageId, to, attempts: row.attempts ?? 0, lastError };
  // SENT is the ordinary end; everything else is worth a person's look.
  const level = to === 'SENT' ? 'info' : to === 'DEAD' ? 'error' : 'warn';
  context.telemetry[level]('outbox row', fields);
}
