import { AwsError } from '../aws-error.ts';
import { invalid, unreadable } from './problems.ts';
import type { Item, Value } from './values.ts';
import { readItem, readValue, writeItem } from './wire.ts';

export type Answer = Record<string, unknown>;
export type Input = Readonly<Record<string, unknown>>;

/** Parameters from before there were expressions. */
const legacy = ['AttributesToGet', 'AttributeUpdates', 'ConditionalOperator', 'Expected', 'KeyConditions', 'QueryFilter', 'ScanFilter'];

/** A null in the protocol says what nothing says. */
export const withoutNulls = (input: Input): Input => Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));

const types: Readonly<Record<string, string>> = {
  TableName: 'string',
  IndexName: 'string',
  ConditionExpression: 'string',
  FilterExpression: 'string',
  KeyConditionExpression: 'string',
  ProjectionExpression: 'string',
  UpdateExpression: 'string',
  ClientRequestToken: 'string',
  ReturnValues: 'string',
  ReturnConsumedCapacity: 'string',
  Select: 'string',
  ExpressionAttributeNames: 'object',
  ConsistentRead: 'boolean',
  ScanIndexForward: 'boolean',
  Limit: 'number',
  Segment: 'number',
  TotalSegments: 'number',
};

/** @throws SerializationException for a parameter of another type than the operations have */
export function checkTypes(input: Input): Input {
  for (const name in input) {
    const type = types[name];
    if (type !== undefined && typeof input[name] !== type) throw unreadable(`${name} must be a ${type}`);
  }
  return input;
}

type Reader = (input: Input) => Input;

function single(input: Input): Input {
  for (const name of legacy) {
    if (input[name] !== undefined) throw invalid(`the embedded DynamoDB does not know the legacy parameter ${name}; use an expression`);
  }
  const { Key, Item: item, ExclusiveStartKey, ExpressionAttributeValues, ...rest } = input;
  return {
    ...rest,
    ...(Key === undefined ? {} : { Key: readItem(Key) }),
    ...(item === undefined ? {} : { Item: readItem(item) }),
    ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey: readItem(ExclusiveStartKey) }),
    ...(ExpressionAttributeValues === undefined ? {} : { ExpressionAttributeValues: readBindings(ExpressionAttributeValues) }),
  };
}

function readBindings(raw: unknown): Readonly<Record<string, Value>> {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) throw unreadable('Unexpected value type in payload');
  return Object.fromEntries(
    Object.entries(raw).map(([name, value]) => {
      try {
        return [name, readValue(value)];
      } catch (error) {
        if (error instanceof AwsError && error.name === 'ValidationException') {
          throw invalid(`ExpressionAttributeValues contains invalid value: ${error.message} for key ${name}`);
        }
        throw error;
      }
    }),
  );
}

const required =
  (...names: readonly string[]): Reader =>
  (input) => {
    for (const name of names) {
      if (input[name] !== undefined) continue;
      const member = `${name[0]!.toLowerCase()}${name.slice(1)}`;
      throw invalid(`1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`);
    }
    return single(input);
  };

const list = (value: unknown): readonly Input[] => {
  if (!Array.isArray(value)) throw unreadable('Unexpected field type');
  return value as Input[];
};

const perTable = (input: Input, read: (value: unknown) => unknown): Input => {
  const { RequestItems } = input;
  if (RequestItems === undefined || Object.keys(RequestItems as object).length === 0) {
    const shown = RequestItems === undefined ? 'null' : "'{}'";
    throw invalid(
      `1 validation error detected: Value ${shown} at 'requestItems' failed to satisfy constraint: Member must ${RequestItems === undefined ? 'not be null' : 'have length greater than or equal to 1'}`,
    );
  }
  return { ...input, RequestItems: Object.fromEntries(Object.entries(RequestItems as object).map(([name, value]) => [name, read(value)])) };
};

const eachOf = (value: Input): Input =>
  Object.fromEntries(Object.entries(withoutNulls(value)).map(([kind, inner]) => [kind, single(checkTypes(withoutNulls(inner as Input)))]));

/** Operation → reads its input: from the protocol's form of items into the engine's. */
export const readers: Readonly<Record<string, Reader>> = {
  GetItem: required('TableName', 'Key'),
  PutItem: required('TableName', 'Item'),
  UpdateItem: required('TableName', 'Key'),
  DeleteItem: required('TableName', 'Key'),
  Query: required('TableName'),
  Scan: required('TableName'),
  BatchGetItem: (input) =>
    perTable(input, (value) => ({
      ...single(withoutNulls(value as Input)),
      Keys: list((value as Input)['Keys']).map((key) => readItem(key)),
    })),
  BatchWriteItem: (input) => perTable(input, (value) => list(value).map(eachOf)),
  TransactGetItems: (input) => transactional(input),
  TransactWriteItems: (input) => transactional(input),
};

function transactional(input: Input): Input {
  const { TransactItems } = input;
  return TransactItems === undefined ? input : { ...input, TransactItems: list(TransactItems).map(eachOf) };
}

const itemMembers: ReadonlySet<string> = new Set(['Item', 'Attributes', 'LastEvaluatedKey']);

/** An answer in the protocol's form. */
export function written(answer: Answer): Answer {
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => {
      if (itemMembers.has(name)) return [name, writeItem(value as Item)];
      if (name === 'Items') return [name, (value as Item[]).map(writeItem)];
      if (name === 'Responses') return [name, writtenResponses(value)];
      if (name === 'UnprocessedKeys') return [name, writtenKeys(value as Record<string, { Keys: Item[] }>)];
      return [name, value];
    }),
  );
}

function writtenResponses(value: unknown): unknown {
  if (Array.isArray(value)) return (value as Answer[]).map(written);
  return Object.fromEntries(Object.entries(value as Record<string, Item[]>).map(([table, items]) => [table, items.map(writeItem)]));
}

const writtenKeys = (tables: Record<string, { Keys: Item[] }>): unknown =>
  Object.fromEntries(Object.entries(tables).map(([table, { Keys, ...rest }]) => [table, { ...rest, Keys: Keys.map(writeItem) }]));

/** An error with its items in the protocol's form. */
export function writtenError(error: AwsError): AwsError {
  const { Item: item, CancellationReasons: reasons } = error.fields as { Item?: Item; CancellationReasons?: Answer[] };
  if (!item && !reasons) return error;
  return new AwsError(error.name, error.message, {
    ...error.fields,
    ...(item ? { Item: writeItem(item) } : {}),
    ...(reasons ? { CancellationReasons: reasons.map(written) } : {}),
  });
}
