import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Queues } from '@outbox-saga/kit/aws/clients';

/** A system to operate: its stack's outputs, and its tables under the operator's own credentials. */
export interface Target {
  readonly outputs: Readonly<Record<string, string>>;
  readonly database: DynamoDBDocumentClient;
}

/** Its queues too. */
export interface QueueTarget extends Target {
  readonly queues: Queues;
}

/** What a local runtime tells of itself. */
export interface LocalResources {
  readonly endpoint: string;
  readonly region: string;
  readonly outputs: Record<string, string>;
}

/** @throws Error when no local runtime answers there */
export async function localResources(url: string): Promise<LocalResources> {
  const response = await fetch(`${url}/_local/resources`).catch(() => undefined);
  if (response?.status !== 200) throw new Error(`no local system answers at ${url}. Start one in another terminal: npm start`);
  return (await response.json()) as LocalResources;
}

export async function localTarget(url: string): Promise<QueueTarget> {
  const { endpoint, region, outputs } = await localResources(url);
  return targetOf(outputs, { endpoint, region, credentials: { accessKeyId: 'OPERATOR', secretAccessKey: 'operator' } });
}

/** A stack on AWS, by the file of `cdk deploy --outputs-file`. Region and credentials are the environment's. @throws Error when the file holds no stack */
export function deployedTarget(file: string): QueueTarget {
  const [outputs] = Object.values(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>);
  if (!outputs) throw new Error(`${file} holds no outputs of a stack`);
  return targetOf(outputs, {});
}

type Connection = NonNullable<ConstructorParameters<typeof DynamoDBClient>[0] & ConstructorParameters<typeof SQSClient>[0]>;

function targetOf(outputs: Record<string, string>, connection: Connection): QueueTarget {
  return {
    outputs,
    database: DynamoDBDocumentClient.from(new DynamoDBClient(connection)),
    queues: new SQSClient({ ...connection, useQueueUrlAsEndpoint: false }),
  };
}
