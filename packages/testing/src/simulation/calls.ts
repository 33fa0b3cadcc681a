import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import type { CallFault } from './faults.ts';
import type { Random } from './random.ts';

/** What a call was, for crash points and traces. */
export interface Site {
  readonly service: 'dynamodb' | 'sqs' | 'http';
  readonly operation: string;
  readonly target: string;
  /** What of it may be down. */
  readonly needs: readonly string[];
  /** Whether its outcome may be unknown for a while (the fault `provider-pending`). Default: no. */
  readonly mayPend?: boolean;
}

/** Whether a fault can strike such a call. */
export function applies(fault: CallFault, { operation, mayPend = false }: Site): boolean {
  if (fault === 'in-progress') return operation === 'TransactWriteItems';
  if (fault === 'sdk-retry') return operation === 'PutItem' || operation === 'UpdateItem' || operation === 'DeleteItem';
  if (fault === 'conflict') return operation !== 'GetItem' && operation !== 'Query';
  if (fault === 'partial-batch') return operation === 'SendMessageBatch';
  if (fault === 'provider-pending') return mayPend;
  return true;
}

/** The error that a fault is answered with at once. */
export function refusalOf(fault: CallFault, input: unknown, random: Random): Error | undefined {
  const items = (input as { TransactItems?: readonly unknown[] }).TransactItems;
  const cancelled = (Code: string): Error => {
    const victim = random.int(0, items!.length - 1);
    const CancellationReasons = items!.map((_, i) => ({ Code: i === victim ? Code : 'None' }));
    return new TransactionCanceledException({ $metadata: {}, message: `Transaction cancelled [${Code}]`, CancellationReasons });
  };
  switch (fault) {
    case 'throttled':
      return items ? cancelled('ThrottlingError') : named('ProvisionedThroughputExceededException', 'throttled');
    case 'conflict':
      return items ? cancelled('TransactionConflict') : named('TransactionConflictException', 'a transaction is ongoing');
    case 'database-error':
      return named('InternalServerError', 'a fault');
    case 'queue-down':
      return named('ServiceUnavailable', 'a fault');
    case 'provider-error':
      return named('TypeError', 'fetch failed');
    default:
      return undefined;
  }
}

/** What a call meets whose queue, table or provider is down. */
export function unavailable({ service }: Site): Error {
  if (service === 'http') return named('TypeError', 'fetch failed');
  return service === 'sqs' ? named('KmsDisabled', 'an outage') : named('InternalServerError', 'an outage');
}

/** Runs now, and hands over what came of it later. */
export function outcomeOf<Result>(run: () => Result, resolve: (result: Result) => void, reject: (error: Error) => void): () => void {
  try {
    const result = run();
    return () => resolve(result);
  } catch (error) {
    return () => reject(error as Error);
  }
}

export function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
