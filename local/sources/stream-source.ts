import { callService } from '../emulators/call.ts';
import type { FaultBoard } from '../faults.ts';
import type { FunctionPool } from '../functions/pool.ts';
import { matches } from './filter.ts';

/** An event source mapping from a table's stream, resolved. */
export interface StreamSourceOptions {
  readonly endpoint: string;
  readonly streamArn: string;
  /** Name of the table's partition key. */
  readonly partitionKey: string;
  readonly batchSize: number;
  readonly parallelizationFactor: number;
  /** Filter patterns; a record that matches none of them is skipped. Empty lets all through. */
  readonly filters: readonly unknown[];
  readonly reportBatchItemFailures: boolean;
  readonly bisectBatchOnError: boolean;
  readonly retryAttempts: number;
  readonly maxRecordAgeSeconds: number;
  /** Gets a pointer to batches that were given up. */
  readonly onFailure: { readonly endpoint: string; readonly queueUrl: string } | undefined;
  readonly pool: FunctionPool;
  readonly faults: FaultBoard;
  /** Sequence number that was reached before; undefined starts at the oldest record. */
  readonly checkpoint: bigint | undefined;
  readonly onCheckpoint: (sequence: bigint) => void;
  readonly onProblem: (what: string) => void;
}

interface StreamRecord {
  readonly eventID: string;
  readonly eventName: string;
  readonly dynamodb: {
    readonly Keys: Record<string, { S?: string; N?: string }>;
    readonly SequenceNumber: string;
    readonly ApproximateCreationDateTime: number;
  };
}

/** AWS polls a shard four times a second; a laptop wants its answer sooner. */
const pollMs = 25;
const longestBackoffMs = 10_000;

/** Feeds a function from a stream as Lambda does: in order per partition key, with filters, bisect, bounded retries and an on-failure queue. */
export class StreamSource {
  readonly #options: StreamSourceOptions;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(options: StreamSourceOptions) {
    this.#options = options;
    this.#done = this.#poll();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#done;
  }

  async #poll(): Promise<void> {
    const { faults, pool } = this.#options;
    let reached = this.#options.checkpoint;
    let iterator: string | undefined;
    while (!this.#stopped) {
      if (faults.of(pool.fn.name).outage) {
        await pause(pollMs);
        continue;
      }
      try {
        iterator ??= await this.#iterator(reached);
        const { Records = [], NextShardIterator } = await this.#call('GetRecords', { ShardIterator: iterator, Limit: 1000 });
        const records = (Records as StreamRecord[]).filter(
          ({ dynamodb }) => reached === undefined || BigInt(dynamodb.SequenceNumber) > reached,
        );
        iterator = NextShardIterator as string | undefined;
        if (records.length === 0) {
          await pause(pollMs);
          continue;
        }
        await this.#dispatch(records);
        if (this.#stopped) return;
        reached = records.reduce(
          (newest, { dynamodb }) => (BigInt(dynamodb.SequenceNumber) > newest ? BigInt(dynamodb.SequenceNumber) : newest),
          0n,
        );
        this.#options.onCheckpoint(reached);
      } catch (error) {
        if (this.#stopped) return;
        this.#options.onProblem(`reading ${this.#options.streamArn}: ${(error as Error).message}`);
        iterator = undefined;
        await pause(500);
      }
    }
  }

  async #iterator(reached: bigint | undefined): Promise<string> {
    const { StreamDescription } = await this.#call('DescribeStream', { StreamArn: this.#options.streamArn });
    const shard = (StreamDescription as { Shards: { ShardId: string }[] }).Shards[0];
    if (!shard) throw new Error('the stream has no shard');
    const { ShardIterator } = await this.#call('GetShardIterator', {
      StreamArn: this.#options.streamArn,
      ShardId: shard.ShardId,
      ...(reached === undefined
        ? { ShardIteratorType: 'TRIM_HORIZON' }
        : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: reached.toString() }),
    });
    return ShardIterator as string;
  }

  #call(operation: string, body: unknown): Promise<Record<string, unknown>> {
    return callService(this.#options.endpoint, `DynamoDBStreams_20120810.${operation}`, body);
  }

  /** Lanes run side by side; records with the same partition key share a lane, so that their order holds. */
  async #dispatch(records: readonly StreamRecord[]): Promise<void> {
    const { filters, parallelizationFactor, batchSize, partitionKey } = this.#options;
    const wanted = filters.length === 0 ? records : records.filter((record) => filters.some((filter) => matches(filter, record)));
    const lanes = Array.from({ length: parallelizationFactor }, (): StreamRecord[] => []);
    for (const record of wanted) lanes[laneOf(record.dynamodb.Keys[partitionKey], parallelizationFactor)]!.push(record);
    await Promise.all(
      lanes.map(async (lane) => {
        for (let start = 0; start < lane.length; start += batchSize) await this.#deliver(lane.slice(start, start + batchSize), 0);
      }),
    );
  }

  /** Invokes until the batch is done or given up. */
  async #deliver(batch: readonly StreamRecord[], attempts: number): Promise<void> {
    const { pool, reportBatchItemFailures, bisectBatchOnError, retryAttempts, maxRecordAgeSeconds, onProblem, streamArn } = this.#options;
    if (this.#stopped || batch.length === 0) return;
    const result = await pool.invoke({
      Records: batch.map((record) => ({ ...record, eventSource: 'aws:dynamodb', awsRegion: 'us-east-1', eventSourceARN: streamArn })),
    });
    const failedFrom = firstFailure(result, batch, reportBatchItemFailures);
    if (failedFrom === batch.length) return;
    const rest = batch.slice(failedFrom);
    if (!result.ok) onProblem(`${pool.fn.name} failed on ${batch.length} record(s): ${result.errorType}: ${result.errorMessage}`);
    // Progress is a new batch; the same first record again is one more attempt.
    const tried = failedFrom > 0 ? 1 : attempts + 1;
    const age = Date.now() / 1000 - rest[0]!.dynamodb.ApproximateCreationDateTime;
    if (tried > retryAttempts || age > maxRecordAgeSeconds) return this.#giveUp(rest, tried);
    await pause(Math.min(longestBackoffMs, 100 * 2 ** tried));
    if (!bisectBatchOnError || rest.length === 1) return this.#deliver(rest, tried);
    const middle = Math.ceil(rest.length / 2);
    await this.#deliver(rest.slice(0, middle), tried);
    await this.#deliver(rest.slice(middle), tried);
  }

  /** What AWS sends is a pointer, not the records: they must still be in the table. */
  async #giveUp(batch: readonly StreamRecord[], attempts: number): Promise<void> {
    const { onFailure, onProblem, streamArn, pool } = this.#options;
    onProblem(`${pool.fn.name}: gave up ${batch.length} record(s) after ${attempts} attempts`);
    if (!onFailure) return;
    const pointer = {
      requestContext: { functionArn: pool.fn.arn, condition: 'RetryAttemptsExhausted', approximateInvokeCount: attempts },
      DDBStreamBatchInfo: {
        streamArn,
        batchSize: batch.length,
        startSequenceNumber: batch[0]!.dynamodb.SequenceNumber,
        endSequenceNumber: batch.at(-1)!.dynamodb.SequenceNumber,
      },
    };
    await callService(onFailure.endpoint, 'AmazonSQS.SendMessage', { QueueUrl: onFailure.queueUrl, MessageBody: JSON.stringify(pointer) });
  }
}

/** Index of the first record to do again: 0 after an error, the lowest reported failure, or the batch's length when all is done. */
function firstFailure(result: Awaited<ReturnType<FunctionPool['invoke']>>, batch: readonly StreamRecord[], reports: boolean): number {
  if (!result.ok) return 0;
  const failures = (result.payload as { batchItemFailures?: { itemIdentifier?: string }[] } | null)?.batchItemFailures ?? [];
  if (!reports || failures.length === 0) return batch.length;
  const places = failures.map(({ itemIdentifier }) => batch.findIndex(({ dynamodb }) => dynamodb.SequenceNumber === itemIdentifier));
  return places.includes(-1) ? 0 : Math.min(...places);
}

function laneOf(key: { S?: string; N?: string } | undefined, lanes: number): number {
  let hash = 0;
  for (const character of key?.S ?? key?.N ?? '') hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
  return Math.abs(hash) % lanes;
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
