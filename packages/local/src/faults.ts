import { AwsError } from '@outbox-saga/emulator/aws-error';
import { variablesOf, type FaultName, type Faults, type FaultSettings } from '@outbox-saga/kit/function/fault-settings';

type RateName = Extract<FaultName, `${string}Rate`>;

/** The faults that are on now, and how often each struck. Whoever can make one asks here. */
export class FaultBoard {
  #faults: Faults;
  readonly counts: Record<string, number> = {};
  /** Told of functions whose queue is to be emptied. */
  onWipe: (name: string) => Promise<void> = () => Promise.resolve();

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  get all(): Faults {
    return this.#faults;
  }

  of(name: string): FaultSettings {
    return this.#faults[name] ?? {};
  }

  /** Puts other faults in the place of those that are on, and empties the queues that are to be wiped. */
  async replace(faults: Faults): Promise<void> {
    this.#faults = faults;
    for (const [name, { wiped }] of Object.entries(faults)) {
      if (!wiped) continue;
      this.#count(name, 'wiped');
      await this.onWipe(name);
    }
  }

  /** Whether a fault with a rate strikes this time. */
  strikes(name: string, fault: RateName): boolean {
    const rate = this.of(name)[fault];
    if (rate === undefined || Math.random() >= rate) return false;
    this.#count(name, fault);
    return true;
  }

  /** Whether the runtime is to die at this side of a call. */
  dies(name: string, operation: string, side: 'dieBefore' | 'dieAfter'): boolean {
    const [wanted, nth = '1'] = this.of(name)[side]?.split('#') ?? [];
    if (wanted !== operation) return false;
    this.#count(name, side);
    return this.counts[`${name}.${side}`] === Number(nth);
  }

  /** What a function is told of the faults that it injects by itself. */
  variables(name: string): Record<string, string> {
    return variablesOf(this.of(name));
  }

  #count(name: string, fault: FaultName): void {
    const key = `${name}.${fault}`;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
  }
}

const writes = new Set(['PutItem', 'UpdateItem', 'DeleteItem', 'TransactWriteItems']);

/** The error with which AWS answers a call that meets a fault; undefined when it meets none. */
export function faultOf(
  board: FaultBoard,
  caller: string,
  operation: string,
  body: Readonly<Record<string, unknown>>,
): AwsError | undefined {
  const items = body['TransactItems'] as unknown[] | undefined;
  const cancel = (Code: string): AwsError => {
    const victim = Math.floor(Math.random() * items!.length);
    const CancellationReasons = items!.map((_, i) => ({ Code: i === victim ? Code : 'None' }));
    const list = CancellationReasons.map((reason) => reason.Code).join(', ');
    const message = `Transaction cancelled, please refer cancellation reasons for specific reasons [${list}]`;
    return new AwsError('TransactionCanceledException', message, { CancellationReasons });
  };
  if (board.strikes(caller, 'throttleRate')) {
    if (items) return cancel('ThrottlingError');
    return new AwsError('ProvisionedThroughputExceededException', 'an injected throttle');
  }
  if (writes.has(operation) && board.strikes(caller, 'conflictRate')) {
    if (items) return cancel('TransactionConflict');
    return new AwsError('TransactionConflictException', 'an injected conflict');
  }
  return undefined;
}

interface BatchEntry {
  readonly Id: string;
}

/** The entries of a SendMessageBatch that SQS takes, and those that a fault has it refuse. */
export function splitBatch(board: FaultBoard, caller: string, entries: readonly BatchEntry[]): { taken: BatchEntry[]; failed: unknown[] } {
  const refused = entries.filter(() => board.strikes(caller, 'partialBatchRate'));
  return {
    taken: entries.filter((entry) => !refused.includes(entry)),
    failed: refused.map(({ Id }) => ({ Id, SenderFault: true, Code: 'InjectedFault', Message: 'refused by a fault' })),
  };
}
