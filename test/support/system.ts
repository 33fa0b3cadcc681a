import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { vi } from 'vitest';
import { ApiClient } from './client.ts';

/** A running system, wherever it runs: its API, its stack's outputs, and its tables and queues for set-up and audit. */
export interface System {
  readonly api: ApiClient;
  readonly url: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly database: DynamoDBDocumentClient;
  readonly queues: SQSClient;
}

/** Connects to what a local runtime started. */
export async function localSystem(url: string): Promise<System> {
  const { body } = await new ApiClient(url).get('/_local/resources');
  const { endpoint, region, outputs } = body as { endpoint: string; region: string; outputs: Record<string, string> };
  const connection = { endpoint, region, credentials: { accessKeyId: 'TEST', secretAccessKey: 'test' } };
  return systemAt(url, outputs, new DynamoDBClient(connection), new SQSClient({ ...connection, useQueueUrlAsEndpoint: false }), false);
}

/** Connects to a deployed stack; endpoint, region and credentials come from the environment. */
export function deployedSystem(url: string, outputs: Record<string, string>): System {
  const sign = process.env['ORDER_SAGA_SIGN'] !== 'false';
  return systemAt(url, outputs, new DynamoDBClient({}), new SQSClient({ useQueueUrlAsEndpoint: false }), sign);
}

function systemAt(url: string, outputs: Record<string, string>, client: DynamoDBClient, queues: SQSClient, sign: boolean): System {
  return { api: new ApiClient(url, sign), url, outputs, database: DynamoDBDocumentClient.from(client), queues };
}

/** A name that no other test uses, so that tests share a system without knowing of each other. */
export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

const patience = { timeout: 60_000, interval: 50 };

/** Waits until an order is no longer PENDING and returns it. */
// oxlint-disable-next-line typescript/no-explicit-any
export async function settled(system: System, orderId: string): Promise<any> {
  return vi.waitFor(async () => {
    const { body } = await system.api.order(orderId);
    if (body?.settledAt === undefined) throw new Error(`order ${orderId} is still ${body?.status} at ${body?.step}`);
    return body as unknown;
  }, patience);
}

/** Waits until a check stops throwing. */
export async function eventually<Result>(check: () => Promise<Result>): Promise<Result> {
  return vi.waitFor(check, patience);
}

/** Every item of a table, by the name of its output. For audits only: no request path scans. */
export async function itemsOf<Item = Record<string, unknown>>(system: System, output: string): Promise<Item[]> {
  const items: Item[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const page = await system.database.send(
      new ScanCommand({ TableName: system.outputs[output], ConsistentRead: true, ExclusiveStartKey: start }),
    );
    items.push(...((page.Items ?? []) as Item[]));
    start = page.LastEvaluatedKey;
  } while (start);
  return items;
}

/** Messages in a queue, whether visible, in flight or delayed. */
export async function queueDepth(system: System, output: string): Promise<number> {
  const { Attributes = {} } = await system.queues.send(
    new GetQueueAttributesCommand({
      QueueUrl: system.outputs[output],
      AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'ApproximateNumberOfMessagesDelayed'],
    }),
  );
  return Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0);
}
