import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { fromBase32 } from '../contract/core/base32.ts';
import { coreMetrics, type MetricDefinition } from '../contract/core/metrics.ts';
import { attentionKey, attentionShards, type AttentionState, type OutboxKey } from '../contract/core/tables.ts';
import type { Database } from './aws.ts';
import { claim, markDead, markFailed, markSent, type OutboxContext, type OutboxRow } from './outbox.ts';
import { deliver, type PublishContext } from './publish.ts';

/** Upper bounds of one run; what is left waits for the next minute. */
const rowsPerShard = 100;
const countPages = 5;
/** A row due for longer than this is overdue: the relay is not keeping up, or something below it is down. */
const overdueMs = 2 * 60_000;

/**
 * Sends the rows that are due: those that SQS refused, those whose relay died, and, where the outbox indexes
 * them, those that the stream never delivered. Each row is claimed first, so that relays may overlap.
 *
 * @param mayContinue asked before each row, so that a run ends before its function is killed
 * @returns how many rows it took
 */
export async function relayDueRows(
  outbox: OutboxContext,
  publish: PublishContext,
  owner: string,
  mayContinue: () => boolean,
): Promise<number> {
  let taken = 0;
  for (const shard of shards()) {
    // Rows whose relay died are due again when its lease ends.
    for (const state of ['due', 'sending'] as const) {
      for (const key of await keysBefore(outbox, attentionKey(state, shard), outbox.world.now())) {
        if (!mayContinue()) return taken;
        const row = await claim(outbox, key, owner);
        if (!row) continue;
        taken++;
        await relayRow(outbox, publish, row, owner);
      }
    }
  }
  return taken;
}

async function relayRow(outbox: OutboxContext, publish: PublishContext, row: OutboxRow, owner: string): Promise<void> {
  const [delivery] = await deliver(publish, [row]);
  switch (delivery!.outcome) {
    case 'sent':
      outbox.telemetry.count(coreMetrics.publishLag, outbox.world.now() - row.committedAt);
      outbox.telemetry.count(coreMetrics.rowsSent, 1);
      return markSent(outbox, row);
    case 'unroutable':
      outbox.telemetry.count(coreMetrics.rowsDead, 1);
      await markDead(outbox, row, delivery!.error, owner);
      return;
    case 'refused':
    case 'unavailable': {
      const { owed, error, handed, outcome } = delivery!;
      const status = await markFailed(outbox, row, { owed, error, handed, counts: outcome === 'refused' }, owner);
      outbox.telemetry.count(status === 'DEAD' ? coreMetrics.rowsDead : coreMetrics.rowsFailed, 1);
    }
  }
}

function shards(): number[] {
  return Array.from({ length: attentionShards }, (_, shard) => shard);
}

async function keysBefore(outbox: OutboxContext, partition: string, before: number): Promise<OutboxKey[]> {
  const { Items = [] } = await outbox.database.send(
    new QueryCommand({
      TableName: outbox.table,
      IndexName: 'attention',
      KeyConditionExpression: 'attention = :partition AND attentionAt <= :before',
      ExpressionAttributeValues: { ':partition': partition, ':before': before },
      Limit: rowsPerShard,
    }),
  );
  return Items as OutboxKey[];
}

export interface OutboxGauges {
  readonly overdue: number;
  readonly sending: number;
  readonly failed: number;
  readonly dead: number;
  readonly oldestUnsentSeconds: number;
}

/**
 * Counts the rows that need attention. Each count reads at most a few pages of a keys-only index,
 * so in a deep outage the gauges say "at least this many".
 */
export async function gaugeOutbox(outbox: OutboxContext): Promise<OutboxGauges> {
  const { database, table, world } = outbox;
  const now = world.now();
  const count = async (state: AttentionState, before?: number): Promise<number> => {
    let sum = 0;
    for (const shard of shards()) {
      const key = { ':shard': attentionKey(state, shard) };
      sum +=
        before === undefined
          ? await countIndex(database, table, 'attention', 'attention = :shard', key)
          : await countIndex(database, table, 'attention', 'attention = :shard AND attentionAt < :before', { ...key, ':before': before });
    }
    return sum;
  };
  return {
    overdue: (await count('due', now - overdueMs)) + (await count('sending', now - overdueMs)),
    sending: await count('sending'),
    failed: await count('due'),
    dead: await count('dead'),
    oldestUnsentSeconds: Math.round((now - (await oldestUnsent(outbox, now))) / 1000),
  };
}

/** When the oldest of the rows that are due next was made. */
async function oldestUnsent(outbox: OutboxContext, now: number): Promise<number> {
  const keys = await Promise.all(
    shards().flatMap((shard) =>
      (['due', 'sending'] as const).map((state) => keysBefore(outbox, attentionKey(state, shard), Number.MAX_SAFE_INTEGER)),
    ),
  );
  return Math.min(now, ...keys.flat().map((key) => timeOfId(key.messageId)));
}

/** Counts one partition of an index, up to a few pages. */
export async function countIndex(
  database: Database,
  table: string,
  index: string,
  condition: string,
  values: Readonly<Record<string, unknown>>,
): Promise<number> {
  let count = 0;
  let start: Record<string, unknown> | undefined;
  for (let page = 0; page < countPages; page++) {
    const { Count = 0, LastEvaluatedKey } = await database.send(
      new QueryCommand({
        TableName: table,
        IndexName: index,
        Select: 'COUNT',
        KeyConditionExpression: condition,
        ExpressionAttributeValues: { ...values },
        ExclusiveStartKey: start,
      }),
    );
    count += Count;
    if (!LastEvaluatedKey) break;
    start = LastEvaluatedKey;
  }
  return count;
}

/** The milliseconds inside a time-ordered id. */
export function timeOfId(messageId: string): number {
  return fromBase32(messageId.slice(0, 10));
}

export function reportGauges(outbox: OutboxContext, gauges: OutboxGauges): void {
  const values: readonly (readonly [MetricDefinition, number])[] = [
    [coreMetrics.overdueUnsent, gauges.overdue],
    [coreMetrics.sendingRows, gauges.sending],
    [coreMetrics.failedRows, gauges.failed],
    [coreMetrics.deadRows, gauges.dead],
    [coreMetrics.oldestUnsentAge, gauges.oldestUnsentSeconds],
  ];
  for (const [metric, value] of values) outbox.telemetry.count(metric, value);
}
