import type { StoredKey } from './schema.ts';
import type { LoggedChange } from './stream-records.ts';
import type { TableRecord } from './tables.ts';
import type { Item } from './values.ts';

/** Where an item lies: in its table, or in an index, where several items may have one key. */
export interface Place extends StoredKey {
  /** The item's own key. In the table itself it says nothing new. */
  readonly item: StoredKey;
}

export interface Range {
  readonly partition: string;
  /** Bounds of the sort key, both included; undefined: none. */
  readonly from?: string;
  readonly to?: string;
  readonly descending: boolean;
  /** Begins behind this place, whether something lies there or not. */
  readonly after?: Place;
}

/** The items of one table and of its indexes. Items are immutable. */
export interface TableStorage {
  /** @param asOf milliseconds since 1970: a storage that can shows what was there then, as a replica that lags does */
  get(key: StoredKey, asOf?: number): Item | undefined;
  /** Puts an item, or deletes it where `after` is undefined, and brings the indexes and counts up to date: within a transaction. */
  set(key: StoredKey, before: Item | undefined, after: Item | undefined): void;
  /** In the order of the sort keys. `index`: its name; undefined: the table itself. */
  query(index: string | undefined, range: Range, asOf?: number): Iterable<Item>;
  /** Some of the items whose time is over, with their keys. @param seconds since 1970 */
  expired(seconds: number, most: number): Iterable<{ readonly key: StoredKey; readonly item: Item }>;
  /** In the order of the keys. */
  scan(index: string | undefined, after: Place | undefined): Iterable<Item>;
}

/** A change in the log of a stream, at its place: places grow, and are never used twice. */
export interface LogEntry {
  readonly place: number;
  readonly change: LoggedChange;
}

/** Tables, their items and their streams. Everything that a `transaction` does is kept, or nothing of it. */
export interface DatabaseStorage {
  transaction<Result>(work: () => Result): Result;
  /** The tables that there are, in the order of their names. */
  tables(): readonly TableRecord[];
  /** Creates a table, or keeps what has changed about it. @returns its items */
  save(record: TableRecord): TableStorage;
  /** Deletes a table with its items. The records of its stream go with time. */
  drop(record: TableRecord): void;
  /** How many items a table has, and their bytes as DynamoDB counts them: after the last transaction, at no cost that grows with the table. */
  counts(record: TableRecord): { readonly items: number; readonly bytes: number };
  /** @param stream the stream's label, after the table's name */
  append(stream: string, change: LoggedChange): void;
  /** Records behind a place, in order. */
  read(stream: string, after: number, most: number): readonly LogEntry[];
  /** The newest place that any stream has, and the newest one that was trimmed from this stream; 0: none. */
  ends(stream: string): { readonly newest: number; readonly trimmed: number };
  /** Deletes the records of every stream before a place, the oldest first. @returns whether there may be more than `most` of them */
  forgetBefore(place: number, most: number): boolean;
  /** Deletes the records of every stream that are older than a time, in milliseconds since 1970, the oldest first. @returns as `forgetBefore` */
  trim(before: number, most: number): boolean;
}
