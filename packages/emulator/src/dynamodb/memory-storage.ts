import { MemoryTable } from './memory.ts';
import type { DatabaseStorage, LogEntry } from './storage.ts';
import type { LoggedChange } from './stream-records.ts';
import type { TableRecord } from './tables.ts';
import { itemBytes } from './values.ts';

/** All of a database in memory: for tests of the service without a disk. A call that fails half-way has changed nothing before it fails. */
export class MemoryStorage implements DatabaseStorage {
  readonly #now: () => number;
  readonly #records = new Map<string, TableRecord>();
  readonly #tables = new Map<string, MemoryTable>();
  readonly #streams = new Map<string, LogEntry[]>();
  readonly #trimmed = new Map<string, number>();
  #newest = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  transaction<Result>(work: () => Result): Result {
    return work();
  }

  tables(): readonly TableRecord[] {
    return [...this.#records.values()].toSorted((a, b) => (a.schema.name < b.schema.name ? -1 : 1));
  }

  save(record: TableRecord): MemoryTable {
    const { name } = record.schema;
    const old = this.#tables.get(name);
    const table = new MemoryTable(record.schema, this.#now);
    for (const { key, item } of old?.entries() ?? []) table.set(key, undefined, item);
    this.#records.set(name, record);
    this.#tables.set(name, table);
    return table;
  }

  drop({ schema: { name } }: TableRecord): void {
    this.#records.delete(name);
    this.#tables.delete(name);
  }

  counts({ schema: { name } }: TableRecord): { items: number; bytes: number } {
    let [items, bytes] = [0, 0];
    for (const item of this.#tables.get(name)!.items()) {
      items++;
      bytes += itemBytes(item);
    }
    return { items, bytes };
  }

  append(stream: string, change: LoggedChange): void {
    const log = this.#streams.get(stream) ?? [];
    log.push({ place: ++this.#newest, change });
    this.#streams.set(stream, log);
  }

  read(stream: string, after: number, most: number): readonly LogEntry[] {
    return (this.#streams.get(stream) ?? []).filter(({ place }) => place > after).slice(0, most);
  }

  ends(stream: string): { newest: number; trimmed: number } {
    return { newest: this.#newest, trimmed: this.#trimmed.get(stream) ?? 0 };
  }

  trim(before: number): boolean {
    return this.#keep(({ change }) => change.at >= before);
  }

  forgetBefore(place: number): boolean {
    return this.#keep((entry) => entry.place >= place);
  }

  /** All of them at once. */
  #keep(isKept: (entry: LogEntry) => boolean): false {
    for (const [stream, log] of this.#streams) {
      const kept = log.filter(isKept);
      const last = log[log.length - kept.length - 1];
      if (last) this.#trimmed.set(stream, last.place);
      this.#streams.set(stream, kept);
    }
    return false;
  }
}
