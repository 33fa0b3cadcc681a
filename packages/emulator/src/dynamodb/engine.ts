import { createHash } from 'node:crypto';
import { AwsError } from '../aws-error.ts';
import { asksCapacity, capacityAsked, capacityOf, consumedByWrite, total, unasked, type Consumed } from './capacity.ts';
import { invalid } from './problems.ts';
import { getItem, query, scan } from './reads.ts';
import { bind, takeItem, type ReadInput, type TransactItem, type WriteInput, type WriteKind } from './requests.ts';
import { keyOfRequest, keyText, type StoredKey, type TableSchema } from './schema.ts';
import type { Table } from './tables.ts';
import { BigDecimal, formatNumber } from './numbers.ts';
import { itemBytes, ValueSet, type Item } from './values.ts';
import { bindWrite, checkReturnValues, demandHolds, prepare, reasonOf, returnedBy, type Prepared } from './writes.ts';

/** One change of one item, as it happened. */
export interface Change {
  readonly table: TableSchema;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

export interface EngineOptions {
  /** @returns the table @throws ResourceNotFoundException */
  readonly table: (name: string) => Table;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Makes a call's changes all or none. */
  readonly transaction: <Result>(work: () => Result) => Result;
  /** Told of every change that made a difference, within its transaction: a transaction's changes together. */
  readonly onChange: (changes: readonly Change[]) => void;
}

interface BatchGetInput {
  readonly RequestItems?: Readonly<
    Record<string, Omit<ReadInput, 'Key' | 'TableName'> & { readonly Keys: readonly Record<string, unknown>[] }>
  >;
}

interface BatchWriteInput {
  readonly RequestItems?: Readonly<
    Record<
      string,
      readonly {
        readonly PutRequest?: { readonly Item: Record<string, unknown> };
        readonly DeleteRequest?: { readonly Key: Record<string, unknown> };
      }[]
    >
  >;
}

interface TransactInput {
  readonly TransactItems?: readonly TransactItem[];
  readonly ClientRequestToken?: string;
}

interface TransactGetInput {
  readonly TransactItems?: readonly { readonly Get: ReadInput }[];
}

type Answer = Record<string, unknown>;

const mostInTransaction = 100;
const mostTransactionBytes = 4 * 1024 * 1024;
/** So many of the largest items are no more than that. */
const fewItems = 10;
const mostInBatchGet = 100;
const mostInBatchWrite = 25;
const mostAnswerBytes = 16 * 1024 * 1024;
/** For so long DynamoDB knows a ClientRequestToken. */
const tokenMs = 10 * 60_000;

/** The operations on items, in the engine's own form of items: the AWS protocol is `DynamoDbService`'s. Synchronous: nothing happens in between. */
export class DynamoEngine {
  readonly #options: EngineOptions;
  readonly #tokens = new Map<string, { readonly request: string; readonly until: number }>();

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Runs one operation. Items are given as the document client has them, or in the engine's form, in which they are answered.
   *
   * @param lagMs a read that does not ask for consistency may not see what was written in the last milliseconds, where the storage can show that
   * @throws AwsError as AWS answers; its items are in the engine's form
   */
  execute(operation: string, input: object, lagMs = 0): Answer {
    const asOf = lagMs > 0 ? this.#options.now() - lagMs : undefined;
    switch (operation) {
      case 'GetItem': {
        const { Item, consumed } = getItem(this.#table(input), input as ReadInput, asOf);
        return this.#answer(input, Item ? { Item } : {}, consumed);
      }
      case 'Query':
      case 'Scan': {
        checkLimit(operation, (input as ReadInput).Limit);
        const table = this.#table(input);
        const { answer, consumed } = operation === 'Query' ? query(table, input as ReadInput, asOf) : scan(table, input as ReadInput);
        return this.#answer(input, answer, consumed);
      }
      case 'PutItem':
        return this.#write('Put', input as WriteInput);
      case 'UpdateItem':
        return this.#write('Update', input as WriteInput);
      case 'DeleteItem':
        return this.#write('Delete', input as WriteInput);
      case 'BatchGetItem':
        return this.#batchGet(input, asOf);
      case 'BatchWriteItem':
        return this.#batchWrite(input);
      case 'TransactGetItems':
        return this.#transactGet(input);
      case 'TransactWriteItems':
        return this.#transactWrite(input);
      default:
        throw new AwsError('UnknownOperationException', `the embedded DynamoDB does not know the operation ${operation}`);
    }
  }

  /** Deletes what has expired, as TTL does. @param most items in one go @returns how many it deleted */
  expire(table: Table, most = Infinity): number {
    const { schema, storage } = table;
    const { expiryAttribute } = schema;
    if (expiryAttribute === undefined) return 0;
    const expired = [...storage.expired(this.#options.now() / 1000, most)];
    for (const { key, item } of expired) this.#apply([{ table, key, before: item, after: undefined }]);
    return expired.length;
  }

  #table(input: object): Table {
    return this.#options.table((input as { TableName: string }).TableName);
  }

  #write(kind: WriteKind, input: WriteInput): Answer {
    checkReturnValues(kind, input);
    return this.#options.transaction(() => {
      const write = prepare(this.#table(input), kind, input);
      demandHolds(write);
      this.#apply([write]);
      const Attributes = returnedBy(write);
      return this.#answer(input, Attributes ? { Attributes } : {}, this.#consumed(input, write));
    });
  }

  #batchWrite(input: BatchWriteInput): Answer {
    const writes = Object.entries(input.RequestItems ?? {}).flatMap(([TableName, requests]) =>
      requests.map(({ PutRequest, DeleteRequest }): [WriteKind, WriteInput] =>
        PutRequest ? ['Put', { TableName, Item: PutRequest.Item }] : ['Delete', { TableName, Key: DeleteRequest?.Key ?? {} }],
      ),
    );
    if (writes.length === 0) throw invalid('The batch write request list for a table cannot be null or empty');
    if (writes.length > mostInBatchWrite) {
      throw invalid('Too many items requested for the BatchWriteItem call');
    }
    return this.#options.transaction(() => {
      const prepared = writes.map(([kind, write]) => prepare(this.#table(write), kind, write));
      if (hasTwice(prepared)) throw invalid('Provided list of item keys contains duplicates');
      this.#apply(prepared);
      return {
        UnprocessedItems: {},
        ...this.#capacities(
          input,
          prepared.map((write) => this.#consumed(input, write)),
        ),
      };
    });
  }

  #batchGet(input: BatchGetInput, asOf: number | undefined): Answer {
    const asked = Object.entries(input.RequestItems ?? {});
    const count = asked.reduce((sum, [, { Keys }]) => sum + Keys.length, 0);
    if (count === 0) throw invalid('The list of keys in RequestItems is required and must not be empty');
    if (count > mostInBatchGet) throw invalid('Too many items requested for the BatchGetItem call');
    const Responses: Record<string, Item[]> = {};
    const UnprocessedKeys: Record<string, object> = {};
    const consumed: Consumed[] = [];
    let bytes = 0;
    for (const [TableName, { Keys, ...read }] of asked) {
      const table = this.#options.table(TableName);
      const keys = Keys.map((Key) => keyOfRequest(table.schema, takeItem(Key)));
      if (new Set(keys.map(keyText)).size < keys.length) {
        throw invalid('Provided list of item keys contains duplicates');
      }
      const found: Item[] = (Responses[TableName] = []);
      const left: object[] = [];
      for (const Key of Keys) {
        if (bytes > mostAnswerBytes) {
          left.push(Key);
          continue;
        }
        const { Item, consumed: one } = getItem(table, { TableName, Key, ...read, ReturnConsumedCapacity: capacityAsked(input) }, asOf);
        consumed.push(one);
        if (!Item) continue;
        bytes += itemBytes(Item);
        found.push(Item);
      }
      if (left.length > 0) UnprocessedKeys[TableName] = { ...read, Keys: left };
    }
    return { Responses, UnprocessedKeys, ...this.#capacities(input, consumed) };
  }

  #transactGet(input: TransactGetInput): Answer {
    const gets = checkCount(input.TransactItems).map(({ Get }) => Get);
    // What is wrong with an expression is the request's own mistake; what only the key shows is a reason of the cancellation.
    const parts = gets.map((Get) => ({ table: this.#table(Get), Get, bound: bind(Get) }));
    const ReturnConsumedCapacity = capacityAsked(input);
    const attempts = parts.map(({ table, Get, bound }) =>
      attempt(() => ({ table, ...getItem(table, { ...Get, ConsistentRead: true, ReturnConsumedCapacity }, undefined, bound) })),
    );
    const found = attempts.filter((one) => !(one instanceof AwsError)) as Exclude<(typeof attempts)[number], AwsError>[];
    if (hasTwice(found)) throw twiceInTransaction();
    if (found.length < attempts.length) {
      throw cancelled(attempts.map((one) => (one instanceof AwsError ? validationReason(one) : { Code: 'None' })));
    }
    return {
      Responses: found.map(({ Item }) => (Item ? { Item } : {})),
      ...this.#capacities(
        input,
        found.map(({ consumed }) => consumed),
        2,
      ),
    };
  }

  #transactWrite(input: TransactInput): Answer {
    const items = checkCount(input.TransactItems);
    const replay = this.#isReplay(input);
    return this.#options.transaction(() => {
      const parts = items.map((item) => {
        const entries = Object.entries(item) as [WriteKind, WriteInput][];
        if (entries.length !== 1) {
          throw invalid('TransactItems can only contain one of Check, Put, Update or Delete');
        }
        const [kind, write] = entries[0]!;
        if (kind === 'Update' && write.UpdateExpression === undefined)
          throw invalid('The UpdateExpression must be specified for an Update');
        return { table: this.#table(write), kind, write, bound: bindWrite(kind, write) };
      });
      // What only the items show is a reason of the cancellation; all that comes before is the request's own mistake.
      const attempts = parts.map(({ table, kind, write, bound }) => attempt(() => prepare(table, kind, write, bound)));
      const prepared = attempts.filter((one) => !(one instanceof AwsError)) as readonly Prepared[];
      if (hasTwice(prepared)) throw twiceInTransaction();
      if (prepared.length > fewItems && bytesOfAll(prepared) > mostTransactionBytes) throw invalid('Transaction item size exceeded: 4 MB');
      const consumed = prepared.map((write) => this.#consumed(input, write));
      if (replay) return this.#capacities(input, consumed, 2);
      if (prepared.length < attempts.length || prepared.some(({ holds }) => !holds)) {
        throw cancelled(attempts.map((one) => (one instanceof AwsError ? validationReason(one) : reasonOf(one))));
      }
      this.#apply(prepared.filter(({ kind }) => kind !== 'ConditionCheck'));
      this.#remember(input);
      return this.#capacities(input, consumed, 2);
    });
  }

  #isReplay({ ClientRequestToken: token, TransactItems }: TransactInput): boolean {
    if (token === undefined) return false;
    if (token.length > 36) {
      throw invalid(
        `1 validation error detected: Value '${token}' at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 36`,
      );
    }
    const known = this.#tokens.get(token);
    if (!known || known.until < this.#options.now()) return false;
    if (known.request === fingerprintOf(TransactItems)) return true;
    throw new AwsError('IdempotentParameterMismatchException', 'ClientRequestToken has been used with different parameters');
  }

  #remember({ ClientRequestToken: token, TransactItems }: TransactInput): void {
    if (token === undefined) return;
    const now = this.#options.now();
    for (const [old, { until }] of this.#tokens) {
      if (until >= now) break;
      this.#tokens.delete(old);
    }
    this.#tokens.set(token, { request: fingerprintOf(TransactItems), until: now + tokenMs });
  }

  #apply(writes: readonly Pick<Prepared, 'table' | 'key' | 'before' | 'after'>[]): void {
    const changes: Change[] = [];
    for (const { table, key, before, after } of writes) {
      // A delete of nothing is a success without a change.
      if (before === undefined && after === undefined) continue;
      table.storage.set(key, before, after);
      changes.push({ table: table.schema, before, after });
    }
    if (changes.length > 0) this.#options.onChange(changes);
  }

  #consumed(input: object, { table, before, after }: Prepared): Consumed {
    if (!asksCapacity(input)) return unasked;
    return consumedByWrite(table.schema, before, after);
  }

  /** An answer of a call on one table, with what it consumed if it asks. */
  #answer(input: object, answer: Answer, consumed: Consumed): Answer {
    const detail = capacityAsked(input);
    return detail === 'NONE' ? answer : { ...answer, ConsumedCapacity: capacityOf(consumed, detail) };
  }

  #capacities(input: object, consumed: readonly Consumed[], factor = 1): Answer {
    const detail = capacityAsked(input);
    return detail === 'NONE' ? {} : { ConsumedCapacity: total(consumed).map((one) => capacityOf(one, detail, factor)) };
  }
}

function checkLimit(operation: string, limit: number | undefined): void {
  if (limit === undefined || limit >= 1) return;
  const shown = operation === 'Query' ? "at 'Limit'" : `'${limit}' at 'limit'`;
  throw invalid(
    `1 validation error detected: Value ${shown} failed to satisfy constraint: Member must have value greater than or equal to 1`,
  );
}

function checkCount<Entry>(items: readonly Entry[] | undefined): readonly Entry[] {
  const fail = (shown: string, constraint: string): never => {
    throw invalid(`1 validation error detected: Value ${shown} at 'transactItems' failed to satisfy constraint: Member must ${constraint}`);
  };
  if (items === undefined) return fail('null', 'not be null');
  if (items.length === 0) return fail("'[]'", 'have length greater than or equal to 1');
  if (items.length > mostInTransaction) return fail(`'[${items.length} items]'`, `have length less than or equal to ${mostInTransaction}`);
  return items;
}

const twiceInTransaction = (): AwsError => invalid('Transaction request cannot include multiple operations on one item');

function attempt<Result>(work: () => Result): Result | AwsError {
  try {
    return work();
  } catch (error) {
    if (error instanceof AwsError && error.name === 'ValidationException') return error;
    throw error;
  }
}

const validationReason = ({ message }: AwsError): Record<string, unknown> => ({ Code: 'ValidationError', Message: message });

/** The same for the same request. SDKs give every transaction a token, and thousands are remembered: a hash each. */
function fingerprintOf(items: TransactInput['TransactItems']): string {
  const text = JSON.stringify(items, (_name, value: unknown) => {
    if (value instanceof BigDecimal) return formatNumber(value);
    return value instanceof ValueSet ? [value.type, ...[...value.members.keys()].toSorted()] : value;
  });
  return createHash('sha256').update(text).digest('base64');
}

const bytesOfAll = (writes: readonly Prepared[]): number =>
  writes.reduce((sum, { after, before }) => sum + (after ? itemBytes(after) : before ? itemBytes(before) : 0), 0);

/** Whether two of them are on one item. */
const hasTwice = (places: readonly { readonly table: Table; readonly key: StoredKey }[]): boolean =>
  places.some(({ table, key }, i) => {
    for (let j = 0; j < i; j++) {
      const other = places[j]!;
      const isSame = key.partition === other.key.partition && key.sort === other.key.sort;
      if (isSame && table.schema.name === other.table.schema.name) return true;
    }
    return false;
  });

function cancelled(reasons: readonly Record<string, unknown>[]): AwsError {
  const codes = reasons.map(({ Code }) => Code).join(', ');
  return new AwsError(
    'TransactionCanceledException',
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    { CancellationReasons: reasons },
  );
}
