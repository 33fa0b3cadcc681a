import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

/** A system to operate: its stack's outputs, and its tables under the operator's own credentials. */
export interface Target {
  readonly outputs: Readonly<Record<string, string>>;
  readonly database: DynamoDBDocumentClient;
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

export async function localTarget(url: string): Promise<Target> {
  const { endpoint, region, outputs } = await localResources(url);
  const client = new DynamoDBClient({ endpoint, region, credentials: { accessKeyId: 'OPERATOR', secretAccessKey: 'operator' } });
  return { outputs, database: DynamoDBDocumentClient.from(client) };
}

/** A stack on AWS, by the file of `cdk deploy --outputs-file`. Region and credentials are the environment's. @throws Error when the file holds no stack */
export function deployedTarget(file: string): Target {
  const [outputs] = Object.values(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>);
  if (!outputs) throw new Error(`${file} holds no outputs of a stack`);
  return { outputs, database: DynamoDBDocumentClient.from(new DynamoDBClient({})) };
}
