import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { AwsError } from './aws-error.ts';
import { queryErrorOf } from './sqs/errors.ts';

/** DynamoDB's limit of a request, the largest of the services'. */
export const mostBodyBytes = 16 * 1024 * 1024;

/** An answer in AWS's JSON protocol. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Who makes an error is part of its full name. */
const namespaces: Readonly<Record<string, string>> = {
  ValidationException: 'com.amazon.coral.validate',
  AccessDeniedException: 'com.amazon.coral.service',
  InternalFailure: 'com.amazon.coral.service',
  InvalidSignatureException: 'com.amazon.coral.service',
  SerializationException: 'com.amazon.coral.service',
  UnknownOperationException: 'com.amazon.coral.service',
};

/** Faults of the service, which clients repeat. */
const faults: Readonly<Record<string, number>> = {
  UnreadableAnswer: 500,
  InternalFailure: 500,
  InternalServerError: 500,
  ServiceUnavailable: 503,
};

/** @param target says how the service writes JSON */
export function answered(target: string, answer: Record<string, unknown>): Answered {
  return respond(target, 200, JSON.stringify(answer));
}

/** An error as the service of a call answers it. Clients read its text under either name. */
export function refused(target: string, { name, message, fields }: AwsError): Answered {
  const isSqs = target.startsWith('AmazonSQS');
  const namespace = namespaces[name] ?? (isSqs ? 'com.amazonaws.sqs' : 'com.amazonaws.dynamodb.v20120810');
  const body = JSON.stringify({ ...fields, __type: `${namespace}#${name}`, message, Message: message });
  if (!isSqs || faults[name] !== undefined) return respond(target, faults[name] ?? 400, body);
  const { code, status } = queryErrorOf(name);
  return respond(target, status, body, { 'x-amzn-query-error': `${code};${status < 500 ? 'Sender' : 'Receiver'}` });
}

function respond(target: string, status: number, body: string, more: Readonly<Record<string, string>> = {}): Answered {
  return {
    status,
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'content-length': String(Buffer.byteLength(body)),
      'x-amzn-requestid': randomUUID(),
      // SDKs check DynamoDB's answers with it.
      ...(target.startsWith('AmazonSQS') ? {} : { 'x-amz-crc32': String(crc32(body)) }),
      ...more,
    },
    body,
  };
}

/** The input of a call. @throws AwsError when the body is no JSON object */
export function inputOf(body: string): Record<string, unknown> {
  let input: unknown;
  try {
    input = JSON.parse(body);
  } catch {
    throw new AwsError('SerializationException', 'the body is not JSON');
  }
  if (input === null || typeof input !== 'object' || Array.isArray(input)) {
    throw new AwsError('SerializationException', 'the body is no JSON object');
  }
  return input as Record<string, unknown>;
}
