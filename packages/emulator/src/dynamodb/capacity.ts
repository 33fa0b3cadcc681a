import { invalid } from './problems.ts';
import { keyInIndex, shownBy, type TableSchema } from './schema.ts';
import { isEqual, itemBytes, type Item } from './values.ts';

/** Units that a call consumed of one table, and of its indexes. */
export interface Consumed {
  readonly table: string;
  /** Of the table itself. */
  own: number;
  readonly indexes: Map<string, { units: number; readonly local: boolean }>;
  readonly kind: 'read' | 'write';
}

/** Of a call that does not ask what it consumed: nobody counts. */
export const unasked: Consumed = { table: '', own: 0, indexes: new Map(), kind: 'read' };

/** DynamoDB: a read unit is 4 KB, half of that without consistency. Nothing found costs as much as the least. */
export const readUnits = (bytes: number, consistent: boolean): number => Math.max(1, Math.ceil(bytes / 4096)) * (consistent ? 1 : 0.5);

/** DynamoDB: a write unit is 1 KB of the larger of the item before and after. */
const writeUnits = (bytes: number): number => Math.max(1, Math.ceil(bytes / 1024));

/** What one write consumes, indexes too: an entry that appears, goes or changes costs its size, one that changes its key costs both. */
export function consumedByWrite(schema: TableSchema, before: Item | undefined, after: Item | undefined): Consumed {
  const bytes = Math.max(before ? itemBytes(before) : 0, after ? itemBytes(after) : 0);
  const consumed: Consumed = { table: schema.name, own: writeUnits(bytes), indexes: new Map(), kind: 'write' };
  for (const index of schema.indexes ?? []) {
    const [was, is] = [before && keyInIndex(index, before), after && keyInIndex(index, after)];
    const [old, shown] = [was && shownBy(schema, index, before!), is && shownBy(schema, index, after!)];
    const [oldUnits, units] = [old ? writeUnits(itemBytes(old)) : 0, shown ? writeUnits(itemBytes(shown)) : 0];
    const moved = was?.partition !== is?.partition || was?.sort !== is?.sort;
    const cost = moved ? oldUnits + units : isEqual(old, shown) ? 0 : Math.max(oldUnits, units);
    if (cost > 0) consumed.indexes.set(index.name, { units: cost, local: index.local === true });
  }
  return consumed;
}

/** Adds up what calls consumed of each table. */
export function total(all: readonly Consumed[]): Consumed[] {
  const tables = new Map<string, Consumed>();
  for (const { table, own, indexes, kind } of all) {
    let sum = tables.get(table);
    if (!sum) tables.set(table, (sum = { table, own: 0, indexes: new Map(), kind }));
    sum.own += own;
    for (const [name, { units, local }] of indexes) sum.indexes.set(name, { units: units + (sum.indexes.get(name)?.units ?? 0), local });
  }
  return [...tables.values()];
}

/** As AWS answers it. @param detail `TOTAL` or `INDEXES` @param factor 2 within a transaction, which tells read and write units by name too */
export function capacityOf({ table, own, indexes, kind }: Consumed, detail: string, factor = 1): Record<string, unknown> {
  const named = (units: number): Record<string, number> => ({
    CapacityUnits: units * factor,
    ...(factor === 1 ? {} : { [kind === 'read' ? 'ReadCapacityUnits' : 'WriteCapacityUnits']: units * factor }),
  });
  const all = [...indexes.values()].reduce((sum, { units }) => sum + units, own);
  const part = (local: boolean): Record<string, unknown> =>
    Object.fromEntries([...indexes].filter(([, index]) => index.local === local).map(([name, { units }]) => [name, named(units)]));
  const [local, global] = [part(true), part(false)];
  return {
    TableName: table,
    ...named(all),
    ...(detail === 'INDEXES'
      ? {
          Table: named(own),
          ...(Object.keys(local).length > 0 ? { LocalSecondaryIndexes: local } : {}),
          ...(Object.keys(global).length > 0 ? { GlobalSecondaryIndexes: global } : {}),
        }
      : {}),
  };
}

const details = ['INDEXES', 'TOTAL', 'NONE'];

/** How much of what was consumed a call wants to know. @throws ValidationException */
export function capacityAsked(input: object): string {
  const { ReturnConsumedCapacity: detail = 'NONE' } = input as { ReturnConsumedCapacity?: string };
  if (details.includes(detail)) return detail;
  throw invalid(
    `1 validation error detected: Value '${detail}' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [${details.join(', ')}]`,
  );
}

export const asksCapacity = (input: object): boolean => capacityAsked(input) !== 'NONE';
