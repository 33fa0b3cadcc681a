import { AwsError } from '../aws-error.ts';
import { invalidParameter, invalidValue, unknownAttribute } from './errors.ts';

/** What a queue is set to, as AWS writes it: all of them texts. */
export type QueueAttributes = Readonly<Record<string, string>>;

export interface RedrivePolicy {
  readonly deadLetterTargetArn: string;
  readonly maxReceiveCount: number;
}

const ranges: Readonly<Record<string, readonly [least: number, most: number]>> = {
  DelaySeconds: [0, 900],
  KmsDataKeyReusePeriodSeconds: [60, 86_400],
  MaximumMessageSize: [1024, 1_048_576],
  MessageRetentionPeriod: [60, 1_209_600],
  ReceiveMessageWaitTimeSeconds: [0, 20],
  VisibilityTimeout: [0, 43_200],
};
const documents = new Set(['Policy', 'RedriveAllowPolicy']);
const texts = new Set(['KmsMasterKeyId']);
const flags = new Set(['SqsManagedSseEnabled']);

export const defaults: QueueAttributes = {
  DelaySeconds: '0',
  MaximumMessageSize: '1048576',
  MessageRetentionPeriod: '345600',
  ReceiveMessageWaitTimeSeconds: '0',
  SqsManagedSseEnabled: 'true',
  VisibilityTimeout: '30',
};

/** Attributes that a queue has without being set. */
export const computed: ReadonlySet<string> = new Set([
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesDelayed',
  'ApproximateNumberOfMessagesNotVisible',
  'CreatedTimestamp',
  'LastModifiedTimestamp',
  'QueueArn',
]);

export const isAttribute = (name: string): boolean =>
  name in ranges || documents.has(name) || texts.has(name) || flags.has(name) || name === 'RedrivePolicy' || computed.has(name);

/** @returns the same in the one form that is stored: numbers without ornaments, documents without blanks. An empty text takes one away. */
export function checkAttributes(given: QueueAttributes): QueueAttributes {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, checked(name, value)]));
}

function checked(name: string, value: string): string {
  const range = ranges[name];
  if (range) {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : -1;
    if (number < range[0] || number > range[1]) throw invalid(name);
    return String(number);
  }
  if (name === 'RedrivePolicy') return value === '' ? '' : JSON.stringify(checkRedrive(value));
  if (documents.has(name)) {
    if (value !== '' && parsed(value) === undefined) throw invalid(name);
    return value;
  }
  if (flags.has(name)) {
    if (value !== 'true' && value !== 'false') throw invalid(name);
    return value;
  }
  if (texts.has(name)) return value;
  throw unknownAttribute(name);
}

const invalid = (name: string): AwsError => new AwsError('InvalidAttributeValue', `Invalid value for the parameter ${name}.`);

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function checkRedrive(text: string): RedrivePolicy {
  const wrong = (reason: string): AwsError => invalidValue(text, 'RedrivePolicy', reason);
  const policy = parsed(text);
  if (!policy) throw wrong('Redrive policy is not a valid JSON map.');
  for (const name of ['deadLetterTargetArn', 'maxReceiveCount'])
    if (policy[name] === undefined) throw wrong(`Redrive policy does not contain mandatory attribute: ${name}.`);
  const { deadLetterTargetArn: arn, maxReceiveCount: count } = policy;
  if (typeof arn !== 'string' || !/^arn:[\w-]+:sqs:[\w-]+:\d+:[\w-]{1,80}(\.fifo)?$/.test(arn))
    throw wrong('Invalid value for deadLetterTargetArn.');
  const most = typeof count === 'string' && /^\d+$/.test(count) ? Number(count) : count;
  if (typeof most !== 'number' || !Number.isInteger(most) || most < 1 || most > 1000)
    throw wrong(`Invalid value for maxReceiveCount: ${String(count)}, valid values are from 1 to 1000 both inclusive.`);
  return { deadLetterTargetArn: arn, maxReceiveCount: most };
}

export function checkName(name: string): void {
  if (!/^[\w-]{1,80}$/.test(name))
    throw invalidParameter('Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length');
}
