import { DynamoDBClient, type ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  UpdateCommand,
  type PutCommandInput,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { systemWorld, type World } from '../function/world.ts';

/** The port to DynamoDB: what stores send their commands through. */
export type Database = Pick<DynamoDBDocumentClient, 'send'>;
/** The port to SQS. */
export type Queues = Pick<SQSClient, 'send'>;

/** Of one call, the first included; after that the message's own retry takes over. */
const tries = 3;
/** No try begins later than this after the first: a call that hangs twice must leave its function time to answer. */
const lastTryAfterMs = 3000;
/**
 * How long a call may hang, in milliseconds. Without limits a connection that died silently holds its function until that is killed, and its
 * batch mates with it. `socketTimeout` is for an answer that stops in the middle, which `requestTimeout` does not watch.
 */
export const callLimits = { connectionTimeout: 500, requestTimeout: 2000, socketTimeout: 2000 } as const;
type CallLimits = Readonly<Record<keyof typeof callLimits, number>>;
/** No retry inside a function waits longer: a waiting function is paid for, a waiting message is not. */
export const longestPauseMs = 200;

interface RetryToken {
  /** When the first try began, in milliseconds since 1970. */
  readonly startedAt: number;
  getRetryCount(): number;
  getRetryDelay(): number;
}

/**
 * When the SDK tries a call again by itself: what was throttled or may not have arrived, after at most 200 ms with full jitter. The SDK's own strategy
 * waits for up to a second after a throttle.
 */
export function quickRetries(world: Pick<World, 'random' | 'now'> = systemWorld) {
  const token = (count: number, startedAt: number): RetryToken => ({
    startedAt,
    getRetryCount: () => count,
    getRetryDelay: () => (count === 0 ? 0 : Math.floor(world.random() * Math.min(longestPauseMs, 50 * 2 ** count))),
  });
  return {
    acquireInitialRetryToken: () => Promise.resolve(token(0, world.now())),
    refreshRetryTokenForRetry: (current: RetryToken, failure: { readonly errorType: string }) => {
      const retryable = failure.errorType === 'THROTTLING' || failure.errorType === 'TRANSIENT';
      const next = current.getRetryCount() + 1;
      const inTime = world.now() - current.startedAt < lastTryAfterMs;
      return retryable && inTime && next < tries
        ? Promise.resolve(token(next, current.startedAt))
        : Promise.reject(new Error('no further try'));
    },
    recordSuccess: () => undefined,
  };
}

/** What every client of AWS is made with. */
export function callSettings(limits: CallLimits = callLimits, world?: Pick<World, 'random' | 'now'>) {
  // Without throwOnRequestTimeout the SDK only writes a warning and goes on waiting.
  return { maxAttempts: tries, retryStrategy: quickRetries(world), requestHandler: { ...limits, throwOnRequestTimeout: true } };
}

/**
 * Endpoint, region and credentials come from the SDK's default environment, so that the same bundle runs on AWS,
 * against an emulator and in the local runtime.
 */
export function connectDatabase(): { client: DynamoDBClient; database: DynamoDBDocumentClient } {
  const client = new DynamoDBClient(callSettings());
  const database = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  return { client, database };
}

export function connectQueues(): SQSClient {
  // The queue's URL need not be on the configured endpoint: an emulator names itself as it likes.
  return new SQSClient({ ...callSettings(), useQueueUrlAsEndpoint: false });
}

/** Reads one item as it is now: consistently. @param key its whole key */
export async function findItem(
  database: Database,
  table: string,
  key: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { Item } = await database.send(new GetCommand({ TableName: table, Key: { ...key }, ConsistentRead: true }));
  return Item;
}

/** Whether a single write was refused because its condition did not hold. Only the caller knows what that means. */
export function conditionFailed(error: unknown): error is ConditionalCheckFailedException {
  return error instanceof Error && error.name === 'ConditionalCheckFailedException';
}

/** Puts an item under a condition, without a message: it costs half of a transaction. @returns false when the condition does not hold: nothing was changed */
export function tryPut(database: Database, input: PutCommandInput): Promise<boolean> {
  return unlessRefused(database.send(new PutCommand(input)));
}

/** As `tryPut`, for an update. */
export function tryUpdate(database: Database, input: UpdateCommandInput): Promise<boolean> {
  return unlessRefused(database.send(new UpdateCommand(input)));
}

async function unlessRefused(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (conditionFailed(error)) return false;
    throw error;
  }
}
