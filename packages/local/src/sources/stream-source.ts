import type { Caller } from '@outbox-saga/emulator/call';
import type { FaultBoard } from '../faults.ts';
import type { FunctionPool } from '../functions/pool.ts';
import { matches } from './filter.ts';
import { StreamReader, type StreamPosition, type StreamRecord } from './stream-reader.ts';

/** An event source mapping from a table's stream, resolved. */
export interface StreamSourceOptions {
  readonly call: Caller;
  readonly streamArn: string;
  /** Tells when there are new records, where the stream's owner can. */
  readonly onRecords?: ((listener: () => void) => () => void) | undefined;
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
  readonly onFailure: { readonly call: Caller; readonly queueUrl: string } | undefined;
  readonly pool: {
    readonly fn: Pick<FunctionPool['fn'], 'name' | 'arn'>;
    readonly size: number;
    readonly invoke: FunctionPool['invoke'];
  };
  readonly faults: FaultBoard;
  /** Where an earlier start ended. */
  readonly position: StreamPosition;
  readonly onPosition: (position: StreamPosition) => void;
  readonly onProblem: (what: string) => void;
}

const longestBackoffMs = 10_000;
/** Records that take longer are a backlog. */
const longMs = 250;

/** Feeds a function from a stream as Lambda does: in order per partition key, with filters, bisect, bounded retries and an on-failure queue. */
export class StreamSource {
  readonly #options: StreamSourceOptions;
  readonly #reader: StreamReader;
  #lastTookMs = 0;

  constructor(options: StreamSourceOptions) {
    const { call, streamArn, onRecords, position, onPosition, onProblem, faults, pool } = options;
    this.#options = options;
    this.#reader = new StreamReader({
      call,
      streamArn,
      onRecords,
      position,
      onPosition,
      onProblem,
      paused: () => faults.of(pool.fn.name).outage ?? false,
      handle: (records, shardId) => this.#dispatch(records, shardId),
    });
  }

  stop(): Promise<void> {
    return this.#reader.stop();
  }

  /** Lanes run side by side; records with the same partition key share a lane, so that their order holds. */
  async #dispatch(records: readonly StreamRecord[], shardId: string): Promise<void> {
    const { filters, parallelizationFactor, batchSize, partitionKey, pool } = this.#options;
    const wanted = filters.length === 0 ? records : records.filter((record) => filters.some((filter) => matches(filter, record)));
    // As many as there are environments: fuller batches cost less. One more when the last ones took long: if it waits, the function gets another environment.
    const width = Math.min(parallelizationFactor, pool.size + (this.#lastTookMs > longMs ? 1 : 0));
    const startedAt = performance.now();
    const lanes = Array.from({ length: width }, (): StreamRecord[] => []);
    for (const record of wanted) lanes[laneOf(record.dynamodb.Keys[partitionKey], width)]!.push(record);
    await Promise.all(
      lanes.map(async (lane) => {
        for (let start = 0; start < lane.length; start += batchSize) await this.#deliver(lane.slice(start, start + batchSize), shardId, 0);
      }),
    );
    this.#lastTookMs = performance.now() - startedAt;
  }

  /** Invokes until the batch is done or given up. */
  async #deliver(batch: readonly StreamRecord[], shardId: string, attempts: number): Promise<void> {
    const { pool, reportBatchItemFailures, bisectBatchOnError, retryAttempts, maxRecordAgeSeconds, onProblem, streamArn } = this.#options;
    if (this.#reader.stopped || batch.length === 0) return;
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
    if (tried > retryAttempts || age > maxRecordAgeSeconds) return this.#giveUp(rest, shardId, tried);
    await this.#reader.pause(Math.min(longestBackoffMs, 100 * 2 ** tried));
    if (!bisectBatchOnError || rest.length === 1) return this.#deliver(rest, shardId, tried);
    const middle = Math.ceil(rest.length / 2);
    await this.#deliver(rest.slice(0, middle), shardId, tried);
    await this.#deliver(rest.slice(middle), shardId, tried);
  }

  /** What AWS sends is a pointer, not the records: they must still be in the table. */
  async #giveUp(batch: readonly StreamRecord[], shardId: string, attempts: number): Promise<void> {
    const { onFailure, onProblem, streamArn, pool } = this.#options;
    onProblem(`${pool.fn.name}: gave up ${batch.length} record(s) after ${attempts} attempts`);
    if (!onFailure) return;
    const pointer = {
      requestContext: { functionArn: pool.fn.arn, condition: 'RetryAttemptsExhausted', approximateInvokeCount: attempts },
      DDBStreamBatchInfo: {
        streamArn,
        shardId,
        batchSize: batch.length,
        startSequenceNumber: batch[0]!.dynamodb.SequenceNumber,
        endSequenceNumber: batch.at(-1)!.dynamodb.SequenceNumber,
      },
    };
    await onFailure.call('AmazonSQS.SendMessage', { QueueUrl: onFailure.queueUrl, MessageBody: JSON.stringify(pointer) });
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
