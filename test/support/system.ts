import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Order, OrderSagaClient } from '../../client/order-saga.ts';
import { localResources } from '../../ops/target.ts';
import { ApiClient, signWith, typedClient, type Authorize } from './client.ts';

/** A running system, wherever it runs: its API, its stack's outputs, and its tables and queues for set-up and audit. */
export interface System {
  /** For any request, good or bad. */
  readonly api: ApiClient;
  /** The product's own client, for good ones. */
  readonly client: OrderSagaClient;
  readonly url: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly database: DynamoDBDocumentClient;
  readonly queues: SQSClient;
}

/** Connects to what a local runtime started. */
export async function localSystem(url: string): Promise<System> {
  const { endpoint, region, outputs } = await localResources(url);
  const connection = { endpoint, region, credentials: { accessKeyId: 'TEST', secretAccessKey: 'test' } };
  return systemAt(url, outputs, new DynamoDBClient(connection), new SQSClient({ ...connection, useQueueUrlAsEndpoint: false }));
}

/** Connects to a deployed stack; endpoint, region and credentials come from the environment. */
export function deployedSystem(url: string, outputs: Record<string, string>): System {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN, AWS_REGION = 'us-east-1', ORDER_SAGA_SIGN } = process.env;
  const credentials = {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
  };
  // A signature is good for five minutes only: one for each request.
  const authorize: Authorize = (request) => signWith(credentials, { region: AWS_REGION })(request);
  const queues = new SQSClient({ useQueueUrlAsEndpoint: false });
  return systemAt(url, outputs, new DynamoDBClient({}), queues, ORDER_SAGA_SIGN === 'false' ? undefined : authorize);
}

function systemAt(url: string, outputs: Record<string, string>, client: DynamoDBClient, queues: SQSClient, authorize?: Authorize): System {
  return {
    api: new ApiClient(url, authorize),
    client: typedClient(url, authorize),
    url,
    outputs,
    database: DynamoDBDocumentClient.from(client),
    queues,
  };
}

/** A name that no other test uses, so that tests share a system without knowing of each other. */
export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/**
 * A deployed emulator answers more slowly under load than the functions' clients wait (2 s). What they give up then heals by the sweep, which comes every minute. No test is
 * about time: a busy machine may be ten times slower.
 */
const patienceMs = 400_000;

/** At first it asks often. What takes long is asked for less often: a hundred orders that are polled 20 times a second are a load of their own. */
const pauseMs = (waitedMs: number): number => Math.min(1000, Math.max(50, waitedMs / 5));

/** Waits until an order's answer is final and returns it. */
export async function settled({ client }: System, orderId: string): Promise<Order> {
  return eventually(async () => {
    const { body } = await client.getOrder(orderId);
    if (body?.settledAt === undefined) throw new Error(`order ${orderId} is still ${body?.status} at ${body?.step}`);
    return body;
  });
}

/** Waits until a check stops throwing. @throws what it threw last, when it has not stopped within 400 seconds */
export async function eventually<Result>(check: () => Promise<Result>): Promise<Result> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await check();
    } catch (error) {
      const waitedMs = performance.now() - startedAt;
      if (waitedMs > patienceMs) throw error;
      await pause(pauseMs(waitedMs));
    }
  }
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
