import { ConditionalCheckFailedException, TransactionCanceledException, type AttributeValue } from '@aws-sdk/client-dynamodb';
import type { TableDefinition } from '@outbox-saga/kit/tables';
import { AwsError } from '@outbox-saga/emulator/aws-error';
import { DynamoEngine } from '@outbox-saga/emulator/dynamodb/engine';
import { MemoryTable } from '@outbox-saga/emulator/dynamodb/memory';
import type { ReadInput, TransactItem, WriteInput } from '@outbox-saga/emulator/dynamodb/requests';
import { keyOfItem, keyOfRequest } from '@outbox-saga/emulator/dynamodb/schema';
import { takeValue, type Item as EngineItem } from '@outbox-saga/emulator/dynamodb/values';
import { readItem, writeItem } from '@outbox-saga/emulator/dynamodb/wire';
import { checkSendable } from './sendable.ts';

/** An item as the document client shows it. */
export type Item = Readonly<Record<string, unknown>>;

/** One change of one item, as it happened. */
export interface Change {
  readonly table: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

export interface Input extends ReadInput, WriteInput {
  readonly TransactItems?: readonly TransactItem[];
}

export type { TransactItem };

/** What one command is: DynamoDB's name for the operation and its input, in the document client's form. */
export interface Call {
  readonly operation: string;
  readonly input: Input;
}

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
    if (input.TransactItems) for (const item of input.TransactItems) checkValues(Object.values(item)[0]!);
    else checkValues(input);
    return { operation, input, typed: false };
  }
  if (!itemCommands.has(name)) throw new Error(`the in-memory database does not know ${name}`);
  const plain = { ...input };
  for (const field of ['Key', 'Item', 'ExpressionAttributeValues'] as const) {
    if (input[field]) Object.assign(plain, { [field]: readItem(input[field]) });
  }
  return { operation: name.replace('Command', ''), input: plain, typed: true };
}

function checkValues({ Item: item, Key: key, ExpressionAttributeValues: values }: WriteInput): void {
  if (item) checkSendable(item);
  if (key) checkSendable(key);
  if (values) checkSendable(values);
}

/**
 * The runtime's own DynamoDB over memory, as the simulation needs it: without a protocol, with indexes and replicas that lag. Time is the caller's; nothing
 * here waits, fails or forgets by itself.
 */
export class MemoryDatabase {
  readonly #tables: ReadonlyMap<string, MemoryTable>;
  readonly #engine: DynamoEngine;
  /** Told of every change after it happened, a transaction's changes together. */
  onChange: (changes: readonly Change[]) => void = () => undefined;

  /** @param now for what lags, in milliseconds */
  constructor(definitions: Readonly<Record<string, TableDefinition>>, now: () => number) {
    this.#tables = new Map(
      Object.entries(definitions).map(([name, definition]) => [
        name,
        // Its sources ask `onChange`, and no log of a stream.
        new MemoryTable({ ...definition, name, stream: undefined }, now),
      ]),
    );
    this.#engine = new DynamoEngine({
      table: (name) => {
        const storage = this.#table(name);
        return { schema: storage.schema, storage };
      },
      now,
      transaction: (work) => work(),
      onChange: (changes) => this.onChange(changes.map(({ table, before, after }) => ({ table: table.name, before, after }))),
    });
  }

  /** Every item of a table, in no order. */
  items(table: string): Item[] {
    return [...this.#table(table).items()];
  }

  find(table: string, key: Item): Item | undefined {
    const storage = this.#table(table);
    return storage.get(keyOfRequest(storage.schema, key as EngineItem));
  }

  /** Keeps a table's indexes as they are until a time, as a lagging index does; what changes meanwhile shows up then. */
  freezeIndexes(table: string, until: number): void {
    this.#table(table).freezeIndexes(until);
  }

  /** Puts an item in the place of another, untold: what newer code reads in it, not a change. */
  replace(table: string, item: Item): void {
    const storage = this.#table(table);
    const taken = takeValue(item) as EngineItem;
    const key = keyOfItem(storage.schema, taken);
    storage.set(key, storage.get(key), taken);
  }

  /** Deletes what has expired. */
  expire(): void {
    for (const storage of this.#tables.values()) this.#engine.expire({ schema: storage.schema, storage });
  }

  /**
   * Runs one call.
   *
   * @param lagMs a read that does not ask for consistency may not see what was written in the last milliseconds
   * @throws the errors that DynamoDB's client throws
   */
  execute({ operation, input }: Call, lagMs = 0): Record<string, unknown> {
    try {
      return this.#engine.execute(operation, input, lagMs);
    } catch (error) {
      throw error instanceof AwsError ? clientError(error) : error;
    }
  }

  #table(name: string): MemoryTable {
    const table = this.#tables.get(name);
    if (!table) throw new Error(`there is no table ${name}`);
    return table;
  }
}

/** The exception of the SDK for an error of AWS, where callers look for one. */
function clientError(error: AwsError): Error {
  const { Item: item, CancellationReasons: reasons } = error.fields as { Item?: EngineItem; CancellationReasons?: { Item?: EngineItem }[] };
  const typed = (of: EngineItem): Record<string, AttributeValue> => writeItem(of) as unknown as Record<string, AttributeValue>;
  const { message } = error;
  switch (error.name) {
    case 'ConditionalCheckFailedException':
      return new ConditionalCheckFailedException({ $metadata: {}, message, ...(item ? { Item: typed(item) } : {}) });
    case 'TransactionCanceledException':
      return new TransactionCanceledException({
        $metadata: {},
        message,
        CancellationReasons: reasons!.map(({ Item: found, ...reason }) => ({ ...reason, ...(found ? { Item: typed(found) } : {}) })),
      });
    default:
      return error;
  }
}
