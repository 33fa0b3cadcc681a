import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, vi } from 'vitest';
import { callService } from '../../src/call.ts';
import { AwsError } from '../../src/aws-error.ts';
import { differences } from '../dynamodb/differences.ts';
import { startEngine } from './engine.ts';

/** A value as the protocol writes it: `{ S: 'text' }`, `{ N: '1' }`. */
export type Value = Readonly<Record<string, unknown>>;
export type Item = Readonly<Record<string, Value>>;

export interface Capacity {
  readonly TableName: string;
  readonly CapacityUnits: number;
  readonly Table?: { readonly CapacityUnits: number };
  readonly GlobalSecondaryIndexes?: Readonly<Record<string, { readonly CapacityUnits: number }>>;
}

export interface StreamRecord {
  readonly eventID: string;
  readonly eventName: string;
  readonly dynamodb: {
    readonly Keys: Item;
    readonly NewImage?: Item;
    readonly OldImage?: Item;
    readonly SequenceNumber: string;
    readonly SizeBytes: number;
    readonly StreamViewType: string;
    readonly ApproximateCreationDateTime: number;
  };
}

export interface Shard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
  readonly SequenceNumberRange: { readonly StartingSequenceNumber: string; readonly EndingSequenceNumber?: string };
}

/** What the operations answer with, as far as the suite reads it. */
export interface Answer extends Record<string, unknown> {
  readonly Item?: Item;
  readonly Attributes?: Item;
  readonly Items?: readonly Item[];
  readonly Count?: number;
  readonly ScannedCount?: number;
  readonly LastEvaluatedKey?: Item;
  readonly ConsumedCapacity?: Capacity;
  readonly TableNames?: readonly string[];
  readonly LastEvaluatedTableName?: string;
  readonly Table?: Readonly<Record<string, unknown>>;
  readonly TableDescription?: Readonly<Record<string, unknown>>;
  readonly Streams?: readonly { readonly StreamArn: string; readonly TableName: string; readonly StreamLabel: string }[];
  readonly StreamDescription?: { readonly Shards: readonly Shard[]; readonly StreamStatus: string; readonly LastEvaluatedShardId?: string };
  readonly ShardIterator?: string;
  readonly NextShardIterator?: string;
  readonly Records?: readonly StreamRecord[];
}

/** Attribute → type: the first is the partition key, the second the sort key. */
type Keys = Readonly<Record<string, 'S' | 'N' | 'B'>>;

interface Index {
  readonly keys: Keys;
  /** Everything unless told otherwise; a list is INCLUDE. */
  readonly projection?: 'KEYS_ONLY' | readonly string[];
}

interface TableInput {
  readonly keys: Keys;
  readonly indexes?: Readonly<Record<string, Index>>;
  readonly localIndexes?: Readonly<Record<string, Index>>;
  readonly stream?: 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES' | 'KEYS_ONLY';
}

export const uniqueName = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`;

const streamOperations = new Set(['ListStreams', 'DescribeStream', 'GetShardIterator', 'GetRecords']);

let endpoint: string;
const created: string[] = [];

/** The DynamoDB of a test file: call it at the top of the file. */
export function useDynamoDb(): void {
  let stop: () => Promise<void>;
  beforeAll(async () => {
    ({ endpoint, stop } = await startService());
  });
  afterAll(async () => {
    await Promise.all(created.splice(0).map((TableName) => call('DeleteTable', { TableName }).catch(() => undefined)));
    await stop();
  });
  // A known difference must still be there: the test fails when the emulator begins to behave as AWS does.
  beforeEach(({ task }) => {
    const name = task.name.replaceAll(/-[0-9a-f]{8}(?=")/g, '-<id>');
    if ([name, `${task.suite?.name} ${name}`].some((test) => known?.behaviour[test] !== undefined))
      (task as { fails?: boolean }).fails = true;
  });
}

/** The service under test: one that the environment names, Amazon's DynamoDB Local unless it says otherwise, or the runtime's own. */
async function startService(): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  const named = process.env['TEST_DYNAMODB_ENDPOINT'];
  if (named !== undefined) return { endpoint: named, stop: () => Promise.resolve() };
  return startEngine();
}

const known =
  process.env['TEST_DYNAMODB_ENDPOINT'] === undefined ? undefined : differences[process.env['TEST_DYNAMODB_EMULATOR'] ?? 'dynamodb-local'];

export function call(operation: string, input: unknown): Promise<Answer> {
  const service = streamOperations.has(operation) ? 'DynamoDBStreams_20120810' : 'DynamoDB_20120810';
  return callService(endpoint, `${service}.${operation}`, input);
}

/** What goes over the wire, for what the protocol itself says. */
export const send = (target: string, body: string): Promise<Response> =>
  fetch(endpoint, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': target,
      'x-amz-date': '20260101T000000Z',
      authorization: 'AWS4-HMAC-SHA256 Credential=LOCALRUNTIME/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
    },
  });

/** @returns the error that the call is answered with, its name the code @throws Error when it succeeds */
export async function failure(operation: string, input: unknown): Promise<AwsError> {
  try {
    await call(operation, input);
  } catch (error) {
    if (error instanceof AwsError) return error;
    throw error;
  }
  throw new Error(`${operation} succeeded`);
}

/** What a message of AWS is in the words of the service under test. */
export const wording = (expected: string): unknown =>
  known?.messages === undefined ? expect.toBeOneOf([known?.wording[expected] ?? expected].flat()) : expect.any(String);

/**
 * @param expected `Code: message` as AWS answers, with `<table>` for the name of a table, or `Code` alone where AWS's message changes.
 */
export async function expectRefusal(operation: string, input: unknown, expected: string): Promise<void> {
  const { name, fields: body } = await failure(operation, input);
  const [code] = expected.split(': ');
  if (code === expected || known?.messages !== undefined) return expect(name, String(body['message'] ?? body['Message'])).toBe(code);
  const { TableName = '' } = input as { TableName?: string };
  const tables = [...created, TableName].filter((table) => table.length > 8);
  const message = tables.reduce((text, table) => text.replaceAll(table, '<table>'), String(body['message'] ?? body['Message']));
  expect([known?.wording[expected] ?? expected].flat()).toContain(`${name}: ${message}`);
}

/** Creates a table with a unique name, which is deleted when the file is done. @returns its name */
export async function createTable({ keys, indexes = {}, localIndexes = {}, stream }: TableInput): Promise<string> {
  const TableName = uniqueName('engine');
  const definitions = [keys, ...[indexes, localIndexes].flatMap((all) => Object.values(all).map((index) => index.keys))];
  const attributes = Object.entries(Object.assign({}, ...definitions) as Keys);
  created.push(TableName);
  const { TableDescription } = await call('CreateTable', {
    TableName,
    KeySchema: keySchema(...Object.keys(keys)),
    AttributeDefinitions: attributes.map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    BillingMode: 'PAY_PER_REQUEST',
    ...(Object.keys(indexes).length > 0 ? { GlobalSecondaryIndexes: indexList(indexes) } : {}),
    ...(Object.keys(localIndexes).length > 0 ? { LocalSecondaryIndexes: indexList(localIndexes) } : {}),
    ...(stream ? { StreamSpecification: { StreamEnabled: true, StreamViewType: stream } } : {}),
  });
  if (TableDescription?.['TableStatus'] !== 'ACTIVE') {
    await vi.waitFor(async () => expect((await call('DescribeTable', { TableName })).Table?.['TableStatus']).toBe('ACTIVE'), 10_000);
  }
  return TableName;
}

export const keySchema = (...names: string[]): { AttributeName: string; KeyType: string }[] =>
  names.map((AttributeName, place) => ({ AttributeName, KeyType: place === 0 ? 'HASH' : 'RANGE' }));

const indexList = (indexes: Readonly<Record<string, Index>>): unknown[] =>
  Object.entries(indexes).map(([IndexName, { keys, projection }]) => ({
    IndexName,
    KeySchema: keySchema(...Object.keys(keys)),
    Projection: Array.isArray(projection)
      ? { ProjectionType: 'INCLUDE', NonKeyAttributes: projection }
      : { ProjectionType: projection ?? 'ALL' },
  }));
