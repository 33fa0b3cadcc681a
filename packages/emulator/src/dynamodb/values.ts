import { BigDecimal, compareNumbers, formatNumber, normalNumber, numberBytes, type Numeric } from './numbers.ts';
import { invalid, invalidValues } from './problems.ts';

/** A set of strings, numbers or binaries: never empty, its members in no order. */
export class ValueSet {
  readonly type: 'SS' | 'NS' | 'BS';
  /** By a text that is the same for equal members only. */
  readonly members: ReadonlyMap<string, string | Numeric | Uint8Array>;

  constructor(type: ValueSet['type'], members: Iterable<string | Numeric | Uint8Array>) {
    this.type = type;
    this.members = new Map(Array.from(members, (member) => [identityOf(member), member]));
  }
}

const identityOf = (member: string | Numeric | Uint8Array): string =>
  typeof member === 'string' ? member : member instanceof Uint8Array ? hexOf(member) : formatNumber(member);

/** A value of an attribute, as the engine works with it: JavaScript's own where it has one. */
export type Value = string | Numeric | boolean | null | Uint8Array | ValueSet | readonly Value[] | { readonly [name: string]: Value };
export type Item = Readonly<Record<string, Value>>;

/** DynamoDB's name of a value's type. */
export type TypeName = 'S' | 'N' | 'B' | 'BOOL' | 'NULL' | 'SS' | 'NS' | 'BS' | 'L' | 'M';

export function typeOf(value: Value): TypeName {
  switch (typeof value) {
    case 'string':
      return 'S';
    case 'number':
      return 'N';
    case 'boolean':
      return 'BOOL';
    default:
      if (value === null) return 'NULL';
      if (value instanceof BigDecimal) return 'N';
      if (value instanceof ValueSet) return value.type;
      if (value instanceof Uint8Array) return 'B';
      return Array.isArray(value) ? 'L' : 'M';
  }
}

export const isNumeric = (value: unknown): value is Numeric => typeof value === 'number' || value instanceof BigDecimal;

export const isMap = (value: Value | undefined): value is Item => value !== undefined && typeof value === 'object' && typeOf(value) === 'M';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** Text whose order is that of the bytes. */
export const sortableBytes = hexOf;

/** The order of the texts' bytes in UTF-8, which is JavaScript's own but for what takes two code units. */
export function compareTexts(a: string, b: string): number {
  const least = Math.min(a.length, b.length);
  for (let i = 0; i < least; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const [pairX, pairY] = [x >= 0xd800 && x <= 0xdfff, y >= 0xd800 && y <= 0xdfff];
    return pairX === pairY ? x - y : pairX ? 1 : -1;
  }
  return a.length - b.length;
}

/** The order of two values of one type that has an order; undefined: they have none. */
export function compareValues(a: Value, b: Value): number | undefined {
  if (typeof a === 'string') return typeof b === 'string' ? compareTexts(a, b) : undefined;
  if (isNumeric(a)) return isNumeric(b) ? compareNumbers(a, b) : undefined;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return undefined;
}

export function isEqual(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return a !== undefined;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const type = typeOf(a);
  if (type !== typeOf(b)) return false;
  if (type === 'N' || type === 'B') return compareValues(a, b) === 0;
  if (a instanceof ValueSet) return sameMembers(a, b as ValueSet);
  if (Array.isArray(a)) return a.length === (b as Value[]).length && a.every((member: Value, i) => isEqual(member, (b as Value[])[i]));
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => isEqual((a as Item)[name], (b as Item)[name]));
}

const sameMembers = ({ members: a }: ValueSet, { members: b }: ValueSet): boolean =>
  a.size === b.size && a.keys().every((member) => b.has(member));

/** DynamoDB: of one item, names and values counted. */
const mostItemBytes = 400 * 1024;

/** The bytes of a value as DynamoDB counts them. */
export function bytesOf(value: Value): number {
  switch (typeof value) {
    case 'string':
      return Buffer.byteLength(value);
    case 'number':
      return numberBytes(value);
    case 'boolean':
      return 1;
    default:
      if (value === null) return 1;
      if (value instanceof BigDecimal) return numberBytes(value);
      if (value instanceof Uint8Array) return value.byteLength;
      if (value instanceof ValueSet) return value.members.values().reduce((sum: number, member) => sum + bytesOf(member), 0);
      if (Array.isArray(value)) return value.reduce((sum: number, member: Value) => sum + bytesOf(member) + 1, 3);
      return Object.keys(value).length + 3 + itemBytes(value as Item);
  }
}

/** The bytes of an item: its names and their values. */
export function itemBytes(item: Item): number {
  let bytes = 0;
  for (const name in item) bytes += Buffer.byteLength(name) + bytesOf(item[name]!);
  return bytes;
}

/** As many bytes as an item may have, told by the lengths of its strings alone: it costs much less than counting. */
export function mostBytesOf(item: Item): number {
  let atMost = 0;
  for (const name in item) {
    const value = item[name]!;
    atMost += name.length * 3 + (typeof value === 'string' ? value.length * 3 : typeof value === 'object' ? mostItemBytes : 22);
  }
  return atMost;
}

export const isTooLarge = (item: Item): boolean => mostBytesOf(item) > mostItemBytes && itemBytes(item) > mostItemBytes;

const mostLevels = 32;

/**
 * A value that nobody can change: what the document client takes, in the engine's form, without undefined members. What was taken before is used again.
 *
 * @throws ValidationException for what is none of DynamoDB's values
 */
export function takeValue(value: unknown, level = 0): Value {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw invalid(`The parameter cannot be converted to a numeric value: ${value}`);
      return normalNumber(value);
    case 'object':
      break;
    default:
      throw invalidValues(`a value cannot be ${typeof value}`);
  }
  if (value === null || value instanceof BigDecimal || value instanceof ValueSet || value instanceof Uint8Array) return value;
  if (level > mostLevels)
    throw invalid('Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit');
  if (value instanceof Set) return setOf(value);
  if (Object.isFrozen(value)) return value as Value;
  if (Array.isArray(value)) return Object.freeze(value.map((member) => takeValue(member, level + 1)));
  const copy: Record<string, Value> = {};
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (member !== undefined) copy[name] = takeValue(member, level + 1);
  }
  return Object.freeze(copy);
}

function setOf(members: ReadonlySet<unknown>): ValueSet {
  const taken = [...members].map((member) => takeValue(member)) as (string | Numeric | Uint8Array)[];
  const [first] = taken;
  if (first === undefined) throw invalidValues('An string set  may not be empty');
  return new ValueSet(typeof first === 'string' ? 'SS' : isNumeric(first) ? 'NS' : 'BS', taken);
}
