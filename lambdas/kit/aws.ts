import { DynamoDBClient, type ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';

/** The port to DynamoDB: what stores send their commands through. */
export type Database = Pick<DynamoDBDocumentClient, 'send'>;
/** The port to SQS. */
export type Queues = Pick<SQSClient, 'send'>;

/**
 * Endpoint, region and credentials come from the SDK's default environment, so that the same bundle runs on AWS,
 * against an emulator and in the local runtime. Three attempts within the SDK; after that the message's own retry takes over.
 */
export function connectDatabase(): { client: DynamoDBClient; database: DynamoDBDocumentClient } {
  const client = new DynamoDBClient({ maxAttempts: 3 });
  const database = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  return { client, database };
}

export function connectQueues(): SQSClient {
  // The queue's URL need not be on the configured endpoint: an emulator names itself as it likes.
  return new SQSClient({ maxAttempts: 3, useQueueUrlAsEndpoint: false });
}

/** Whether a single write was refused because its condition did not hold. Only the caller knows what that means. */
export function conditionFailed(error: unknown): error is ConditionalCheckFailedException {
  return error instanceof Error && error.name === 'ConditionalCheckFailedException';
}
