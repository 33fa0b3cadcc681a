import { ConditionalCheckFailedException, TransactionCanceledException, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { IndexDefinition, KeyAttribute, TableDefinition } from '../../../lambdas/contract/core/tables.ts';
import { bytesOf, checkSendable, isTooLarge, mostPageBytes } from './values.ts';
import { conditionOf, InvalidExpression, nameOf, partitionValue, updateOf, type Bindings, type Item } from './expressions.ts';

/** One change of one item, as it happened. */
export interface Change {
  readonly table: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

/** What one command is: DynamoDB's name for the operation and its input, in the document client's form. */
export interface Call {
  readonly operation: string;
  readonly input: Input;
}

interface Expressions {
  readonly TableName: string;
  readonly Key?: Item;
  readonly Item?: Item;
  readonly UpdateExpression?: string;
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues?: Readonly<Record<string, unknown>>;
  readonly ReturnValuesOnConditionCheckFailure?: string;
}

export interface Input extends Expressions {
  readonly ReturnValues?: string;
  readonly IndexName?: string;
  readonly ConsistentRead?: boolean;
  readonly KeyConditionExpression?: string;
  readonly FilterExpression?: string;
  readonly ProjectionExpression?: string;
  readonly ExclusiveStartKey?: Item;
  readonly Limit?: number;
  readonly ScanIndexForward?: boolean;
  readonly Select?: string;
  readonly TransactItems?: readonly TransactItem[];
}

export type TransactItem = Partial<Record<'Put' | 'Update' | 'Delete' | 'ConditionCheck', Expressions>>;

const documentCommands: Readonly<Record<string, string>> = {
  GetCommand: 'GetItem',
  PutCommand: 'PutItem',
  UpdateCommand: 'UpdateItem',
  DeleteCommand: 'DeleteItem',
  QueryCommand: 'Query',
  ScanCommand: 'Scan',
  TransactWriteCommand: 'TransactWriteItems',
};
const itemCommands: ReadonlySet<string> = new Set(['GetItemCommand', 'PutItemCommand', 'UpdateItemCommand', 'DeleteItemCommand']);

/** Reads a command of either client. `typed`: it speaks attribute values, and so must its answer. */
export function callOf(command: object): Call & { readonly typed: boolean } {
  const name = command.constructor.name;
  const { input } = command as { input: Input };
  const operation = documentCommands[name];
  if (operation !== undefined) {
    for (const written of input.TransactItems?.map((item) => Object.values(item)[0]!) ?? [input]) {
      for (const values of [written.Item, written.Key, written.ExpressionAttributeValues]) if (values) checkSendable(values);
    }
    return { operation, input, typed: false };
  }
  if (!itemCommands.has(name)) throw new Error(`the in-memory database does not know ${name}`);
  const plain = { ...input };
  for (const field of ['Key', 'Item', 'ExpressionAttributeValues'] as const) {
    if (input[field]) Object.assign(plain, { [field]: unmarshall(input[field] as Record<string, AttributeValue>) });
  }
  return { operation: name.replace('Command', ''), input: plain, typed: true };
}

const separator = '\u0000';

/**
 * DynamoDB as far as this system uses it, in memory and synchronous: conditions, transactions, queries, sparse indexes.
 * It passes the contract tests that the emulator passes. Time is the caller's; nothing here waits, fails or forgets by itself.
 */
export class MemoryDatabase {
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #now: () => number;
  /** Told of every change after it happened, a transaction's changes together. */
  onChange: (changes: readonly Change[]) => void = () => undefined;

  /** @param now for the lag of indexes, in milliseconds */
  constructor(definitions: Readonly<Record<string, TableDefinition>>, now: () => number) {
    this.#now = now;
    this.#tables = new Map(Object.entries(definitions).map(([name, definition]) => [name, new Table(name, definition, now)]));
  }

  /** Every item of a table, in no order. */
  items(table: string): Item[] {
    return [...this.#table(table).items.values()];
  }

  find(table: string, key: Item): Item | undefined {
    return this.#table(table).find(key);
  }

  /** Keeps a table's indexes as they are until a time, as a lagging index does; what changes meanwhile shows up then. */
  freezeIndexes(table: string, until: number): void {
    this.#table(table).frozenUntil = Math.max(this.#table(table).frozenUntil, until);
  }

  /** Puts an item in the place of another, untold: what newer code reads in it, not a change. */
  replace(table: string, item: Item): void {
    const of = this.#table(table);
    const key = of.keyOf(item);
    of.set(key, of.items.get(key), frozen(item));
  }

  /** Deletes what has expired. @param seconds since 1970 */
  expire(seconds: number): void {
    for (const table of this.#tables.values()) {
      const attribute = table.definition.expiryAttribute;
      if (attribute === undefined) continue;
      for (const item of table.items.values()) {
        if (Number(item[attribute] ?? Infinity) < seconds) this.#apply([{ table, key: table.keyOf(item), after: undefined }]);
      }
    }
  }

  /**
   * Runs one call.
   *
   * @param lagMs a read that does not ask for consistency may not see what was written in the last milliseconds
   * @throws the errors that DynamoDB's client throws
   */
  execute({ operation, input }: Call, lagMs = 0): Record<string, unknown> {
    const asOf = input.ConsistentRead ? Infinity : this.#now() - lagMs;
    switch (operation) {
      case 'GetItem': {
        const table = this.#table(input.TableName);
        const item = lagMs > 0 ? table.findAsOf(input.Key!, asOf) : table.find(input.Key!);
        return { Item: item && project(item, input.ProjectionExpression, bindingsOf(input)) };
      }
      case 'PutItem':
      case 'UpdateItem':
      case 'DeleteItem':
        return this.#write(operation.replace('Item', '') as 'Put' | 'Update' | 'Delete', input);
      case 'Query':
        return this.#table(input.TableName).query(input, lagMs > 0 ? asOf : Infinity);
      case 'Scan':
        return this.#table(input.TableName).scan(input);
      case 'TransactWriteItems':
        return this.#transact(input.TransactItems ?? []);
      default:
        throw new Error(`the in-memory database does not know ${operation}`);
    }
  }

  #write(kind: keyof TransactItem, input: Input): Record<string, unknown> {
    const write = this.#prepare(kind, input);
    if (!write.holds) {
      const Item = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && write.before ? marshall(write.before) : undefined;
      throw new ConditionalCheckFailedException({ $metadata: {}, message: 'The conditional request failed', ...(Item ? { Item } : {}) });
    }
    this.#apply([write]);
    switch (input.ReturnValues) {
      case 'ALL_NEW':
      case 'UPDATED_NEW':
        return { Attributes: write.after };
      case 'ALL_OLD':
        return { Attributes: write.before };
      default:
        return {};
    }
  }

  #transact(items: readonly TransactItem[]): Record<string, unknown> {
    if (items.length > 100) throw new InvalidExpression('a transaction has at most 100 items');
    const writes = items.map((item) => {
      const [kind, input] = Object.entries(item)[0] as [keyof TransactItem, Expressions];
      return { ...this.#prepare(kind, input), check: kind === 'ConditionCheck', input };
    });
    if (new Set(writes.map(({ table, key }) => `${table.name}${separator}${key}`)).size < writes.length) {
      throw new InvalidExpression('Transaction request cannot include multiple operations on one item');
    }
    if (writes.some(({ holds }) => !holds)) {
      throw new TransactionCanceledException({
        $metadata: {},
        message: 'Transaction cancelled, please refer cancellation reasons for specific reasons',
        CancellationReasons: writes.map(({ holds, before, input }) => {
          if (holds) return { Code: 'None' };
          const asked = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before;
          return {
            Code: 'ConditionalCheckFailed',
            Message: 'The conditional request failed',
            ...(asked ? { Item: marshall(before) } : {}),
          };
        }),
      });
    }
    this.#apply(writes.filter(({ check }) => !check));
    return {};
  }

  #prepare(kind: keyof TransactItem, input: Expressions): Prepared {
    const table = this.#table(input.TableName);
    const bindings = bindingsOf(input);
    const keyed = (kind === 'Put' ? input.Item : input.Key)!;
    const before = table.find(keyed);
    const holds = conditionOf(input.ConditionExpression)(before ?? {}, bindings);
    const after = !holds || kind === 'Delete' ? undefined : afterOf(kind, input, before ?? input.Key ?? {}, bindings);
    if (after && isTooLarge(after)) throw new InvalidExpression('Item size has exceeded the maximum allowed size');
    return { table, key: table.keyOf(keyed), before, holds, after };
  }

  #apply(writes: readonly Pick<Prepared, 'table' | 'key' | 'after'>[]): void {
    const changes = writes.map(({ table, key, after }): Change => {
      const before = table.items.get(key);
      const stored = after && frozen(after);
      table.set(key, before, stored);
      return { table: table.name, before, after: stored };
    });
    this.onChange(changes);
  }

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (!table) throw new Error(`there is no table ${name}`);
    return table;
  }
}

interface Prepared {
  readonly table: Table;
  readonly key: string;
  readonly before: Item | undefined;
  readonly holds: boolean;
  readonly after: Item | undefined;
}

function afterOf(kind: keyof TransactItem, input: Expressions, before: Item, bindings: Bindings): Item {
  if (kind === 'Put') return input.Item!;
  return kind === 'Update' ? updateOf(input.UpdateExpression!)(before, bindings) : before;
}

function bindingsOf(input: Expressions): Bindings {
  return { names: input.ExpressionAttributeNames ?? {}, values: input.ExpressionAttributeValues ?? {} };
}

/** A copy that nobody can change, without undefined members, as the document client writes it. */
function frozen<Value>(value: Value): Value {
  if (value === null || typeof value !== 'object') {
    if (typeof value === 'number' && !Number.isFinite(value)) throw new InvalidExpression(`${value} is no number of DynamoDB`);
    return value;
  }
  if (Array.isArray(value)) return Object.freeze(value.map(frozen)) as Value;
  if (Object.isFrozen(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) if (member !== undefined) copy[name] = frozen(member);
  return Object.freeze(copy) as Value;
}

function project(item: Item, expression: string | undefined, bindings: Bindings): Item {
  if (expression === undefined) return item;
  const names = expression.split(',').map((token) => nameOf(token.trim(), bindings));
  return Object.fromEntries(names.flatMap((name) => (item[name] === undefined ? [] : [[name, item[name]]])));
}

class Table {
  readonly name: string;
  readonly definition: TableDefinition;
  readonly items = new Map<string, Item>();
  readonly #partitions = new Map<unknown, Map<string, Item>>();
  readonly #indexes: ReadonlyMap<string, { readonly definition: IndexDefinition; readonly partitions: Map<unknown, Map<string, Item>> }>;
  readonly #late: (() => void)[] = [];
  /** Key → what was there before the last write, and when that was. */
  readonly #previous = new Map<string, { readonly item: Item | undefined; readonly until: number }>();
  readonly #now: () => number;
  frozenUntil = 0;

  constructor(name: string, definition: TableDefinition, now: () => number) {
    this.name = name;
    this.definition = definition;
    this.#now = now;
    this.#indexes = new Map((definition.indexes ?? []).map((index) => [index.name, { definition: index, partitions: new Map() }]));
  }

  keyOf(item: Item): string {
    const { partitionKey, sortKey } = this.definition;
    const part = ({ name, type }: KeyAttribute): string => {
      const value = item[name];
      if (typeof value !== (type === 'S' ? 'string' : 'number') || value === '') {
        throw new InvalidExpression(`${this.name}: key attribute ${name} is missing or of the wrong type`);
      }
      return String(value);
    };
    return sortKey ? `${part(partitionKey)}${separator}${part(sortKey)}` : part(partitionKey);
  }

  find(key: Item): Item | undefined {
    return this.items.get(this.keyOf(key));
  }

  /** The item as it was at a time, if no more than one write has come since; otherwise as it was before the last. */
  findAsOf(key: Item, time: number): Item | undefined {
    const previous = this.#previous.get(this.keyOf(key));
    return previous && previous.until > time ? previous.item : this.find(key);
  }

  set(key: string, before: Item | undefined, after: Item | undefined): void {
    if (after) this.items.set(key, after);
    else this.items.delete(key);
    this.#previous.set(key, { item: before, until: this.#now() });
    move(this.#partitions, this.definition.partitionKey.name, key, before, after);
    if (this.#indexes.size === 0) return;
    this.#catchUp();
    const update = (): void => {
      for (const { definition, partitions } of this.#indexes.values()) {
        const shown = (item: Item | undefined): Item | undefined =>
          item && inIndex(item, definition) ? this.#projected(item, definition) : undefined;
        move(partitions, definition.partitionKey.name, key, shown(before), shown(after));
      }
    };
    if (this.frozenUntil > this.#now()) this.#late.push(update);
    else update();
  }

  /** A partition as it was: without what has come since, and with the former shape of what was changed. What was deleted stays away. */
  #entriesAsOf(entries: [string, Item][], time: number): [string, Item][] {
    return entries.flatMap(([key, item]): [string, Item][] => {
      const previous = this.#previous.get(key);
      const shown = previous && previous.until > time ? previous.item : item;
      return shown ? [[key, shown]] : [];
    });
  }

  #catchUp(): void {
    if (this.#late.length === 0 || this.frozenUntil > this.#now()) return;
    for (const update of this.#late.splice(0)) update();
  }

  #projected(item: Item, { projection, partitionKey, sortKey }: IndexDefinition): Item {
    if (projection === 'ALL') return item;
    const keys = [this.definition.partitionKey, this.definition.sortKey, partitionKey, sortKey];
    return Object.freeze(Object.fromEntries(keys.flatMap((key) => (key ? [[key.name, item[key.name]]] : []))));
  }

  /** Every item in the order of their keys, page by page. */
  scan({ ExclusiveStartKey, Limit = Infinity, FilterExpression, ...input }: Input): Record<string, unknown> {
    const keys = [...this.items.keys()].toSorted();
    const start = ExclusiveStartKey ? keys.findIndex((key) => key > this.keyOf(ExclusiveStartKey)) : 0;
    const page = start < 0 ? [] : keys.slice(start, start + Limit).map((key) => this.items.get(key)!);
    const bindings = bindingsOf(input);
    const found = page.filter((item) => conditionOf(FilterExpression)(item, bindings));
    const last = page.length === Limit ? page.at(-1) : undefined;
    const { partitionKey, sortKey } = this.definition;
    return {
      Items: found.map((item) => project(item, input.ProjectionExpression, bindings)),
      ScannedCount: page.length,
      ...(last
        ? { LastEvaluatedKey: Object.fromEntries([partitionKey, sortKey].flatMap((key) => (key ? [[key.name, last[key.name]]] : []))) }
        : {}),
    };
  }

  query(input: Input, asOf: number): Record<string, unknown> {
    this.#catchUp();
    const index = input.IndexName === undefined ? undefined : this.#indexes.get(input.IndexName);
    if (input.IndexName !== undefined && !index) throw new InvalidExpression(`${this.name} has no index ${input.IndexName}`);
    const { partitionKey, sortKey } = index?.definition ?? this.definition;
    const bindings = bindingsOf(input);
    const partition = partitionValue(input.KeyConditionExpression!, partitionKey.name, bindings);
    const matches = conditionOf(input.KeyConditionExpression);
    const now = [...((index?.partitions ?? this.#partitions).get(partition) ?? [])];
    const seen = asOf === Infinity || index ? now : this.#entriesAsOf(now, asOf);
    const entries = seen.filter(([, item]) => matches(item, bindings));
    const rank = ([key, item]: [string, Item]): [string | number, string] => [sortKey ? (item[sortKey.name] as string | number) : '', key];
    entries.sort((a, b) => {
      const [[sortA, keyA], [sortB, keyB]] = [rank(a), rank(b)];
      return sortA < sortB ? -1 : sortA > sortB ? 1 : keyA < keyB ? -1 : 1;
    });
    if (input.ScanIndexForward === false) entries.reverse();
    let start = 0;
    if (input.ExclusiveStartKey) {
      // The place is found by its keys even when its item is gone.
      const place = rank([this.keyOf(input.ExclusiveStartKey), input.ExclusiveStartKey]);
      const after = ([sort, key]: [string | number, string]): boolean => {
        const behind = sort > place[0] || (sort === place[0] && key > place[1]);
        return input.ScanIndexForward === false ? !behind && key !== place[1] : behind;
      };
      start = entries.findIndex((entry) => after(rank(entry)));
      if (start < 0) start = entries.length;
    }
    const page = pageOf(entries.slice(start, start + (input.Limit ?? Infinity)));
    const last = page.length === input.Limit || page.length < entries.length - start ? page.at(-1)?.[1] : undefined;
    const filter = conditionOf(input.FilterExpression);
    const found = page.map(([, item]) => item).filter((item) => filter(item, bindings));
    const keys = [this.definition.partitionKey, this.definition.sortKey, partitionKey, sortKey];
    return {
      Count: found.length,
      ScannedCount: page.length,
      ...(input.Select === 'COUNT' ? {} : { Items: found.map((item) => project(item, input.ProjectionExpression, bindings)) }),
      ...(last ? { LastEvaluatedKey: Object.fromEntries(keys.flatMap((key) => (key ? [[key.name, last[key.name]]] : []))) } : {}),
    };
  }
}

/** As many entries as one page holds. */
function pageOf(entries: [string, Item][]): [string, Item][] {
  // Ordinary items are far below the 10 KB that a hundred of them need to fill a page.
  if (entries.length < 3) return entries;
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    bytes += bytesOf(entries[i]![1]);
    if (bytes > mostPageBytes) return entries.slice(0, Math.max(1, i));
  }
  return entries;
}

function inIndex(item: Item, { partitionKey, sortKey }: IndexDefinition): boolean {
  return item[partitionKey.name] !== undefined && (!sortKey || item[sortKey.name] !== undefined);
}

function move(
  partitions: Map<unknown, Map<string, Item>>,
  attribute: string,
  key: string,
  before: Item | undefined,
  after: Item | undefined,
): void {
  if (before) partitions.get(before[attribute])?.delete(key);
  if (!after) return;
  const partition = partitions.get(after[attribute]);
  if (partition) partition.set(key, after);
  else partitions.set(after[attribute], new Map([[key, after]]));
}
