import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { fromBase32 } from '../base32.ts';
import { describeError } from '../errors.ts';
import { coreMetrics, type MetricDefinition } from '../telemetry/metrics.ts';
import { attentionKey, attentionShards, type AttentionState, type OutboxKey } from '../tables.ts';
import type { Database } from '../aws/clients.ts';
import type { OutboxRow } from './row.ts';
import { claim, type OutboxContext } from './row-store.ts';
import { deliver, record, type PublishContext, type QueuesDown } from './deliver.ts';

/** Upper bounds of one run; what is left waits for the next minute. */
const rowsPerPartition = 1000;
const countPages = 5;
/** Rows of a partition among which the oldest is looked for. */
const rowsPerAge = 100;
/** Rows in hand at once: as many as one call to a queue takes, and more than the index has partitions, so that each has its turn in every run. */
const handful = 10;
/** A row due for longer than this is overdue: the relay is not keeping up, or something below it is down. */
const overdueMs = 2 * 60_000;

/**
 * Sends the rows that are due: those that SQS refused, those whose queue was down, those whose relay died, and, where the outbox indexes
 * them, those that the stream never delivered. Each row is claimed first, so that relays may overlap.
 *
 * No shard and no queue uses a run up: the shards' rows are taken in turn, and a queue whose call fails as a whole is not called again in
 * this run; what is owed to it becomes due later.
 *
 * @param mayContinue asked before each handful of rows, so that a run ends before its function is killed
 * @returns how many rows it took
 */
export async function relayDueRows(
  outbox: OutboxContext,
  publish: PublishContext,
  owner: string,
  mayContinue: () => boolean,
): Promise<number> {
  const down: QueuesDown = new Map();
  const keys = await dueKeys(outbox);
  let taken = 0;
  for (let from = 0; from < keys.length && mayContinue(); from += handful) {
    const claims = await Promise.all(keys.slice(from, from + handful).map((key) => tryClaim(outbox, key, owner)));
    const rows = claims.filter((row) => row !== undefined);
    taken += rows.length;
    const { rows: deliveries } = await deliver(publish, rows, down);
    await Promise.all(rows.map((row, i) => record({ outbox, publish }, row, deliveries[i]!, owner)));
  }
  return taken;
}

/** A row that cannot be claimed now stays due; it must not stop those behind it. */
async function tryClaim(outbox: OutboxContext, key: OutboxKey, owner: string): Promise<OutboxRow | undefined> {
  try {
    return await claim(outbox, key, owner);
  } catch (error) {
    outbox.telemetry.warn('outbox row not claimed', { ...key, error: describeError(error) });
    return undefined;
  }
}

/** The keys of the rows that are due, one of each partition in turn, in each those first that have been due for longest. */
async function dueKeys(outbox: OutboxContext): Promise<OutboxKey[]> {
  const now = outbox.world.now();
  // Rows whose relay died are due again when its lease ends.
  const partitions = (['due', 'sending'] as const).flatMap((state) => shards().map((shard) => attentionKey(state, shard)));
  const found = await Promise.all(partitions.map((partition) => keysBefore(outbox, partition, now, rowsPerPartition)));
  const longest = Math.max(...found.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => found.flatMap((keys) => keys.slice(i, i + 1))).flat();
}

function shards(): number[] {
  return Array.from({ length: attentionShards }, (_, shard) => shard);
}

async function keysBefore(outbox: OutboxContext, partition: string, before: number, limit: number): Promise<OutboxKey[]> {
  const { Items = [] } = await outbox.database.send(
    new QueryCommand({
      TableName: outbox.table,
      IndexName: 'attention',
      KeyConditionExpression: 'attention = :partition AND attentionAt <= :before',
      ExpressionAttributeValues: { ':partition': partition, ':before': before },
      Limit: limit,
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
      const values = { ':shard': attentionKey(state, shard), ...(before === undefined ? {} : { ':before': before }) };
      const condition = `attention = :shard${before === undefined ? '' : ' AND attentionAt < :before'}`;
      sum += await countIndex(database, { table, index: 'attention', condition, values });
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
      (['due', 'sending'] as const).map((state) => keysBefore(outbox, attentionKey(state, shard), Number.MAX_SAFE_INTEGER, rowsPerAge)),
    ),
  );
  return Math.min(now, ...keys.flat().map((key) => timeOfId(key.messageId)));
}

/** One partition of an index, or a part of it. */
export interface IndexPartition {
  readonly table: string;
  readonly index: string;
  /** A key condition expression, and the values that it names. */
  readonly condition: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Counts one partition of an index, up to a few pages. */
export async function countIndex(database: Database, { table, index, condition, values }: IndexPartition): Promise<number> {
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
  for (const [metric, value] of values) outbox.telemetry.measure(metric, value);
}
