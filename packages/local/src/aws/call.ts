import * as z from 'zod';
import { AwsError } from '@outbox-saga/emulator/aws-error';
import { inputOf } from '@outbox-saga/emulator/protocol';

/** What the runtime reads of a call: names of tables and queues, the parts of a transaction, the entries of a batch. */
const shape = z.looseObject({
  TableName: z.string().nullish(),
  IndexName: z.string().nullish(),
  QueueUrl: z.string().nullish(),
  QueueName: z.string().nullish(),
  TransactItems: z.array(z.record(z.string(), z.looseObject({ TableName: z.string() }))).nullish(),
  RequestItems: z.record(z.string(), z.unknown()).nullish(),
  Entries: z.array(z.looseObject({ Id: z.string() })).nullish(),
});

/** A call in AWS's JSON protocol. */
export interface AwsCall {
  readonly service: 'dynamodb' | 'sqs';
  /** `PutItem` */
  readonly operation: string;
  readonly asked: Readonly<Record<string, unknown>>;
  /** `DynamoDB_20120810.PutItem` */
  readonly target: string;
}

/** @throws AwsError for what is no call of a service that the runtime has, before anybody looks into it */
export function serviceOf(
  method: string | undefined,
  url: string | undefined,
  target: string,
): Pick<AwsCall, 'service' | 'operation' | 'target'> {
  const [, prefix, operation] = /^(DynamoDB|DynamoDBStreams|AmazonSQS)(?:_\d{8})?\.([A-Za-z]{1,60})$/.exec(target) ?? [];
  if (prefix === undefined || operation === undefined || method !== 'POST') {
    throw new AwsError('UnknownOperationException', `the local runtime offers DynamoDB and SQS, not ${method} ${target || url}`);
  }
  // Both services have this path only; what an emulator has under another one is not asked for here.
  if (url !== '/') throw new AwsError('UnknownOperationException', `${url}: the services are called at /`);
  const version = { DynamoDB: 'DynamoDB_20120810', DynamoDBStreams: 'DynamoDBStreams_20120810', AmazonSQS: 'AmazonSQS' }[prefix];
  return { service: prefix === 'AmazonSQS' ? 'sqs' : 'dynamodb', operation, target: `${version}.${operation}` };
}

/** @throws AwsError when the body is not what the services take */
export function askedOf(body: string): AwsCall['asked'] {
  const asked = inputOf(body);
  const { success, error } = shape.safeParse(asked);
  if (!success) throw new AwsError('SerializationException', z.prettifyError(error));
  return asked;
}
