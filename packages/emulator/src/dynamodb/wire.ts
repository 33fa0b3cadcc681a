import { formatNumber, parseNumber, type Numeric } from './numbers.ts';
import { invalid, invalidValues, unreadable } from './problems.ts';
import { typeOf, ValueSet, type Item, type TypeName, type Value } from './values.ts';

/** A value as AWS's JSON protocol writes it, such as `{ "S": "text" }`. */
export type WireValue = Readonly<Record<string, unknown>>;
export type WireItem = Readonly<Record<string, WireValue>>;

const mostLevels = 32;
const setNames: Readonly<Record<string, string>> = { SS: 'string', NS: 'number', BS: 'binary' };

function expectText(value: unknown): string {
  if (typeof value === 'string') return value;
  throw unreadable(`${kindOf(value)} cannot be converted to String`);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'Start of list found where not expected: a list';
  if (value === null) return 'NULL';
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
  return typeof value === 'number'
    ? Number.isInteger(value)
      ? 'NUMBER_VALUE'
      : 'DECIMAL_VALUE'
    : 'Start of structure or map found where not expected: it';
}

function expectList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unreadable('Unexpected field type');
}

function bytesFrom(value: unknown): Uint8Array {
  const text = expectText(value);
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw unreadable('Invalid Base64 content in a binary value');
  return Buffer.from(text, 'base64');
}

/** @throws ValidationException, SerializationException for what is no attribute value */
export function readValue(raw: unknown, level = 0): Value {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) throw unreadable('Unexpected value type in payload');
  let type: string | undefined;
  for (const name in raw) {
    if ((raw as WireValue)[name] === null || (raw as WireValue)[name] === undefined) continue;
    if (type !== undefined) {
      throw invalid('Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes');
    }
    type = name;
  }
  const value = type === undefined ? undefined : (raw as WireValue)[type];
  switch (type as TypeName | undefined) {
    case 'S':
      return expectText(value);
    case 'N':
      return parseNumber(expectText(value));
    case 'B':
      return bytesFrom(value);
    case 'BOOL':
      if (typeof value !== 'boolean') throw unreadable('Unexpected token received from parser');
      return value;
    case 'NULL':
      if (typeof value !== 'boolean') throw unreadable('Unexpected token received from parser');
      if (!value) throw invalidValues('Null attribute value types must have the value of true');
      return null;
    case 'SS':
      return readSet('SS', expectList(value), expectText);
    case 'NS':
      return readSet('NS', expectList(value), (member) => parseNumber(expectText(member)));
    case 'BS':
      return readSet('BS', expectList(value), bytesFrom);
    case 'L':
      if (level >= mostLevels - 1) throw tooDeep();
      return Object.freeze(expectList(value).map((member) => readValue(member, level + 1)));
    case 'M':
      if (level >= mostLevels - 1) throw tooDeep();
      return readItem(value, level + 1);
    default:
      throw invalid('Supplied AttributeValue is empty, must contain exactly one of the supported datatypes');
  }
}

const tooDeep = (): Error =>
  invalid('Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit');

function readSet(type: ValueSet['type'], raw: readonly unknown[], read: (member: unknown) => string | Numeric | Uint8Array): ValueSet {
  if (raw.length === 0)
    throw invalidValues(type === 'BS' ? 'Binary sets should not be empty' : `An ${setNames[type]} set  may not be empty`);
  if (raw.includes(null)) throw invalidValues(`One or more members of a ${setNames[type]} set are null`);
  const set = new ValueSet(type, raw.map(read));
  if (set.members.size < raw.length) {
    const [shown, twice] = [`[${raw.join(', ')}]`, new Set(raw).size < raw.length];
    // The same number, written differently.
    if (!twice) throw invalid('Input collection contains duplicates');
    throw invalidValues(`Input collection ${shown}${type === 'BS' ? 'of type BS contains duplicates.' : ' contains duplicates.'}`);
  }
  return set;
}

export function readItem(raw: unknown, level = 0): Item {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) throw unreadable('Unexpected value type in payload');
  const item: Record<string, Value> = {};
  for (const name of Object.keys(raw)) define(item, name, readValue((raw as WireItem)[name], level));
  return Object.freeze(item);
}

/** An attribute may have any name, `__proto__` too. */
function define(item: Record<string, Value>, name: string, value: Value): void {
  if (name === '__proto__') Object.defineProperty(item, name, { value, enumerable: true, configurable: true, writable: true });
  else item[name] = value;
}

export function writeValue(value: Value): WireValue {
  const type = typeOf(value);
  switch (type) {
    case 'N':
      return { N: formatNumber(value as Numeric) };
    case 'B':
      return { B: Buffer.from(value as Uint8Array).toString('base64') };
    case 'NULL':
      return { NULL: true };
    case 'SS':
    case 'NS':
    case 'BS':
      return { [type]: Array.from((value as ValueSet).members.values(), (member) => Object.values(writeValue(member))[0]) };
    case 'L':
      return { L: (value as readonly Value[]).map(writeValue) };
    case 'M':
      return { M: writeItem(value as Item) };
    default:
      return { [type]: value };
  }
}

export function writeItem(item: Item): WireItem {
  const written: Record<string, WireValue> = {};
  for (const name in item) written[name] = writeValue(item[name]!);
  return written;
}
