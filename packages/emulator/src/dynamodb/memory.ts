import { keyInIndex, keyText, shownBy, type StoredKey, type TableSchema } from './schema.ts';
import type { Place, Range, TableStorage } from './storage.ts';
import { compareTexts, type Item } from './values.ts';

interface Entry extends Place {
  shown: Item;
}

/** An item in its table. One that was deleted stays, for a replica that lags. */
interface Slot extends Entry {
  isThere: boolean;
  /** What was there before the last write, and when that was. */
  before: Item | undefined;
  until: number;
}

const compareEntries = (a: Place, b: Place): number =>
  compareTexts(a.sort, b.sort) || compareTexts(a.item.partition, b.item.partition) || compareTexts(a.item.sort, b.item.sort);

/** One table or index: its partitions, each in the order of its sort keys. */
class Ordered {
  readonly partitions = new Map<string, Entry[]>();

  add(entry: Entry): void {
    const entries = this.partitions.get(entry.partition);
    if (!entries) {
      this.partitions.set(entry.partition, [entry]);
      return;
    }
    const at = placeOf(entries, entry);
    entries.splice(at, entries[at] !== undefined && compareEntries(entries[at], entry) === 0 ? 1 : 0, entry);
  }

  remove(place: Place): void {
    const entries = this.partitions.get(place.partition);
    if (!entries) return;
    const at = placeOf(entries, place);
    if (entries[at] === undefined || compareEntries(entries[at], place) !== 0) return;
    if (entries.length === 1) this.partitions.delete(place.partition);
    else entries.splice(at, 1);
  }
}

/** The first place that is not before another one. */
function placeOf(entries: readonly Place[], place: Place): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareEntries(entries[middle]!, place) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * A table in memory, for the simulation and for tests. It can show what a lagging replica shows: an item as it was before its last write, and an index
 * as it was when it was frozen.
 */
export class MemoryTable implements TableStorage {
  readonly schema: TableSchema;
  readonly #now: () => number;
  readonly #slots = new Map<string, Slot>();
  readonly #table = new Ordered();
  readonly #indexes: ReadonlyMap<string, Ordered>;
  readonly #late: (() => void)[] = [];
  #frozenUntil = 0;
  /** Nothing expires before. */
  #nextExpiry = Infinity;

  /** @param now for what lags, in milliseconds since 1970 */
  constructor(schema: TableSchema, now: () => number) {
    this.schema = schema;
    this.#now = now;
    this.#indexes = new Map((schema.indexes ?? []).map(({ name }) => [name, new Ordered()]));
  }

  /** Every item, in no order. */
  *items(): IterableIterator<Item> {
    for (const { isThere, shown } of this.#slots.values()) if (isThere) yield shown;
  }

  *entries(): Iterable<{ readonly key: StoredKey; readonly item: Item }> {
    for (const { isThere, item, shown } of this.#slots.values()) if (isThere) yield { key: item, item: shown };
  }

  /** Keeps the indexes as they are until a time; what changes meanwhile shows up then. */
  freezeIndexes(until: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, until);
  }

  get(key: StoredKey, asOf?: number): Item | undefined {
    const slot = this.#slots.get(this.#textOf(key));
    if (slot === undefined) return undefined;
    if (asOf !== undefined && slot.until > asOf) return slot.before;
    return slot.isThere ? slot.shown : undefined;
  }

  #textOf(key: StoredKey): string {
    return this.schema.sortKey ? keyText(key) : key.partition;
  }

  set(key: StoredKey, before: Item | undefined, after: Item | undefined): void {
    this.#put(key, before, after);
    if (after) {
      const expiry = this.schema.expiryAttribute === undefined ? undefined : after[this.schema.expiryAttribute];
      if (typeof expiry === 'number') this.#nextExpiry = Math.min(this.#nextExpiry, expiry);
    }
    if (this.#indexes.size === 0) return;
    this.#catchUp();
    if (this.#frozenUntil > this.#now()) this.#late.push(() => this.#index(key, before, after));
    else this.#index(key, before, after);
  }

  #put(key: StoredKey, before: Item | undefined, after: Item | undefined): void {
    const text = this.#textOf(key);
    const until = this.#now();
    const slot = this.#slots.get(text);
    if (slot?.isThere) {
      slot.before = before;
      slot.until = until;
      if (after) slot.shown = after;
      else {
        slot.isThere = false;
        this.#table.remove(slot);
      }
    } else if (after) {
      const { partition, sort } = key;
      const added: Slot = { partition, sort, item: key, shown: after, isThere: true, before, until };
      // As the last of all, also where something was before.
      this.#slots.delete(text);
      this.#slots.set(text, added);
      this.#table.add(added);
    }
  }

  *expired(seconds: number, most: number): Iterable<{ readonly key: StoredKey; readonly item: Item }> {
    const { expiryAttribute } = this.schema;
    // Asked all the time by the simulation, and seldom is anything there.
    if (expiryAttribute === undefined || seconds <= this.#nextExpiry) return;
    this.#nextExpiry = Infinity;
    let count = 0;
    for (const { key, item } of this.entries()) {
      const time = item[expiryAttribute];
      if (typeof time !== 'number') continue;
      if (time < seconds && count++ < most) yield { key, item };
      else this.#nextExpiry = Math.min(this.#nextExpiry, time);
    }
  }

  #index(key: StoredKey, before: Item | undefined, after: Item | undefined): void {
    for (const index of this.schema.indexes ?? []) {
      const ordered = this.#indexes.get(index.name)!;
      const [was, is] = [before && keyInIndex(index, before), after && keyInIndex(index, after)];
      const stays = was?.partition === is?.partition && was?.sort === is?.sort;
      if (was && !stays) ordered.remove({ ...was, item: key });
      if (is) ordered.add({ ...is, item: key, shown: shownBy(this.schema, index, after!) });
    }
  }

  #catchUp(): void {
    if (this.#late.length === 0 || this.#frozenUntil > this.#now()) return;
    for (const update of this.#late.splice(0)) update();
  }

  query(index: string | undefined, range: Range, asOf?: number): Iterable<Item> {
    this.#catchUp();
    const all = (index === undefined ? this.#table : this.#indexes.get(index)!).partitions.get(range.partition);
    return all ? this.#within(all, range, index === undefined ? asOf : undefined) : [];
  }

  *#within(all: readonly Entry[], range: Range, asOf: number | undefined): Iterable<Item> {
    const [first, last] = boundsOf(all, range);
    for (let i = 0; i < last - first; i++) {
      const { shown, item } = all[range.descending ? last - 1 - i : first + i]!;
      const seen = asOf === undefined ? shown : this.get(item, asOf);
      if (seen) yield seen;
    }
  }

  *scan(index: string | undefined, after: Place | undefined): Iterable<Item> {
    this.#catchUp();
    const { partitions } = index === undefined ? this.#table : this.#indexes.get(index)!;
    for (const partition of [...partitions.keys()].toSorted(compareTexts)) {
      if (after && compareTexts(partition, after.partition) < 0) continue;
      const all = partitions.get(partition)!;
      const [first] = boundsOf(all, { partition, descending: false, ...(after?.partition === partition ? { after } : {}) });
      for (const { shown } of all.slice(first)) yield shown;
    }
  }
}

/** The first entry of a range, and the first one behind it. */
function boundsOf(entries: readonly Entry[], { from, to, after, descending }: Range): [number, number] {
  const beginning = (sort: string): number => placeOf(entries, { partition: '', sort, item: { partition: '', sort: '' } });
  let first = from === undefined ? 0 : beginning(from);
  let last = entries.length;
  if (to !== undefined) {
    last = beginning(to);
    while (last < entries.length && entries[last]!.sort === to) last++;
  }
  if (after) {
    const at = placeOf(entries, after);
    const isThere = entries[at] !== undefined && compareEntries(entries[at], after) === 0;
    if (descending) last = Math.min(last, at);
    else first = Math.max(first, isThere ? at + 1 : at);
  }
  return [first, Math.max(first, last)];
}
