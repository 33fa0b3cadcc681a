import { randomUUID } from 'node:crypto';
import { AwsError } from '../aws-error.ts';
import { describeTable, keySchemaOf, streamArn, type Location } from './describe.ts';
import { DynamoEngine, type Change } from './engine.ts';
import { invalid, invalidValues, unreadable } from './problems.ts';
import type { DatabaseStorage, TableStorage } from './storage.ts';
import { iteratorText, readIterator } from './stream-iterators.ts';
import { loggedChange, placeOfSequence, sequenceNumber, streamRecord } from './stream-records.ts';
import { checkName, recordOf, streamOf, streamViewOf, tableNotFound, type CreateTableInput, type TableRecord } from './tables.ts';
import { checkTypes, readers, withoutNulls, written, writtenError, type Answer, type Input } from './protocol-form.ts';

export interface DynamoDbServiceOptions {
  readonly storage: DatabaseStorage;
  readonly location: Location;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told that a stream has a new record, as it is written: it can be read once the call under way has ended. */
  readonly onRecord?: (() => void) | undefined;
}

/** DynamoDB keeps the records of a stream for a day, and iterators for a quarter of an hour. */
const recordsLastMs = 24 * 3600_000;
const iteratorsLastMs = 15 * 60_000;
const mostRecords = 1000;
const mostRecordBytes = 1024 * 1024;
/** Some milliseconds of work: calls wait so long. */
const mostDeletedAtOnce = 100;

interface Open {
  readonly record: TableRecord;
  readonly schema: TableRecord['schema'];
  readonly storage: TableStorage;
}

/** DynamoDB and its streams in the AWS JSON protocol's form: operations by name, items as `{ "S": "text" }`. Synchronous, one call after the other. */
export class DynamoDbService {
  readonly #options: DynamoDbServiceOptions;
  readonly #engine: DynamoEngine;
  readonly #tables = new Map<string, Open>();
  /** Deleted tables, whose streams can be read as long as there are records and this process lives. */
  readonly #gone: TableRecord[] = [];
  #expiring = false;

  constructor(options: DynamoDbServiceOptions) {
    this.#options = options;
    const { storage, now } = options;
    for (const record of storage.tables()) this.#open(record);
    this.#engine = new DynamoEngine({
      table: (name) => this.#table(name),
      now,
      transaction: (work) => storage.transaction(work),
      onChange: (changes) => this.#log(changes),
    });
  }

  /**
   * Runs one operation.
   *
   * @param operation such as `PutItem`
   * @param input parsed JSON
   * @throws AwsError as AWS answers it, its items in the protocol's form
   */
  call(operation: string, input: unknown): Answer {
    if (input === null || typeof input !== 'object' || Array.isArray(input)) throw unreadable('the request is no JSON object');
    const given = checkTypes(withoutNulls(input as Input));
    const control = this.#control[operation];
    if (control) return control(given);
    const read = readers[operation];
    if (!read) throw new AwsError('UnknownOperationException', `the embedded DynamoDB does not know the operation ${operation}`);
    try {
      return written(this.#engine.execute(operation, read(given)));
    } catch (error) {
      throw error instanceof AwsError ? writtenError(error) : error;
    }
  }

  /** Those that `call` runs. */
  get operations(): readonly string[] {
    return [...Object.keys(this.#control), ...Object.keys(readers)];
  }

  /** Forgets some of the records of streams before one of them. @returns whether there may be more */
  forgetBefore(sequence: string): boolean {
    const place = placeOfSequence(sequence);
    return place !== undefined && this.#options.storage.forgetBefore(place, mostDeletedAtOnce);
  }

  /** Some of what AWS does in the background: deletes what has expired, and forgets the records of streams after a day. @returns whether there may be more */
  tidy(): boolean {
    const { storage, now } = this.#options;
    let isMore = storage.trim(now() - recordsLastMs, mostDeletedAtOnce);
    this.#expiring = true;
    try {
      for (const table of this.#tables.values()) {
        isMore = storage.transaction(() => this.#engine.expire(table, mostDeletedAtOnce)) === mostDeletedAtOnce || isMore;
      }
    } finally {
      this.#expiring = false;
    }
    return isMore;
  }

  readonly #control: Readonly<Record<string, (input: Input) => Answer>> = {
    CreateTable: (input) => this.#createTable(input as unknown as CreateTableInput),
    DeleteTable: (input) => this.#deleteTable(input),
    DescribeTable: (input) => ({ Table: this.#describe(this.#named(input).record) }),
    DescribeTimeToLive: (input) => ({ TimeToLiveDescription: timeToLiveOf(this.#named(input).record) }),
    DescribeLimits: () => ({
      AccountMaxReadCapacityUnits: 80_000,
      AccountMaxWriteCapacityUnits: 80_000,
      TableMaxReadCapacityUnits: 40_000,
      TableMaxWriteCapacityUnits: 40_000,
    }),
    DescribeEndpoints: () => ({ Endpoints: [{ Address: 'localhost', CachePeriodInMinutes: 1440 }] }),
    ListTables: (input) => this.#listTables(input),
    UpdateTable: (input) => this.#updateTable(input),
    UpdateTimeToLive: (input) => this.#updateTimeToLive(input),
    DescribeStream: (input) => this.#describeStream(input),
    GetRecords: (input) => this.#getRecords(input),
    GetShardIterator: (input) => this.#getShardIterator(input),
    ListStreams: (input) => this.#listStreams(input),
  };

  #open(record: TableRecord): Open {
    const table = { record, schema: record.schema, storage: this.#options.storage.save(record) };
    this.#tables.set(record.schema.name, table);
    return table;
  }

  /** Of an operation on items, which may name a table by its ARN. */
  #table(name: string): Open {
    const table = this.#tables.get(checkName(shortName(name), 'tableName'));
    if (!table) throw new AwsError('ResourceNotFoundException', 'Requested resource not found');
    return table;
  }

  #named(input: Input): Open {
    const name = checkName(shortName(input['TableName']), 'tableName');
    const table = this.#tables.get(name);
    if (!table) throw tableNotFound(name);
    return table;
  }

  #describe(record: TableRecord, status?: string): Answer {
    return describeTable(this.#options.location, record, this.#options.storage.counts(record), status);
  }

  #createTable(input: CreateTableInput): Answer {
    const record = recordOf(input, { id: randomUUID(), createdAt: this.#options.now() });
    if (this.#tables.has(record.schema.name)) {
      throw new AwsError('ResourceInUseException', `Table already exists: ${record.schema.name}`);
    }
    this.#options.storage.transaction(() => this.#open(record));
    return { TableDescription: this.#describe(record) };
  }

  #deleteTable(input: Input): Answer {
    const { record } = this.#named(input);
    const { name } = record.schema;
    if (record.deletionProtection) {
      throw invalid(`Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.`);
    }
    const TableDescription = this.#describe(record, 'DELETING');
    this.#options.storage.transaction(() => this.#options.storage.drop(record));
    this.#tables.delete(name);
    if (record.streamLabel !== undefined) this.#gone.push(closed(record));
    return { TableDescription };
  }

  #listTables({ ExclusiveStartTableName: after, Limit: limit = 100 }: Input): Answer {
    if (typeof limit !== 'number' || limit < 1 || limit > 100) {
      throw invalid(
        `1 validation error detected: Value '${String(limit)}' at 'limit' failed to satisfy constraint: Member must have value ${Number(limit) < 1 ? 'greater than or equal to 1' : 'less than or equal to 100'}`,
      );
    }
    const names = [...this.#tables.keys()].toSorted().filter((name) => typeof after !== 'string' || name > after);
    const TableNames = names.slice(0, limit);
    return { TableNames, ...(names.length > limit ? { LastEvaluatedTableName: TableNames.at(-1) } : {}) };
  }

  #updateTimeToLive(input: Input): Answer {
    const { record } = this.#named(input);
    const { AttributeName: name, Enabled: enabled } = (input['TimeToLiveSpecification'] ?? {}) as {
      AttributeName?: string;
      Enabled?: boolean;
    };
    if (typeof name !== 'string' || name === '') throw invalidValues('TimeToLiveSpecification.AttributeName must be specified');
    const { expiryAttribute, ...schema } = record.schema;
    if (enabled && expiryAttribute !== undefined) {
      throw invalid(expiryAttribute === name ? 'TimeToLive is already enabled' : 'TimeToLive is active on a different AttributeName');
    }
    if (!enabled && expiryAttribute === undefined) throw invalid('TimeToLive is already disabled');
    if (!enabled && expiryAttribute !== name)
      throw invalid('TimeToLive is active on a different AttributeName: current AttributeName is ' + expiryAttribute);
    const changed: TableRecord = { ...record, schema: enabled ? { ...schema, expiryAttribute: name } : schema };
    this.#options.storage.transaction(() => this.#open(changed));
    return { TimeToLiveSpecification: { AttributeName: name, Enabled: enabled === true } };
  }

  /** Turns the stream on and off, and the protection from deletion. Everything else of a table stays as it was made. */
  #updateTable(input: Input): Answer {
    const { record } = this.#named(input);
    const { StreamSpecification: stream, DeletionProtectionEnabled: deletionProtection, TableName: _name, ...others } = input;
    const [other] = Object.keys(others);
    if (other !== undefined) throw invalid(`the embedded DynamoDB does not change ${other} of a table`);
    if (stream === undefined && deletionProtection === undefined) {
      throw invalid(
        'At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required',
      );
    }
    let changed = record;
    if (stream !== undefined) changed = this.#restreamed(changed, stream as CreateTableInput['StreamSpecification']);
    if (typeof deletionProtection === 'boolean') changed = { ...changed, deletionProtection };
    this.#options.storage.transaction(() => this.#open(changed));
    return { TableDescription: this.#describe(changed) };
  }

  #restreamed(record: TableRecord, specification: CreateTableInput['StreamSpecification']): TableRecord {
    const view = streamViewOf(specification);
    const { stream, ...schema } = record.schema;
    if (view && stream) throw invalid('Table already has an enabled stream');
    if (view) {
      const { closedView: _closed, ...rest } = record;
      return { ...rest, schema: { ...schema, stream: view }, ...streamOf(this.#options.now(), randomUUID()) };
    }
    if (!stream) throw invalid('Table is not enabled for a stream: there is none to disable');
    return closed(record);
  }

  // Streams: one shard each, which closes with the stream.

  #log(changes: readonly Change[]): void {
    const { storage, now, onRecord } = this.#options;
    for (const change of changes) {
      const logged = loggedChange(change, now(), this.#expiring);
      if (!logged) continue;
      storage.append(streamKey(this.#tables.get(change.table.name)!.record), logged);
      onRecord?.();
    }
  }

  /** @throws ResourceNotFoundException */
  #streamed(arn: unknown): TableRecord {
    if (typeof arn !== 'string') {
      throw invalid("1 validation error detected: Value null at 'streamArn' failed to satisfy constraint: Member must not be null");
    }
    if (!/^arn:[\w-]+:dynamodb:[^:]*:[^:]*:table\/[^/]+\/stream\/.+$/.test(arn)) throw invalid('Invalid StreamArn');
    for (const record of [...this.#tables.values()].map((table) => table.record).concat(this.#gone)) {
      if (streamArn(this.#options.location, record) === arn) return record;
    }
    throw new AwsError('ResourceNotFoundException', `Requested resource not found: Stream: ${arn} not found`);
  }

  #listStreams({ TableName: name, Limit: limit = 100, ExclusiveStartStreamArn: after }: Input): Answer {
    const { location } = this.#options;
    const all = [...this.#tables.values()]
      .map(({ record }) => ({ record, arn: streamArn(location, record) }))
      .filter(({ record, arn }) => arn !== undefined && (name === undefined || shortName(name) === record.schema.name))
      .toSorted((a, b) => (a.arn! < b.arn! ? -1 : 1))
      .filter(({ arn }) => typeof after !== 'string' || arn! > after);
    const page = all.slice(0, Number(limit));
    return {
      Streams: page.map(({ record, arn }) => ({ StreamArn: arn, StreamLabel: record.streamLabel, TableName: record.schema.name })),
      ...(all.length > page.length ? { LastEvaluatedStreamArn: page.at(-1)!.arn } : {}),
    };
  }

  #describeStream({ StreamArn: arn, ExclusiveStartShardId: after }: Input): Answer {
    const record = this.#streamed(arn);
    const { schema, streamLabel, shardId, createdAt } = record;
    const ends = schema.stream ? {} : { EndingSequenceNumber: sequenceNumber(this.#options.storage.ends(streamKey(record)).newest) };
    const range = { StartingSequenceNumber: sequenceNumber(1), ...ends };
    const Shards = after === shardId ? [] : [{ ShardId: shardId, SequenceNumberRange: range }];
    return {
      StreamDescription: {
        StreamArn: arn,
        StreamLabel: streamLabel,
        StreamStatus: schema.stream ? 'ENABLED' : 'DISABLED',
        StreamViewType: schema.stream ?? record.closedView,
        CreationRequestDateTime: createdAt / 1000,
        TableName: schema.name,
        KeySchema: keySchemaOf(schema),
        Shards,
      },
    };
  }

  #getShardIterator({ StreamArn: arn, ShardId: shard, ShardIteratorType: type, SequenceNumber: sequence }: Input): Answer {
    const record = this.#streamed(arn);
    if (shard !== record.shardId) {
      throw new AwsError(
        'ResourceNotFoundException',
        `Requested resource not found: Shard: ${String(shard)} in Stream: ${String(arn)} not found`,
      );
    }
    const stream = streamKey(record);
    const { newest, trimmed } = this.#options.storage.ends(stream);
    if (sequence !== undefined && (type === 'LATEST' || type === 'TRIM_HORIZON')) {
      throw invalid(`SequenceNumber cannot be specified for ShardIteratorType ${type}`);
    }
    const placed = (): number => {
      if (typeof sequence !== 'string') throw invalid('SequenceNumber is required for this ShardIteratorType');
      if (sequence.length < 21) {
        throw invalid(
          `1 validation error detected: Value '${sequence}' at 'sequenceNumber' failed to satisfy constraint: Member must have length greater than or equal to 21`,
        );
      }
      const place = placeOfSequence(sequence);
      if (place === undefined) throw invalid('Invalid SequenceNumber');
      if (place <= trimmed) {
        throw new AwsError('TrimmedDataAccessException', 'The operation attempted to read past the oldest stream record in a shard');
      }
      return place;
    };
    let after: number;
    switch (type) {
      case 'TRIM_HORIZON':
        after = 0;
        break;
      case 'LATEST':
        after = newest;
        break;
      case 'AT_SEQUENCE_NUMBER':
        after = placed() - 1;
        break;
      case 'AFTER_SEQUENCE_NUMBER':
        after = placed();
        break;
      default:
        throw invalid(
          `1 validation error detected: Value '${String(type)}' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON]`,
        );
    }
    return { ShardIterator: iteratorText(arn as string, { stream, shard: record.shardId, after, madeAt: this.#options.now() }) };
  }

  #getRecords({ ShardIterator: text, Limit: limit = mostRecords }: Input): Answer {
    if (typeof limit !== 'number' || limit < 1 || limit > mostRecords) {
      throw invalid(
        `1 validation error detected: Value '${String(limit)}' at 'limit' failed to satisfy constraint: Member must have value ${Number(limit) < 1 ? 'greater than or equal to 1' : 'less than or equal to 1000'}`,
      );
    }
    const { arn, iterator } = readIterator(text);
    const record = this.#streamed(arn);
    const now = this.#options.now();
    if (streamKey(record) !== iterator.stream) throw invalid('Invalid ShardIterator');
    if (now - iterator.madeAt > iteratorsLastMs) {
      throw new AwsError('ExpiredIteratorException', 'Iterator expired. The iterator was created more than 15 minutes ago');
    }
    const entries = this.#options.storage.read(iterator.stream, iterator.after, limit);
    const records: unknown[] = [];
    let [bytes, after] = [0, iterator.after];
    for (const { place, change } of entries) {
      bytes += change.bytes;
      if (bytes > mostRecordBytes && records.length > 0) break;
      records.push(streamRecord(change, place, this.#options.location.region));
      after = place;
    }
    const isOver = record.schema.stream === undefined && records.length === entries.length && entries.length < limit;
    return { Records: records, ...(isOver ? {} : { NextShardIterator: iteratorText(arn, { ...iterator, after, madeAt: now }) }) };
  }
}

const shortName = (name: unknown): unknown =>
  typeof name === 'string' && name.startsWith('arn:') ? /:table\/([^/]+)/.exec(name)?.[1] : name;

/** A stream that gets no more records. */
function closed(record: TableRecord): TableRecord {
  const { stream, ...schema } = record.schema;
  return { ...record, schema, ...(stream ? { closedView: stream } : {}) };
}

const streamKey = ({ schema: { name }, streamLabel }: TableRecord): string => `${name}/${streamLabel}`;

function timeToLiveOf({ schema: { expiryAttribute } }: TableRecord): Answer {
  return expiryAttribute === undefined ? { TimeToLiveStatus: 'DISABLED' } : { TimeToLiveStatus: 'ENABLED', AttributeName: expiryAttribute };
}
