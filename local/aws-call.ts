import * as z from 'zod';

/** What the proxy reads of a call: names of tables and queues, the parts of a transaction, the entries of a batch. */
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
}

/** An error of AWS: its type and what it says. */
export class BadCall extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

/** @throws BadCall for what is no call of a service that the runtime has, before anybody looks into it */
export function serviceOf(method: string | undefined, url: string | undefined, target: string): Pick<AwsCall, 'service' | 'operation'> {
  const [, prefix, operation] = /^(DynamoDB|DynamoDBStreams|AmazonSQS)(?:_\d{8})?\.([A-Za-z]{1,60})$/.exec(target) ?? [];
  if (prefix === undefined || operation === undefined || method !== 'POST') {
    throw new BadCall('UnknownOperationException', `the local runtime offers DynamoDB and SQS, not ${method} ${target || url}`);
  }
  // Both services have this path only; what an emulator has under another one is not asked for here.
  if (url !== '/') throw new BadCall('UnknownOperationException', `${url}: the services are called at /`);
  return { service: prefix === 'AmazonSQS' ? 'sqs' : 'dynamodb', operation };
}

/** @throws BadCall when the body is not what the services take */
export function askedOf(body: Buffer): AwsCall['asked'] {
  let asked: unknown;
  try {
    asked = JSON.parse(body.toString('utf8'));
  } catch {
    throw new BadCall('SerializationException', 'the body is not JSON');
  }
  const { success, error } = shape.safeParse(asked);
  if (!success) throw new BadCall('SerializationException', z.prettifyError(error));
  return asked as AwsCall['asked'];
}
