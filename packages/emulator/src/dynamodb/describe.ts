import { attributesOf, type IndexSchema, type KeySchema } from './schema.ts';
import type { TableRecord } from './tables.ts';

/** Where the engine pretends to be. */
export interface Location {
  readonly region: string;
  readonly account: string;
}

export const tableArn = ({ region, account }: Location, name: string): string => `arn:aws:dynamodb:${region}:${account}:table/${name}`;

export const streamArn = (location: Location, { schema: { name }, streamLabel }: TableRecord): string | undefined =>
  streamLabel === undefined ? undefined : `${tableArn(location, name)}/stream/${streamLabel}`;

export const keySchemaOf = ({ partitionKey, sortKey }: KeySchema): readonly Record<string, string>[] => [
  { AttributeName: partitionKey.name, KeyType: 'HASH' },
  ...(sortKey ? [{ AttributeName: sortKey.name, KeyType: 'RANGE' }] : []),
];

/** A table as DescribeTable answers it. */
export function describeTable(
  location: Location,
  record: TableRecord,
  counts: { items: number; bytes: number },
  status = 'ACTIVE',
): Record<string, unknown> {
  const { schema, id, createdAt, billingMode, throughput, deletionProtection = false, streamLabel } = record;
  const { name, indexes = [], stream } = schema;
  const types = new Map([schema, ...indexes].flatMap(attributesOf).map((attribute) => [attribute.name, attribute.type]));
  const arn = tableArn(location, name);
  const provisioned = {
    NumberOfDecreasesToday: 0,
    ReadCapacityUnits: throughput?.ReadCapacityUnits ?? 0,
    WriteCapacityUnits: throughput?.WriteCapacityUnits ?? 0,
  };
  const describe = (index: IndexSchema): Record<string, unknown> => ({
    IndexName: index.name,
    KeySchema: keySchemaOf(index),
    Projection:
      typeof index.projection === 'string'
        ? { ProjectionType: index.projection }
        : { ProjectionType: 'INCLUDE', NonKeyAttributes: index.projection.include },
    ...(index.local ? {} : { IndexStatus: 'ACTIVE', ProvisionedThroughput: provisioned }),
    IndexSizeBytes: 0,
    ItemCount: 0,
    IndexArn: `${arn}/index/${index.name}`,
  });
  const [global, local] = [indexes.filter((index) => !index.local), indexes.filter((index) => index.local)];
  return {
    AttributeDefinitions: Array.from(types, ([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    TableName: name,
    KeySchema: keySchemaOf(schema),
    TableStatus: status,
    CreationDateTime: createdAt / 1000,
    ProvisionedThroughput: provisioned,
    TableSizeBytes: counts.bytes,
    ItemCount: counts.items,
    TableArn: arn,
    TableId: id,
    ...(billingMode === 'PAY_PER_REQUEST'
      ? { BillingModeSummary: { BillingMode: billingMode, LastUpdateToPayPerRequestDateTime: createdAt / 1000 } }
      : {}),
    ...(local.length > 0 ? { LocalSecondaryIndexes: local.map(describe) } : {}),
    ...(global.length > 0 ? { GlobalSecondaryIndexes: global.map(describe) } : {}),
    ...(stream ? { StreamSpecification: { StreamEnabled: true, StreamViewType: stream } } : {}),
    ...(streamLabel === undefined ? {} : { LatestStreamLabel: streamLabel, LatestStreamArn: streamArn(location, record) }),
    DeletionProtectionEnabled: deletionProtection,
  };
}
