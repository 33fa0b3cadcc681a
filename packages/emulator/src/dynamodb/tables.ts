import { AwsError } from '../aws-error.ts';
import { invalid, invalidValues } from './problems.ts';
import type { IndexSchema, KeyAttribute, KeySchema, StreamView, TableSchema } from './schema.ts';
import type { TableStorage } from './storage.ts';

/** What is kept of a table beside its items. */
export interface TableRecord {
  readonly schema: TableSchema;
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly billingMode: 'PAY_PER_REQUEST' | 'PROVISIONED';
  readonly throughput?: Throughput;
  readonly deletionProtection?: boolean;
  /** The stream's label and its one shard; a new stream has others. They stay when the stream is turned off: it can be read for a day. */
  readonly streamLabel?: string;
  /** What the stream showed before it was turned off. */
  readonly closedView?: StreamView;
  readonly shardId?: string;
}

export interface Throughput {
  readonly ReadCapacityUnits: number;
  readonly WriteCapacityUnits: number;
}

export interface Table {
  readonly schema: TableSchema;
  readonly storage: TableStorage;
}

interface KeySchemaElement {
  readonly AttributeName: string;
  readonly KeyType: string;
}

interface IndexInput {
  readonly IndexName: string;
  readonly KeySchema: readonly KeySchemaElement[];
  readonly Projection?: { readonly ProjectionType?: string; readonly NonKeyAttributes?: readonly string[] };
  readonly ProvisionedThroughput?: Throughput;
}

export interface CreateTableInput {
  readonly TableName: string;
  readonly KeySchema?: readonly KeySchemaElement[];
  readonly AttributeDefinitions?: readonly { readonly AttributeName: string; readonly AttributeType: string }[];
  readonly GlobalSecondaryIndexes?: readonly IndexInput[];
  readonly LocalSecondaryIndexes?: readonly IndexInput[];
  readonly BillingMode?: string;
  readonly ProvisionedThroughput?: Throughput;
  readonly StreamSpecification?: { readonly StreamEnabled?: boolean; readonly StreamViewType?: string };
  readonly DeletionProtectionEnabled?: boolean;
}

const mostGlobalIndexes = 20;
const mostLocalIndexes = 5;
const streamViews: ReadonlySet<string> = new Set(['KEYS_ONLY', 'NEW_IMAGE', 'OLD_IMAGE', 'NEW_AND_OLD_IMAGES']);

/** @throws ValidationException with the constraint in AWS's words */
export function checkName(value: unknown, member: string): string {
  const fail = (constraint: string): never => {
    const shown = value === undefined || value === null ? 'null' : `'${String(value)}'`;
    throw invalid(`1 validation error detected: Value ${shown} at '${member}' failed to satisfy constraint: Member must ${constraint}`);
  };
  if (typeof value !== 'string') {
    if (member === 'tableName') throw invalid("The parameter 'TableName' is required but was not present in the request");
    return fail('not be null');
  }
  if (!/^[a-zA-Z0-9_.-]*$/.test(value)) fail('satisfy regular expression pattern: [a-zA-Z0-9_.-]+');
  if (value.length < 3) fail('have length greater than or equal to 3');
  if (value.length > 255) fail('have length less than or equal to 255');
  return value;
}

/** Reads what a table is to be. @throws ValidationException for everything that is wrong with it */
export function recordOf(input: CreateTableInput, made: Pick<TableRecord, 'id' | 'createdAt'>): TableRecord {
  const name = checkName(input.TableName, 'tableName');
  const definitions = new Map((input.AttributeDefinitions ?? []).map(({ AttributeName, AttributeType }) => [AttributeName, AttributeType]));
  const given = input.AttributeDefinitions ?? [];
  for (const [i, { AttributeType: type }] of given.entries()) {
    if (!['S', 'N', 'B'].includes(type)) {
      throw invalid(
        `1 validation error detected: Value '${type}' at 'attributeDefinitions.${i + 1}.member.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]`,
      );
    }
  }
  if (definitions.size < given.length) throw invalidValues('Duplicate AttributeName in AttributeDefinitions');
  if (input.KeySchema === undefined)
    throw invalid("1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: Member must not be null");
  const used = new Set<string>();
  const keysOf = (elements: readonly KeySchemaElement[], ofTable = false): KeySchema => readKeys(elements, definitions, used, ofTable);
  const keys = keysOf(input.KeySchema, true);
  const indexes = [
    ...(input.GlobalSecondaryIndexes ?? []).map((index) => indexOf(index, keysOf(index.KeySchema), false)),
    ...(input.LocalSecondaryIndexes ?? []).map((index) => localIndexOf(index, keysOf(index.KeySchema), keys)),
  ];
  checkIndexes(input, indexes);
  if ([...definitions.keys()].some((attribute) => !used.has(attribute))) {
    throw invalidValues(`Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions`);
  }
  const billingMode = billingOf(input);
  const view = streamViewOf(input.StreamSpecification);
  return {
    ...made,
    schema: { name, ...keys, ...(indexes.length > 0 ? { indexes } : {}), ...(view ? { stream: view } : {}) },
    billingMode,
    ...(input.ProvisionedThroughput ? { throughput: input.ProvisionedThroughput } : {}),
    ...(input.DeletionProtectionEnabled ? { deletionProtection: true } : {}),
    ...(view ? streamOf(made.createdAt, made.id) : {}),
  };
}

/** A stream is named by when it was made; so is its shard. */
export function streamOf(createdAt: number, id: string): Pick<TableRecord, 'streamLabel' | 'shardId'> {
  return {
    streamLabel: new Date(createdAt).toISOString().replace('Z', ''),
    shardId: `shardId-${String(createdAt).padStart(20, '0')}-${id.replaceAll('-', '').slice(0, 8)}`,
  };
}

function readKeys(
  elements: readonly KeySchemaElement[],
  definitions: ReadonlyMap<string, string>,
  used: Set<string>,
  ofTable: boolean,
): KeySchema {
  for (const [i, { KeyType: type }] of elements.entries()) {
    if (type === 'HASH' || type === 'RANGE') continue;
    throw invalid(
      `1 validation error detected: Value '${type}' at 'keySchema.${i + 1}.member.keyType' failed to satisfy constraint: Member must satisfy enum value set: [HASH, RANGE]`,
    );
  }
  const [first, second] = elements;
  if (!first || elements.length > 2) {
    throw invalid(
      `1 validation error detected: Value at 'keySchema' failed to satisfy constraint: Member must have length ${first ? 'less than or equal to 2' : 'greater than or equal to 1'}`,
    );
  }
  if (first.KeyType !== 'HASH') throw invalid('Invalid KeySchema: The first KeySchemaElement is not a HASH key type');
  if (second && second.KeyType !== 'RANGE') throw invalid('Invalid KeySchema: The second KeySchemaElement is not a RANGE key type');
  if (second && second.AttributeName === first.AttributeName) {
    throw invalid('Both the Hash Key and the Range Key element in the KeySchema have the same name');
  }
  if (ofTable && elements.length > definitions.size) throw invalid('Invalid KeySchema: Some index key attribute have no definition');
  const attribute = ({ AttributeName: name }: KeySchemaElement): KeyAttribute => {
    const type = definitions.get(name);
    if (type === undefined) {
      const keys = elements.map((element) => element.AttributeName).join(', ');
      throw invalidValues(
        `Some index key attributes are not defined in AttributeDefinitions. Keys: [${keys}], AttributeDefinitions: [${[...definitions.keys()].join(', ')}]`,
      );
    }
    used.add(name);
    return { name, type: type as KeyAttribute['type'] };
  };
  return { partitionKey: attribute(first), ...(second ? { sortKey: attribute(second) } : {}) };
}

function indexOf({ IndexName, Projection }: IndexInput, keys: KeySchema, local: boolean): IndexSchema {
  const name = checkName(IndexName, 'indexName');
  const type = Projection?.ProjectionType;
  const more = Projection?.NonKeyAttributes;
  if (type === undefined) throw invalidValues('Unknown ProjectionType: null');
  if (!['ALL', 'KEYS_ONLY', 'INCLUDE'].includes(type)) throw invalidValues(`Unknown ProjectionType: ${type}`);
  if (type === 'INCLUDE' && (more === undefined || more.length === 0)) {
    throw invalidValues('ProjectionType is INCLUDE, but NonKeyAttributes is not specified');
  }
  if (type !== 'INCLUDE' && more !== undefined) throw invalidValues(`ProjectionType is ${type}, but NonKeyAttributes is specified`);
  return {
    name,
    ...keys,
    projection: type === 'INCLUDE' ? { include: more! } : (type as 'ALL' | 'KEYS_ONLY'),
    ...(local ? { local } : {}),
  };
}

function localIndexOf(input: IndexInput, keys: KeySchema, table: KeySchema): IndexSchema {
  if (!table.sortKey)
    throw invalidValues('Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex');
  if (!keys.sortKey) throw invalidValues(`Index KeySchema does not have a range key for index: ${input.IndexName}`);
  if (keys.partitionKey.name !== table.partitionKey.name) {
    throw invalidValues(
      `Index KeySchema does not have the same leading hash key as table KeySchema for index: ${input.IndexName}. index hash key: ${keys.partitionKey.name}, table hash key: ${table.partitionKey.name}`,
    );
  }
  return indexOf(input, keys, true);
}

function checkIndexes(
  { GlobalSecondaryIndexes: global, LocalSecondaryIndexes: local }: CreateTableInput,
  indexes: readonly IndexSchema[],
): void {
  if (global?.length === 0) throw invalidValues('List of GlobalSecondaryIndexes is empty');
  if (local?.length === 0) throw invalidValues('List of LocalSecondaryIndexes is empty');
  const seen = new Set<string>();
  for (const { name } of indexes) {
    if (seen.has(name)) throw invalidValues(`Duplicate index name: ${name}`);
    seen.add(name);
  }
  if ((global?.length ?? 0) > mostGlobalIndexes) throw invalidValues('GlobalSecondaryIndex count exceeds the per-table limit of 20');
  if ((local?.length ?? 0) > mostLocalIndexes) throw invalidValues('Number of LocalSecondaryIndexes exceeds per-table limit of 5');
}

function billingOf({ BillingMode = 'PROVISIONED', ProvisionedThroughput }: CreateTableInput): TableRecord['billingMode'] {
  if (BillingMode !== 'PROVISIONED' && BillingMode !== 'PAY_PER_REQUEST') {
    throw invalid(
      `1 validation error detected: Value '${BillingMode}' at 'billingMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]`,
    );
  }
  if (BillingMode === 'PAY_PER_REQUEST' && ProvisionedThroughput) {
    throw invalidValues('Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST');
  }
  if (BillingMode === 'PROVISIONED' && !ProvisionedThroughput) {
    throw invalidValues('ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED');
  }
  return BillingMode;
}

export function streamViewOf(specification: CreateTableInput['StreamSpecification']): StreamView | undefined {
  if (!specification?.StreamEnabled) {
    if (specification?.StreamViewType !== undefined) {
      throw invalidValues('Table StreamSpecification.StreamViewType cannot be specified when StreamEnabled is false');
    }
    return undefined;
  }
  const view = specification.StreamViewType;
  if (view === undefined) throw invalidValues('Table StreamSpecification.StreamViewType must be specified when StreamEnabled is true');
  if (!streamViews.has(view)) throw invalidValues(`Unknown StreamViewType: ${view}`);
  return view as StreamView;
}

export const tableNotFound = (name: string): AwsError =>
  new AwsError('ResourceNotFoundException', `Requested resource not found: Table: ${name} not found`);
