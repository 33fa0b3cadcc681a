import { invalid, invalidValues } from './problems.ts';
import { sortableNumber, type Numeric } from './numbers.ts';
import { sortableBytes, typeOf, type Item, type Value } from './values.ts';

/** A key attribute: its name and its type. */
export interface KeyAttribute {
  readonly name: string;
  readonly type: 'S' | 'N' | 'B';
}

export interface KeySchema {
  readonly partitionKey: KeyAttribute;
  readonly sortKey?: KeyAttribute;
}

export interface IndexSchema extends KeySchema {
  readonly name: string;
  /** What of an item the index shows: all of it, its keys, or its keys and some more attributes. */
  readonly projection: 'ALL' | 'KEYS_ONLY' | { readonly include: readonly string[] };
  /** A local index shares the table's partition key, and may be read consistently. */
  readonly local?: boolean;
}

export type StreamView = 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES';

/** A table as far as reading and writing items needs it. */
export interface TableSchema extends KeySchema {
  readonly name: string;
  readonly indexes?: readonly IndexSchema[];
  /** Attribute with the expiry time in seconds since 1970. */
  readonly expiryAttribute?: string;
  /** What the records of its stream show; undefined: it has none. */
  readonly stream?: StreamView | undefined;
}

/** A key as storage keeps it: texts whose order is that of the values. */
export interface StoredKey {
  readonly partition: string;
  /** Empty without a sort key. */
  readonly sort: string;
}

/** A key as one text: the length tells where its parts meet. */
export const keyText = ({ partition, sort }: StoredKey): string => `${partition.length}:${partition}${sort}`;

export const attributesOf = ({ partitionKey, sortKey }: KeySchema): readonly KeyAttribute[] =>
  sortKey ? [partitionKey, sortKey] : [partitionKey];

/** The attributes of a key: the table's own, and those of an index where one is read. Each once. */
export function keyNames(table: KeySchema, index?: KeySchema): readonly string[] {
  return [...new Set([...attributesOf(table), ...(index ? attributesOf(index) : [])].map(({ name }) => name))];
}

export function pick(item: Item, names: readonly string[]): Item {
  const picked: Record<string, Value> = {};
  for (const name of names) if (Object.hasOwn(item, name)) picked[name] = item[name]!;
  return Object.freeze(picked);
}

/** Text whose order is that of a key attribute's values. */
export function sortable(value: Value): string {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? sortableBytes(value) : sortableNumber(value as Numeric);
}

const mostBytes = { partition: 2048, sort: 1024 } as const;

function checkLength(role: keyof typeof mostBytes, value: Value): void {
  if (typeof value === 'string' && value.length * 3 <= mostBytes[role]) return;
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value instanceof Uint8Array ? value.byteLength : 0;
  if (bytes <= mostBytes[role]) return;
  throw invalidValues(
    role === 'partition'
      ? 'Size of hashkey has exceeded the maximum size limit of2048 bytes'
      : 'Aggregated size of all range keys has exceeded the size limit of 1024 bytes',
  );
}

const isEmptyKey = (value: Value): boolean => value === '' || (value instanceof Uint8Array && value.byteLength === 0);
const emptyKind = (value: Value): string => (typeof value === 'string' ? 'string' : 'binary');

/** The key of an item that is put. @throws ValidationException when an attribute of it is missing, empty, too long or of another type */
export function keyOfItem(schema: KeySchema, item: Item): StoredKey {
  for (const { name, type } of attributesOf(schema)) {
    const value = Object.hasOwn(item, name) ? item[name] : undefined;
    if (value === undefined) throw invalidValues(`Missing the key ${name} in the item`);
    if (typeOf(value) !== type) throw invalidValues(`Type mismatch for key ${name} expected: ${type} actual: ${typeOf(value)}`);
  }
  return stored(schema, item);
}

/** The key that a request names. @throws ValidationException when it is not exactly what the table's schema says */
export function keyOfRequest(schema: KeySchema, key: Item): StoredKey {
  const attributes = attributesOf(schema);
  if (Object.keys(key).length !== attributes.length) throw noMatch();
  for (const { name, type } of attributes) {
    const value = Object.hasOwn(key, name) ? key[name] : undefined;
    if (value === undefined || typeOf(value) !== type) throw noMatch();
  }
  return stored(schema, key);
}

const noMatch = (): Error => invalid('The provided key element does not match the schema');

function stored({ partitionKey, sortKey }: KeySchema, values: Item): StoredKey {
  return { partition: keyPart(partitionKey.name, 'partition', values), sort: sortKey ? keyPart(sortKey.name, 'sort', values) : '' };
}

function keyPart(name: string, role: keyof typeof mostBytes, values: Item): string {
  const value = values[name]!;
  checkNotEmpty(name, value);
  checkLength(role, value);
  return sortable(value);
}

export function checkNotEmpty(name: string, value: Value): void {
  if (!isEmptyKey(value)) return;
  throw invalid(
    `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty ${emptyKind(value)} value. Key: ${name}`,
  );
}

/** The place of an item in an index; undefined: it has none there. */
export function keyInIndex({ partitionKey, sortKey }: KeySchema, item: Item): StoredKey | undefined {
  const partition = item[partitionKey.name];
  if (partition === undefined) return undefined;
  if (!sortKey) return { partition: sortable(partition), sort: '' };
  const sort = item[sortKey.name];
  return sort === undefined ? undefined : { partition: sortable(partition), sort: sortable(sort) };
}

/** @throws ValidationException when an attribute that is an index's key has a value that cannot be one */
export function checkIndexKeys({ indexes = [] }: TableSchema, item: Item, ofUpdate = false): void {
  for (const index of indexes) {
    for (const { name, type } of attributesOf(index)) {
      const value = item[name];
      if (value === undefined) continue;
      if (typeOf(value) !== type) {
        if (ofUpdate) throw invalid('The update expression attempted to update the secondary index key to unsupported type');
        throw invalidValues(`Type mismatch for Index Key ${name} Expected: ${type} Actual: ${typeOf(value)} IndexName: ${index.name}`);
      }
      if (isEmptyKey(value) && ofUpdate) {
        throw invalid(
          `One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty ${emptyKind(value)} value.`,
        );
      }
      if (isEmptyKey(value)) {
        throw invalid(
          `One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty ${emptyKind(value)} value. IndexName: ${index.name}, IndexKey: ${name}`,
        );
      }
      checkLength(name === index.partitionKey.name ? 'partition' : 'sort', value);
    }
  }
}

/** What an index shows of an item that is in it. */
export function shownBy(table: TableSchema, index: IndexSchema, item: Item): Item {
  if (index.projection === 'ALL') return item;
  const names = namesShown(table, index);
  // It has all keys: with no more attributes than that it is shown whole, as what was taken from the index before.
  if (index.projection === 'KEYS_ONLY' && Object.keys(item).length === names.length) return item;
  return pick(item, names);
}

const shownNames = new WeakMap<IndexSchema, readonly string[]>();

/** The attributes that an index shows where it does not show all: asked for each item. */
function namesShown(table: TableSchema, index: IndexSchema): readonly string[] {
  let names = shownNames.get(index);
  if (!names) {
    const more = typeof index.projection === 'object' ? index.projection.include : [];
    shownNames.set(index, (names = [...new Set([...keyNames(table, index), ...more])]));
  }
  return names;
}
