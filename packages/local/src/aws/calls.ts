import type { Caller } from '@outbox-saga/emulator/call';
import { AwsError } from '@outbox-saga/emulator/aws-error';
import { answered, refused, type Answered } from '@outbox-saga/emulator/protocol';
import { faultOf, splitBatch, type FaultBoard } from '../faults.ts';
import { needsOf, type Iam } from '../iam.ts';
import type { AwsCall } from './call.ts';
import { UsageMeter } from './usage.ts';

/** Whoever is no function of the template: an operator with credentials of their own. */
export const outsider = 'outside';

/** Instead of an answer: the runtime is ending, as a fault demanded. */
export type NoAnswer = 'none';

export interface AwsCallsOptions {
  readonly dynamoDb: Caller;
  readonly sqs: Caller;
  readonly faults: FaultBoard;
}

/** Where every AWS call of every function passes, whichever way it came: under its caller's policies and faults, and counted. */
export class AwsCalls {
  readonly usage = new UsageMeter();
  /** The policies to enforce; set once the resources are there, before any function runs. */
  iam: Iam | undefined;
  readonly #options: AwsCallsOptions;

  constructor(options: AwsCallsOptions) {
    this.#options = options;
  }

  /**
   * Runs a call and answers it in the service's protocol.
   *
   * @param read says what is called, and who calls: a function's name, or `outsider`. What it throws is the answer
   * @param target names the service in whose words errors are told
   * @param signal ends a receive that waits for messages
   */
  async answer(target: string, read: () => Promise<[caller: string, call: AwsCall]>, signal: AbortSignal): Promise<Answered | NoAnswer> {
    try {
      const [caller, call] = await read();
      return await this.#run(caller, call, signal);
    } catch (error) {
      // A body that was read may still be nested too deeply to be written again.
      const told = error instanceof RangeError ? new AwsError('SerializationException', error.message) : error;
      if (!(told instanceof AwsError)) throw error;
      return refused(target, told);
    }
  }

  /** @throws AwsError for a call that is refused, here or by the service */
  async #run(caller: string, call: AwsCall, signal: AbortSignal): Promise<Answered | NoAnswer> {
    const { service, operation, target } = call;
    const { faults } = this.#options;
    const refusal = this.#refusal(caller, call);
    if (refusal !== undefined) throw new AwsError('AccessDeniedException', refusal);
    if (faults.dies(caller, operation, 'dieBefore')) return die();
    const injected = injectFaults(faults, caller, call);
    if ('answer' in injected) return injected.answer;

    const metered = this.usage.metering && service === 'dynamodb';
    const input = metered ? { ...injected.asked, ReturnConsumedCapacity: 'TOTAL' } : injected.asked;
    let answer: Record<string, unknown> = {};
    let failure: AwsError | undefined;
    try {
      answer = await this.#options[service === 'dynamodb' ? 'dynamoDb' : 'sqs'](target, input, signal);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      failure = error instanceof AwsError ? error : new AwsError('ServiceUnavailable', (error as Error).message);
    }
    // Whoever is no function can send any operation: counted are those that there are.
    if (caller !== outsider || !failure) this.usage.record(caller, call, answer);
    if (faults.dies(caller, operation, 'dieAfter')) return die();
    if (failure) throw failure;
    if (injected.failed.length === 0) return answered(target, answer);
    const { Failed = [], ...rest } = answer as { Failed?: unknown[] };
    return answered(target, { ...rest, Failed: [...Failed, ...injected.failed] });
  }

  /** Why a function may not make a call. */
  #refusal(caller: string, { service, operation, asked }: AwsCall): string | undefined {
    const { iam } = this;
    if (!iam || caller === outsider) return undefined;
    return iam.refusal(caller, needsOf(service, operation, asked, iam.tableArns));
  }
}

/** The end that no process sees coming. */
function die(): NoAnswer {
  process.kill(process.pid, 'SIGKILL');
  return 'none';
}

type Injected =
  | { readonly answer: Answered }
  /** What goes on to the service, and the entries of a batch that do not. */
  | { readonly asked: AwsCall['asked']; readonly failed: readonly unknown[] };

/** Lets the faults of a caller act on its call. */
function injectFaults(faults: FaultBoard, caller: string, { operation, asked }: AwsCall): Injected {
  if (Object.keys(faults.of(caller)).length === 0) return { asked, failed: [] };
  if (operation === 'SendMessageBatch') {
    const { taken, failed } = splitBatch(faults, caller, (asked['Entries'] ?? []) as { Id: string }[]);
    if (taken.length === 0 && failed.length > 0) return { answer: answered('AmazonSQS', { Successful: [], Failed: failed }) };
    return { asked: failed.length === 0 ? asked : { ...asked, Entries: taken }, failed };
  }
  const fault = faultOf(faults, caller, operation, asked);
  if (fault) throw fault;
  return { asked, failed: [] };
}
