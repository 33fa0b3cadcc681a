import type { AwsCall } from './call.ts';

/** What one function asked of AWS, by operation. Units as AWS bills them; they are counted while metering is on. */
export interface Usage {
  calls: number;
  readUnits: number;
  writeUnits: number;
  /** Messages in SQS calls: a batch of ten is one request. */
  entries: number;
}

interface Capacity {
  readonly TableName?: string;
  readonly CapacityUnits?: number;
}

const readOperations = new Set(['GetItem', 'Query', 'Scan', 'BatchGetItem', 'TransactGetItems']);

/** Counts calls by caller, operation and table. */
export class UsageMeter {
  /** `function operation table` → usage since the last reset. */
  readonly all = new Map<string, Usage>();
  /** Whether DynamoDB is asked for the capacity that each call consumed. */
  metering = false;

  record(caller: string, { operation, asked }: Pick<AwsCall, 'operation' | 'asked'>, answer: Record<string, unknown>): void {
    if (!this.metering) return this.#add(caller, operation, '', { calls: 1, units: 0, entries: 0 });
    const { TableName, Entries } = asked as { TableName?: string | null; Entries?: unknown[] | null };
    const { ConsumedCapacity = [] } = answer as { ConsumedCapacity?: Capacity | Capacity[] };
    this.#add(caller, operation, TableName ?? '', { calls: 1, units: 0, entries: Entries?.length ?? 0 });
    for (const capacity of [ConsumedCapacity].flat()) {
      this.#add(caller, operation, capacity.TableName ?? '', { calls: 0, units: capacity.CapacityUnits ?? 0, entries: 0 });
    }
  }

  #add(caller: string, operation: string, table: string, more: { calls: number; units: number; entries: number }): void {
    const key = `${caller} ${operation} ${table}`;
    let entry = this.all.get(key);
    if (!entry) this.all.set(key, (entry = { calls: 0, readUnits: 0, writeUnits: 0, entries: 0 }));
    entry.calls += more.calls;
    entry.entries += more.entries;
    if (readOperations.has(operation)) entry.readUnits += more.units;
    else entry.writeUnits += more.units;
  }
}
