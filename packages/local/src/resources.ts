import type { Caller } from '@outbox-saga/emulator/call';
import { AwsError } from '@outbox-saga/emulator/aws-error';
import { until } from '@outbox-saga/emulator/ports';
import { StartProblem } from './problem.ts';
import { localAccount, localRegion, resourcesOf, resolveValue, type ResourceValues, type Template } from './template.ts';

interface TableProperties {
  readonly KeySchema: unknown;
  readonly AttributeDefinitions: unknown;
  readonly GlobalSecondaryIndexes?: readonly { readonly IndexName: string; readonly KeySchema: unknown; readonly Projection: unknown }[];
  readonly StreamSpecification?: { readonly StreamViewType: string };
  readonly TimeToLiveSpecification?: { readonly AttributeName: string; readonly Enabled: boolean };
}

interface TableDescription {
  readonly TableArn: string;
  readonly LatestStreamArn?: string;
  readonly KeySchema: unknown;
  readonly GlobalSecondaryIndexes?: readonly { readonly IndexName: string; readonly KeySchema: unknown }[];
}

/** Creates the template's tables that do not exist yet. @throws StartProblem when one exists with other keys or indexes */
export async function createTables(template: Template, stackName: string, call: Caller): Promise<Map<string, ResourceValues>> {
  const created = new Map<string, ResourceValues>();
  for (const [id, properties] of resourcesOf(template, 'AWS::DynamoDB::Table')) {
    const name = `${stackName}-${id}`;
    const wanted = properties as unknown as TableProperties;
    const existing = await describe(call, name);
    if (existing) assertSame(name, wanted, existing);
    else await createTable(call, name, wanted);
    const table = existing ?? (await describe(call, name));
    if (!table) throw new Error(`table ${name} was created but cannot be described`);
    created.set(id, {
      ref: name,
      attributes: { Arn: table.TableArn, ...(table.LatestStreamArn ? { StreamArn: table.LatestStreamArn } : {}) },
    });
  }
  return created;
}

/** Deletes the template's tables and waits until they are gone. */
export async function dropTables(template: Template, stackName: string, call: Caller): Promise<void> {
  for (const [id] of resourcesOf(template, 'AWS::DynamoDB::Table')) {
    const name = `${stackName}-${id}`;
    if (!(await describe(call, name))) continue;
    await call('DynamoDB_20120810.DeleteTable', { TableName: name });
    await until(`table ${name} is deleted`, 30_000, async () => (await describe(call, name)) === undefined);
  }
}

async function describe(call: Caller, name: string): Promise<TableDescription | undefined> {
  try {
    const { Table } = await call('DynamoDB_20120810.DescribeTable', { TableName: name });
    return Table as TableDescription;
  } catch (error) {
    if (error instanceof AwsError && error.name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

async function createTable(call: Caller, name: string, wanted: TableProperties): Promise<void> {
  const { KeySchema, AttributeDefinitions, GlobalSecondaryIndexes, StreamSpecification, TimeToLiveSpecification } = wanted;
  await call('DynamoDB_20120810.CreateTable', {
    TableName: name,
    KeySchema,
    AttributeDefinitions,
    BillingMode: 'PAY_PER_REQUEST',
    ...(GlobalSecondaryIndexes ? { GlobalSecondaryIndexes } : {}),
    ...(StreamSpecification ? { StreamSpecification: { StreamEnabled: true, ...StreamSpecification } } : {}),
  });
  if (TimeToLiveSpecification) await call('DynamoDB_20120810.UpdateTimeToLive', { TableName: name, TimeToLiveSpecification });
}

function assertSame(name: string, wanted: TableProperties, existing: TableDescription): void {
  const shape = (
    table: Pick<TableProperties, 'KeySchema'> & { GlobalSecondaryIndexes?: readonly { IndexName: string; KeySchema: unknown }[] },
  ): string =>
    JSON.stringify([
      table.KeySchema,
      (table.GlobalSecondaryIndexes ?? [])
        .map(({ IndexName, KeySchema }) => [IndexName, KeySchema])
        .toSorted((a, b) => (a[0] as string).localeCompare(b[0] as string)),
    ]);
  if (shape(wanted) !== shape(existing)) {
    throw new StartProblem(
      `table ${name} in the data directory has other keys or indexes than the template. Start from nothing with: npm start -- --fresh`,
    );
  }
}

interface QueueProperties {
  readonly VisibilityTimeout?: number;
  readonly MessageRetentionPeriod?: number;
  readonly RedrivePolicy?: unknown;
}

/** Creates the template's queues that do not exist yet, dead-letter queues before those that name them. */
export async function createQueues(
  template: Template,
  stackName: string,
  call: Caller,
  urlBase: string,
): Promise<Map<string, ResourceValues>> {
  const queues = resourcesOf(template, 'AWS::SQS::Queue');
  const created = new Map<string, ResourceValues>();
  for (const [id] of queues) {
    const name = `${stackName}-${id}`.slice(0, 80);
    created.set(id, {
      ref: `${urlBase}/${localAccount}/${name}`,
      attributes: {
        Arn: `arn:aws:sqs:${localRegion}:${localAccount}:${name}`,
        QueueName: name,
        QueueUrl: `${urlBase}/${localAccount}/${name}`,
      },
    });
  }
  const withoutRedrive = (properties: Record<string, unknown>): number => (properties['RedrivePolicy'] === undefined ? 0 : 1);
  for (const [id, properties] of queues.toSorted(([, a], [, b]) => withoutRedrive(a) - withoutRedrive(b))) {
    const { VisibilityTimeout, MessageRetentionPeriod, RedrivePolicy } = resolveValue(properties, template, created) as QueueProperties;
    const attributes = {
      ...(VisibilityTimeout === undefined ? {} : { VisibilityTimeout: String(VisibilityTimeout) }),
      ...(MessageRetentionPeriod === undefined ? {} : { MessageRetentionPeriod: String(MessageRetentionPeriod) }),
      ...(RedrivePolicy === undefined ? {} : { RedrivePolicy: JSON.stringify(RedrivePolicy) }),
    };
    const { ref, attributes: known } = created.get(id)!;
    try {
      await call('AmazonSQS.CreateQueue', { QueueName: known['QueueName'], Attributes: attributes });
    } catch (error) {
      // It is there from an earlier start with other numbers: they are brought up to date.
      if (!(error instanceof AwsError) || !/QueueNameExists|QueueAlreadyExists/.test(error.name)) throw error;
      await call('AmazonSQS.SetQueueAttributes', { QueueUrl: ref, Attributes: attributes });
    }
  }
  return created;
}

/** Deletes what queues hold. @param queues as `createQueues` returned them */
export async function purgeQueues(queues: ReadonlyMap<string, ResourceValues>, call: Caller): Promise<void> {
  for (const { ref } of queues.values()) await call('AmazonSQS.PurgeQueue', { QueueUrl: ref });
}
