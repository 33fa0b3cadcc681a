import { QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { conditionFailed, tryUpdate, type Database } from '../aws/clients.ts';
import { assertNever } from '../errors.ts';
import type { World } from '../function/world.ts';
import type { RelayPolicy } from '../messages/retry-policy.ts';
import type { OutboxKey, RowStatus } from '../tables.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { evolve, inAttention, type OutboxRow, type RowEvent } from './row.ts';

/** Access to rows after they were committed: every status change goes through here and is logged with its reason. */
export interface OutboxContext {
  readonly database: Database;
  readonly table: string;
  readonly relay: RelayPolicy;
  readonly telemetry: Telemetry;
  readonly world: World;
}

/** What may be gone after a change. */
const passing = ['owed', 'deferrals', 'owner', 'leaseUntil', 'attention', 'attentionAt'] as const;
const kept = ['status', 'attempts', 'resends', 'sentAt', 'handedAt', 'lastError'] as const;

/** From which statuses a change is allowed; what a relay holds, only that relay may fail or give up. SENT absorbs: nothing but `Requeued` leaves it. */
function allowedFrom(event: RowEvent, owner: string | undefined): readonly RowStatus[] {
  switch (event.type) {
    case 'Sent':
      return ['PENDING', 'FAILED', 'SENDING'];
    case 'Failed':
    case 'GivenUp':
      return owner === undefined ? ['PENDING'] : ['SENDING'];
    case 'Requeued':
      return ['PENDING', 'SENT'];
    default:
      return assertNever(event, 'event of an outbox row');
  }
}

/**
 * Writes what was decided about a row.
 *
 * @param owner the relay that holds the row
 * @returns false when the row is gone (TTL's work must not come back as a ghost) or somebody else was first, which is never an error
 */
export async function saveRow(context: OutboxContext, row: OutboxRow, event: RowEvent, owner?: string): Promise<boolean> {
  const after = evolve(row, event);
  const [sets, removes] = [
    [...kept, ...passing].filter((name) => after[name] !== undefined),
    passing.filter((name) => after[name] === undefined),
  ];
  const from = allowedFrom(event, owner);
  const held = owner !== undefined && event.type !== 'Sent';
  const names = [...sets, ...removes, 'aggregateId', ...(held ? ['owner'] : [])];
  const changed = await tryUpdate(context.database, {
    TableName: context.table,
    Key: { aggregateId: row.aggregateId, messageId: row.messageId },
    UpdateExpression: `SET ${sets.map((name) => `#${name} = :${name}`).join(', ')} REMOVE ${removes.map((name) => `#${name}`).join(', ')}`,
    ConditionExpression: [
      'attribute_exists(#aggregateId)',
      `#status IN (${from.map((status) => `:${status}`).join(', ')})`,
      ...(held ? ['#owner = :holder'] : []),
    ].join(' AND '),
    ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: {
      ...Object.fromEntries(sets.map((name) => [`:${name}`, after[name]])),
      ...Object.fromEntries(from.map((status) => [`:${status}`, status])),
      ...(held ? { ':holder': owner } : {}),
    },
  });
  if (changed) report(context, row, after);
  return changed;
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
export function requeue(context: OutboxContext, row: OutboxRow, owed: readonly string[], reason: string): Promise<boolean> {
  return saveRow(context, row, { type: 'Requeued', owed, reason, at: context.world.now() });
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
          ':attention': inAttention(key, 'sending', leaseUntil).attention,
          ':now': now,
        },
        ReturnValues: 'ALL_NEW',
      }),
    );
    const row = Attributes as unknown as OutboxRow;
    report(context, row, row);
    return row;
  } catch (error) {
    if (conditionFailed(error)) return undefined;
    throw error;
  }
}

function report(context: OutboxContext, before: OutboxRow, { aggregateId, messageId, status, lastError }: OutboxRow): void {
  const fields = { aggregateId, messageId, to: status, attempts: before.attempts ?? 0, lastError };
  // SENT is the ordinary end; everything else is worth a person's look.
  const level = status === 'SENT' ? 'info' : status === 'DEAD' ? 'error' : 'warn';
  context.telemetry[level]('outbox row', fields);
}
