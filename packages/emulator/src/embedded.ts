import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AwsError } from './aws-error.ts';
import { DiskStorage } from './dynamodb/disk.ts';
import { DynamoDbService } from './dynamodb/service.ts';
import { SqsEngine } from './sqs/engine.ts';
import { SqliteQueueStorage } from './sqs/sqlite-storage.ts';

export interface EmbeddedOptions {
  /** Where everything is kept: a SQLite file, which is made if it is not there. */
  readonly file: string;
  readonly region: string;
  readonly account: string;
  /** What queue URLs begin with, such as `http://127.0.0.1:4000`. */
  readonly endpoint: () => string;
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly now?: () => number;
  /** Told of what went wrong within the engine itself, as when the disk is full. */
  readonly onProblem?: (what: string) => void;
}

/** Which layout the file has; another one is not read. */
const layoutVersion = 2;
const tidyEveryMs = 60_000;
/** Between two slices of what takes long: calls have their turn. */
const sliceEveryMs = 50;
/** A look at the whole of a larger file would make a start slow. What is damaged there is told when it is read. */
const mostCheckedBytes = 64 * 1024 * 1024;

/**
 * DynamoDB and SQS in this process, for a laptop. What was acknowledged has been handed to the operating system: it outlives the end of every process,
 * however sudden; a power cut may cost the last moments, and never leaves half of anything.
 */
export class EmbeddedAws {
  readonly #name: string;
  readonly #file: DatabaseSync;
  readonly #dynamoDb: DynamoDbService;
  readonly #sqs: SqsEngine;
  readonly #onProblem: (what: string) => void;
  readonly #tidying: NodeJS.Timeout;
  readonly #listeners = new Set<() => void>();
  /** By what it does. */
  readonly #slices = new Map<string, NodeJS.Timeout>();
  #trimmedTo = '';

  /** @throws Error that names the file, when it cannot be opened or is not one of the engine's */
  constructor({ file, region, account, endpoint, now = Date.now, onProblem = () => undefined }: EmbeddedOptions) {
    this.#onProblem = onProblem;
    this.#name = file;
    this.#file = open(file);
    try {
      this.#dynamoDb = new DynamoDbService({
        storage: new DiskStorage(this.#file),
        location: { region, account },
        now,
        onRecord: () => this.#tellOfRecords(),
      });
      this.#sqs = new SqsEngine({ storage: new SqliteQueueStorage(this.#file), now, region, account, endpoint });
    } catch (error) {
      this.#file.close();
      throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
    }
    this.#tidying = setInterval(() => this.tidy(), tidyEveryMs).unref();
  }

  /**
   * Runs one call in the AWS JSON protocol's form.
   *
   * @param target such as `DynamoDB_20120810.PutItem`
   * @param signal ends a receive that waits for messages
   * @throws AwsError as AWS answers it; `InternalServerError` for what went wrong within the engine itself
   */
  async call(target: string, input: unknown, signal?: AbortSignal): Promise<Record<string, unknown>> {
    const [, service, operation] = /^(DynamoDB_20120810|DynamoDBStreams_20120810|AmazonSQS)\.(\w+)$/.exec(target) ?? [];
    if (service === undefined || operation === undefined) {
      throw new AwsError('UnknownOperationException', `the embedded engine has DynamoDB and SQS, and no ${target}`);
    }
    try {
      if (service === 'AmazonSQS') return await this.#sqs.call(operation, input as Record<string, unknown>, signal);
      return this.#dynamoDb.call(operation, input);
    } catch (error) {
      if (error instanceof AwsError) throw error;
      this.#onProblem(`${target} on ${this.#name}: ${(error as Error).stack}`);
      throw new AwsError('InternalServerError', `${target} on ${this.#name}: ${(error as Error).message}`);
    }
  }

  /** Tells when a stream has new records, so that nobody need ask all the time. @returns ends that */
  onRecords(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What `call` runs; any other operation is refused by its name. */
  get operations(): { readonly dynamoDb: readonly string[]; readonly sqs: readonly string[] } {
    return { dynamoDb: this.#dynamoDb.operations, sqs: this.#sqs.operations };
  }

  /** Does what AWS does in the background: expired items go, and so do records of streams after a day. */
  tidy(): void {
    this.#inSlices('tidying', () => this.#dynamoDb.tidy());
  }

  /** Forgets the records of streams before one that everybody has read. @param sequenceNumber of that record, which stays */
  trim(sequenceNumber: string): void {
    if (sequenceNumber === this.#trimmedTo) return;
    this.#trimmedTo = sequenceNumber;
    this.#inSlices('trimming the streams', () => this.#dynamoDb.forgetBefore(sequenceNumber));
  }

  stop(): void {
    clearInterval(this.#tidying);
    for (const timer of this.#slices.values()) clearTimeout(timer);
    this.#sqs.stop();
    this.#file.close();
  }

  #tellOfRecords(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Begins anew when it is still at it. @param slice does a part @returns whether there may be more */
  #inSlices(what: string, slice: () => boolean): void {
    clearTimeout(this.#slices.get(what));
    try {
      if (slice()) this.#slices.set(what, setTimeout(() => this.#inSlices(what, slice), sliceEveryMs).unref());
    } catch (error) {
      this.#onProblem(`${what}: ${(error as Error).message}`);
    }
  }
}

function open(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version !== 0 && version !== layoutVersion)
      throw new Error(`it has layout ${version}, and this release reads layout ${layoutVersion}`);
    // A commit is a write to the operating system; only a power cut can lose it. Waiting for the disk each time costs five times as much.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; PRAGMA cache_size = -16000');
    database.exec(`PRAGMA user_version = ${layoutVersion}`);
    if (statSync(file).size <= mostCheckedBytes) {
      const check = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
      if (check.quick_check !== 'ok') throw new Error(`it is damaged (${check.quick_check})`);
    }
    return database;
  } catch (error) {
    database?.close();
    throw new Error(`${file} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}
