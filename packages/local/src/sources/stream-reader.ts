import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '@outbox-saga/emulator/call';
import { AwsError } from '@outbox-saga/emulator/aws-error';

export interface StreamRecord {
  readonly eventID: string;
  readonly eventName: string;
  readonly dynamodb: {
    readonly Keys: Record<string, { S?: string; N?: string }>;
    /** 21 to 40 digits with leading zeros: compared as a number, given back as it is. */
    readonly SequenceNumber: string;
    readonly ApproximateCreationDateTime: number;
  };
}

/** How far a stream was read: shard → the newest sequence number that was handled, or `readToItsEnd`. */
export type StreamPosition = Readonly<Record<string, string>>;

/** The position of a shard that was closed and has no more records. */
export const readToItsEnd = 'closed';

export interface StreamReaderOptions {
  readonly call: Caller;
  readonly streamArn: string;
  /** Tells when there are new records, and returns what ends that. Without it they are asked for all the time. */
  readonly onRecords?: ((listener: () => void) => () => void) | undefined;
  /** Where an earlier reader ended. A shard that is not in it is read from its oldest record. */
  readonly position: StreamPosition;
  readonly onPosition: (position: StreamPosition) => void;
  /** Whether to read nothing for now. */
  readonly paused: () => boolean;
  /** Handles records of one shard in their order; what it throws has them read again. */
  readonly handle: (records: readonly StreamRecord[], shardId: string) => Promise<void>;
  readonly onProblem: (what: string) => void;
}

interface Shard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
}

/** AWS polls a shard four times a second; a laptop wants its answer sooner. */
const pollMs = 25;
/** How often it is asked where new records are told. */
const toldPollMs = 1000;
/** How often new shards are looked for. They also are when one ends. */
const listMs = 1000;
const retryMs = 500;

/** Reads all shards of a stream side by side, a shard after its parent, and keeps how far it came. */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;
  readonly #unsubscribe: (() => void) | undefined;
  #position: StreamPosition;
  /** Whether records were told of since the last reading began. */
  #told = false;
  #wake: () => void = () => undefined;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
    this.#position = options.position;
    this.#unsubscribe = options.onRecords?.(() => {
      this.#told = true;
      this.#wake();
    });
    this.#done = this.#follow();
  }

  /** Resolves when nothing is handled any more. */
  stop(): Promise<void> {
    this.#stopping.abort();
    this.#unsubscribe?.();
    this.#wake();
    return this.#done;
  }

  get stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Waits, but not beyond the stop. */
  async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  /** Waits until there may be new records. */
  async #idle(): Promise<void> {
    if (!this.#unsubscribe) return this.pause(pollMs);
    if (this.#told) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, toldPollMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #follow(): Promise<void> {
    const reading = new Map<string, Promise<void>>();
    while (!this.stopped) {
      let waitMs = listMs;
      try {
        for (const { ShardId } of this.#readable(await this.#shards())) {
          if (!reading.has(ShardId))
            reading.set(
              ShardId,
              this.#read(ShardId).finally(() => reading.delete(ShardId)),
            );
        }
      } catch (error) {
        this.#tell(error);
        waitMs = retryMs;
      }
      await Promise.race([...reading.values(), this.pause(waitMs)]);
    }
    await Promise.all(reading.values());
  }

  /** Those whose parents were read to their end, or are gone: a record must not overtake an older one of its item. */
  #readable(shards: readonly Shard[]): Shard[] {
    const listed = new Set(shards.map(({ ShardId }) => ShardId));
    this.#position = Object.fromEntries(Object.entries(this.#position).filter(([shardId]) => listed.has(shardId)));
    const ended = (shardId: string): boolean => this.#position[shardId] === readToItsEnd;
    return shards.filter(
      ({ ShardId, ParentShardId: parent }) => !ended(ShardId) && (parent === undefined || !listed.has(parent) || ended(parent)),
    );
  }

  async #shards(): Promise<Shard[]> {
    const shards: Shard[] = [];
    let last: string | undefined;
    do {
      const { StreamDescription } = await this.#call('DescribeStream', {
        StreamArn: this.#options.streamArn,
        ...(last === undefined ? {} : { ExclusiveStartShardId: last }),
      });
      const page = StreamDescription as { Shards: Shard[]; LastEvaluatedShardId?: string };
      shards.push(...page.Shards);
      last = page.LastEvaluatedShardId;
    } while (last !== undefined);
    return shards;
  }

  /** Reads one shard until it ends, is gone, or the reader stops. */
  async #read(shardId: string): Promise<void> {
    let iterator: string | undefined;
    let trimmed = false;
    while (!this.stopped) {
      if (this.#options.paused()) {
        await this.pause(pollMs);
        continue;
      }
      try {
        this.#told = false;
        iterator ??= await this.#iterator(shardId, trimmed);
        const { Records = [], NextShardIterator } = await this.#call('GetRecords', { ShardIterator: iterator, Limit: 1000 });
        trimmed = false;
        iterator = (NextShardIterator ?? undefined) as string | undefined;
        const handled = await this.#handle(Records as StreamRecord[], shardId);
        if (this.stopped) return;
        if (iterator === undefined) return this.#reach(shardId, readToItsEnd);
        if (handled === 0) await this.#idle();
      } catch (error) {
        iterator = undefined;
        const kind = error instanceof AwsError ? error.name : '';
        if (this.stopped) return;
        // Its last record is older than a day. The list of shards says whether it is the shard or the stream that is gone.
        if (kind === 'ResourceNotFoundException') return this.pause(retryMs);
        // Iterators last for 15 minutes.
        if (kind === 'ExpiredIteratorException') continue;
        if (kind === 'TrimmedDataAccessException' && !trimmed) {
          trimmed = true;
          this.#tell(new Error(`records of ${shardId} were trimmed before they were read`));
          continue;
        }
        this.#tell(error);
        await this.pause(retryMs);
      }
    }
  }

  /** @returns how many of the records were new */
  async #handle(records: readonly StreamRecord[], shardId: string): Promise<number> {
    const reached = this.#position[shardId];
    const fresh = records.filter(({ dynamodb }) => reached === undefined || BigInt(dynamodb.SequenceNumber) > BigInt(reached));
    if (fresh.length === 0) return 0;
    await this.#options.handle(fresh, shardId);
    // Stopped in between, some of them may not have been handled.
    if (!this.stopped) this.#reach(shardId, fresh.at(-1)!.dynamodb.SequenceNumber);
    return fresh.length;
  }

  #reach(shardId: string, place: string): void {
    this.#position = { ...this.#position, [shardId]: place };
    this.#options.onPosition(this.#position);
  }

  async #iterator(shardId: string, trimmed: boolean): Promise<string> {
    const reached = this.#position[shardId];
    const { ShardIterator } = await this.#call('GetShardIterator', {
      StreamArn: this.#options.streamArn,
      ShardId: shardId,
      ...(reached === undefined || trimmed
        ? { ShardIteratorType: 'TRIM_HORIZON' }
        : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: reached }),
    });
    return ShardIterator as string;
  }

  #call(operation: string, body: unknown): Promise<Record<string, unknown>> {
    return this.#options.call(`DynamoDBStreams_20120810.${operation}`, body);
  }

  #tell(error: unknown): void {
    if (!this.stopped) this.#options.onProblem(`reading ${this.#options.streamArn}: ${(error as Error).message}`);
  }
}
