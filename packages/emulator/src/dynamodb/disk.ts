import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { inTransaction } from '../transaction.ts';
import { itemText, itemOfText } from './item-text.ts';
import { keyInIndex, type StoredKey, type TableSchema } from './schema.ts';
import type { DatabaseStorage, LogEntry, Place, Range, TableStorage } from './storage.ts';
import type { LoggedChange } from './stream-records.ts';
import type { TableRecord } from './tables.ts';
import { itemBytes, type Item } from './values.ts';

/**
 * Keys are texts whose order is that of the values: SQLite compares them byte by byte, as DynamoDB does. Items lie in the order in which they came, so that
 * those of one time share pages, and the index that finds them is small: among a million, a write touches a third fewer pages than in a tree of whole items.
 * What a table holds is counted with each write: counting it when asked would read all of it.
 * A rowid that is never used twice gives streams their sequence numbers, also after everything was trimmed.
 */
const layout = `
  CREATE TABLE IF NOT EXISTS dynamodb_tables (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL, items INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE IF NOT EXISTS dynamodb_items (
    place INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, partition TEXT NOT NULL, sort TEXT NOT NULL, expires INTEGER, body TEXT NOT NULL
  );
  CREATE UNIQUE INDEX IF NOT EXISTS dynamodb_keys ON dynamodb_items (table_id, partition, sort);
  CREATE INDEX IF NOT EXISTS dynamodb_expiring ON dynamodb_items (table_id, expires) WHERE expires IS NOT NULL;
  CREATE TABLE IF NOT EXISTS dynamodb_entries (
    table_id INTEGER NOT NULL, name TEXT NOT NULL, partition TEXT NOT NULL, sort TEXT NOT NULL,
    item_partition TEXT NOT NULL, item_sort TEXT NOT NULL,
    PRIMARY KEY (table_id, name, partition, sort, item_partition, item_sort)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS dynamodb_log (place INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, at INTEGER NOT NULL, change TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS dynamodb_log_stream ON dynamodb_log (stream, place);
  CREATE TABLE IF NOT EXISTS dynamodb_trimmed (stream TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
`;

interface Row {
  readonly body: string;
}

/** Prepares each statement once. */
class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  of(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (!statement) this.#prepared.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }
}

/** What the transaction under way changes of what tables hold: written at its end, once for each table. */
class Counts {
  readonly #statements: Statements;
  readonly #changes = new Map<number, { items: number; bytes: number }>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  add(table: number, items: number, bytes: number): void {
    const change = this.#changes.get(table);
    if (!change) {
      this.#changes.set(table, { items, bytes });
      return;
    }
    change.items += items;
    change.bytes += bytes;
  }

  write(): void {
    for (const [table, { items, bytes }] of this.#changes) {
      if (items === 0 && bytes === 0) continue;
      this.#statements.of('UPDATE dynamodb_tables SET items = items + ?, bytes = bytes + ? WHERE id = ?').run(items, bytes, table);
    }
  }

  forget(): void {
    this.#changes.clear();
  }
}

class DiskTable implements TableStorage {
  readonly #id: number;
  readonly #schema: TableSchema;
  readonly #statements: Statements;
  readonly #counts: Counts;

  constructor(id: number, schema: TableSchema, statements: Statements, counts: Counts) {
    this.#id = id;
    this.#schema = schema;
    this.#statements = statements;
    this.#counts = counts;
  }

  get({ partition, sort }: StoredKey): Item | undefined {
    const row = this.#statements
      .of('SELECT body FROM dynamodb_items WHERE table_id = ? AND partition = ? AND sort = ?')
      .get(this.#id, partition, sort) as Row | undefined;
    return row && itemOfText(row.body);
  }

  set(key: StoredKey, before: Item | undefined, after: Item | undefined): void {
    const { partition, sort } = key;
    if (after) {
      this.#statements
        .of(
          `INSERT INTO dynamodb_items (table_id, partition, sort, expires, body) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (table_id, partition, sort) DO UPDATE SET expires = excluded.expires, body = excluded.body`,
        )
        .run(this.#id, partition, sort, this.#expiryOf(after), itemText(after));
    } else {
      this.#statements.of('DELETE FROM dynamodb_items WHERE table_id = ? AND partition = ? AND sort = ?').run(this.#id, partition, sort);
    }
    this.#counts.add(this.#id, (after ? 1 : 0) - (before ? 1 : 0), (after ? itemBytes(after) : 0) - (before ? itemBytes(before) : 0));
    for (const index of this.#schema.indexes ?? []) {
      const [was, is] = [before && keyInIndex(index, before), after && keyInIndex(index, after)];
      if (was?.partition === is?.partition && was?.sort === is?.sort) continue;
      if (was) {
        this.#statements
          .of(
            'DELETE FROM dynamodb_entries WHERE table_id = ? AND name = ? AND partition = ? AND sort = ? AND item_partition = ? AND item_sort = ?',
          )
          .run(this.#id, index.name, was.partition, was.sort, partition, sort);
      }
      if (is) {
        this.#statements
          .of('INSERT INTO dynamodb_entries (table_id, name, partition, sort, item_partition, item_sort) VALUES (?, ?, ?, ?, ?, ?)')
          .run(this.#id, index.name, is.partition, is.sort, partition, sort);
      }
    }
  }

  #expiryOf(item: Item): number | null {
    const { expiryAttribute } = this.#schema;
    const time = expiryAttribute === undefined ? undefined : item[expiryAttribute];
    return typeof time === 'number' ? Math.floor(time) : null;
  }

  *query(index: string | undefined, { partition, from, to, after, descending }: Range): Iterable<Item> {
    const order = descending ? 'DESC' : 'ASC';
    const behind = descending ? '<' : '>';
    const where = ['e.table_id = ?', 'e.partition = ?'];
    const values: (string | number)[] = [this.#id, partition];
    if (index !== undefined) {
      where.push('e.name = ?');
      values.push(index);
    }
    // Where a page begins is the nearer bound. SQLite would seek to the other one, and read all that lies between them again for each page.
    if (from !== undefined && (!after || descending)) {
      where.push('e.sort >= ?');
      values.push(from);
    }
    if (to !== undefined && !(after && descending)) {
      where.push('e.sort <= ?');
      values.push(to);
    }
    if (after && index === undefined) {
      where.push(`e.sort ${behind} ?`);
      values.push(after.sort);
    } else if (after) {
      where.push(`(e.sort, e.item_partition, e.item_sort) ${behind} (?, ?, ?)`);
      values.push(after.sort, after.item.partition, after.item.sort);
    }
    const by = index === undefined ? `e.sort ${order}` : `e.sort ${order}, e.item_partition ${order}, e.item_sort ${order}`;
    yield* this.#read(index, `WHERE ${where.join(' AND ')} ORDER BY ${by}`, values);
  }

  *scan(index: string | undefined, after: Place | undefined): Iterable<Item> {
    const where = ['e.table_id = ?'];
    const values: (string | number)[] = [this.#id];
    if (index !== undefined) {
      where.push('e.name = ?');
      values.push(index);
    }
    if (after && index === undefined) {
      where.push('(e.partition, e.sort) > (?, ?)');
      values.push(after.partition, after.sort);
    } else if (after) {
      where.push('(e.partition, e.sort, e.item_partition, e.item_sort) > (?, ?, ?, ?)');
      values.push(after.partition, after.sort, after.item.partition, after.item.sort);
    }
    const by = index === undefined ? 'e.partition, e.sort' : 'e.partition, e.sort, e.item_partition, e.item_sort';
    yield* this.#read(index, `WHERE ${where.join(' AND ')} ORDER BY ${by}`, values);
  }

  *#read(index: string | undefined, rest: string, values: readonly (string | number)[]): Iterable<Item> {
    const from =
      index === undefined
        ? 'SELECT e.body AS body FROM dynamodb_items e'
        : `SELECT i.body AS body FROM dynamodb_entries e JOIN dynamodb_items i
             ON i.table_id = e.table_id AND i.partition = e.item_partition AND i.sort = e.item_sort`;
    for (const row of this.#statements.of(`${from} ${rest}`).iterate(...values)) yield itemOfText((row as unknown as Row).body);
  }

  *expired(seconds: number, most: number): Iterable<{ readonly key: StoredKey; readonly item: Item }> {
    const rows = this.#statements
      .of('SELECT partition, sort, body FROM dynamodb_items WHERE table_id = ? AND expires < ? LIMIT ?')
      .all(this.#id, Math.floor(seconds), Math.min(most, 1_000_000));
    for (const { partition, sort, body } of rows as unknown as (StoredKey & Row)[])
      yield { key: { partition, sort }, item: itemOfText(body) };
  }

  /** Writes down anew when each item expires: TTL may be turned on when items are there. A page at a time, since there may be more than memory holds. */
  indexExpiry(): void {
    for (let after = 0; ;) {
      const rows = this.#statements
        .of('SELECT place, body FROM dynamodb_items NOT INDEXED WHERE table_id = ? AND place > ? ORDER BY place LIMIT 1000')
        .all(this.#id, after) as unknown as (Row & { readonly place: number })[];
      for (const { place, body } of rows)
        this.#statements.of('UPDATE dynamodb_items SET expires = ? WHERE place = ?').run(this.#expiryOf(itemOfText(body)), place);
      if (rows.length === 0) return;
      after = rows.at(-1)!.place;
    }
  }
}

/** A database in a SQLite file, which the caller opened: durable as that is. */
export class DiskStorage implements DatabaseStorage {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #counts: Counts;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(layout);
    this.#statements = new Statements(database);
    this.#counts = new Counts(this.#statements);
  }

  transaction<Result>(work: () => Result): Result {
    if (this.#database.isTransaction) return work();
    try {
      return inTransaction(this.#database, () => {
        const result = work();
        this.#counts.write();
        return result;
      });
    } finally {
      this.#counts.forget();
    }
  }

  tables(): readonly TableRecord[] {
    return this.#statements
      .of('SELECT record FROM dynamodb_tables ORDER BY name')
      .all()
      .map(({ record }) => JSON.parse(record as string) as TableRecord);
  }

  save(record: TableRecord): TableStorage {
    const { name, expiryAttribute } = record.schema;
    const known = this.#statements.of('SELECT id, record FROM dynamodb_tables WHERE name = ?').get(name);
    this.#statements
      .of('INSERT INTO dynamodb_tables (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record')
      .run(name, JSON.stringify(record));
    const table = new DiskTable(this.#idOf(name), record.schema, this.#statements, this.#counts);
    if (known && (JSON.parse(known['record'] as string) as TableRecord).schema.expiryAttribute !== expiryAttribute) table.indexExpiry();
    return table;
  }

  drop({ schema: { name } }: TableRecord): void {
    const id = this.#idOf(name);
    for (const sql of [
      'DELETE FROM dynamodb_items WHERE table_id = ?',
      'DELETE FROM dynamodb_entries WHERE table_id = ?',
      'DELETE FROM dynamodb_tables WHERE id = ?',
    ]) {
      this.#statements.of(sql).run(id);
    }
  }

  counts({ schema: { name } }: TableRecord): { items: number; bytes: number } {
    const { items, bytes } = this.#statements.of('SELECT items, bytes FROM dynamodb_tables WHERE name = ?').get(name)!;
    return { items: items as number, bytes: bytes as number };
  }

  #idOf(name: string): number {
    return this.#statements.of('SELECT id FROM dynamodb_tables WHERE name = ?').get(name)!['id'] as number;
  }

  append(stream: string, change: LoggedChange): void {
    this.#statements.of('INSERT INTO dynamodb_log (stream, at, change) VALUES (?, ?, ?)').run(stream, change.at, JSON.stringify(change));
  }

  read(stream: string, after: number, most: number): readonly LogEntry[] {
    return this.#statements
      .of('SELECT place, change FROM dynamodb_log WHERE stream = ? AND place > ? ORDER BY place LIMIT ?')
      .all(stream, after, most)
      .map(({ place, change }) => ({ place: place as number, change: JSON.parse(change as string) as LoggedChange }));
  }

  ends(stream: string): { newest: number; trimmed: number } {
    const newest = this.#statements.of(`SELECT seq FROM sqlite_sequence WHERE name = 'dynamodb_log'`).get()?.['seq'];
    const trimmed = this.#statements.of('SELECT place FROM dynamodb_trimmed WHERE stream = ?').get(stream)?.['place'];
    return { newest: (newest as number | undefined) ?? 0, trimmed: (trimmed as number | undefined) ?? 0 };
  }

  trim(before: number, most: number): boolean {
    return this.#forget('at >= ?', before, most);
  }

  forgetBefore(place: number, most: number): boolean {
    return this.#forget('place >= ?', place, most);
  }

  /** Looks at the oldest records only, however many there are. */
  #forget(stays: string, value: number, most: number): boolean {
    const { first, last, seen } = this.#statements
      .of(
        `SELECT MIN(CASE WHEN ${stays} THEN place END) AS first, MAX(place) AS last, COUNT(*) AS seen
         FROM (SELECT place, at FROM dynamodb_log ORDER BY place LIMIT ?)`,
      )
      .get(value, most) as { first: number | null; last: number | null; seen: number };
    if (last === null) return false;
    const end = first ?? last + 1;
    this.transaction(() => {
      // Its places are together: by its index all of the log would be read.
      this.#statements
        .of(
          `INSERT INTO dynamodb_trimmed (stream, place) SELECT stream, MAX(place) FROM dynamodb_log NOT INDEXED WHERE place < ? GROUP BY stream
           ON CONFLICT (stream) DO UPDATE SET place = MAX(place, excluded.place)`,
        )
        .run(end);
      this.#statements.of('DELETE FROM dynamodb_log WHERE place < ?').run(end);
    });
    return first === null && seen === most;
  }
}
