import { AwsError } from '../aws-error.ts';

/** What the header `x-amzn-query-error` says of an error, for SDKs that still know the codes of the query protocol, and its HTTP status. */
export interface QueryError {
  readonly code: string;
  readonly status: number;
}

const prefix = 'AWS.SimpleQueueService.';
const legacy: Readonly<Record<string, Partial<QueryError>>> = {
  BatchEntryIdsNotDistinct: { code: `${prefix}BatchEntryIdsNotDistinct` },
  BatchRequestTooLong: { code: `${prefix}BatchRequestTooLong` },
  EmptyBatchRequest: { code: `${prefix}EmptyBatchRequest` },
  InvalidAddress: { status: 404 },
  InvalidBatchEntryId: { code: `${prefix}InvalidBatchEntryId` },
  InvalidParameterValueException: { code: 'InvalidParameterValue' },
  MissingRequiredParameterException: { code: 'MissingParameter' },
  OverLimit: { status: 403 },
  PurgeQueueInProgress: { code: `${prefix}PurgeQueueInProgress`, status: 403 },
  QueueDeletedRecently: { code: `${prefix}QueueDeletedRecently` },
  QueueDoesNotExist: { code: `${prefix}NonExistentQueue` },
  QueueNameExists: { code: 'QueueAlreadyExists' },
  ReceiptHandleIsInvalid: { status: 404 },
  ResourceNotFoundException: { status: 404 },
  TooManyEntriesInBatchRequest: { code: `${prefix}TooManyEntriesInBatchRequest` },
  UnsupportedOperation: { code: `${prefix}UnsupportedOperation` },
};

export const queryErrorOf = (code: string): QueryError => ({ code, status: 400, ...legacy[code] });

export const invalidValue = (value: unknown, parameter: string, reason: string): AwsError =>
  new AwsError('InvalidParameterValueException', `Value ${String(value)} for parameter ${parameter} is invalid. Reason: ${reason}`);
export const invalidParameter = (message: string): AwsError => new AwsError('InvalidParameterValueException', message);
export const missing = (parameter: string): AwsError =>
  new AwsError('MissingRequiredParameterException', `The request must contain the parameter ${parameter}.`);
export const unknownAttribute = (name: string): AwsError => new AwsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
export const noSuchQueue = (): AwsError => new AwsError('QueueDoesNotExist', 'The specified queue does not exist.');
export const noSuchResource = (parameter: string): AwsError =>
  new AwsError('ResourceNotFoundException', `The resource that you specified for the ${parameter} parameter doesn't exist.`);
