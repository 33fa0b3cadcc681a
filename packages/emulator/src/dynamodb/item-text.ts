import { BigDecimal, formatNumber, parseNumber, type Numeric } from './numbers.ts';
import { isMap, ValueSet, type Item, type Value } from './values.ts';

/**
 * Items as text on the disk: JSON, with what JSON has no form for as a map of one member that begins with `$`. Reading is one `JSON.parse`, and a walk only
 * where the text has such a member.
 */
export const itemText = (item: Item): string => JSON.stringify(plain(item));

export function itemOfText(text: string): Item {
  const parsed = JSON.parse(text) as Value;
  return (text.includes('"$') ? restored(parsed) : parsed) as Item;
}

function plain(value: Value): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof BigDecimal) return { $N: formatNumber(value) };
  if (value instanceof Uint8Array) return { $B: Buffer.from(value).toString('base64') };
  if (value instanceof ValueSet) return { [`$${value.type}`]: Array.from(value.members.values(), plain) };
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.startsWith('$') ? `$${name}` : name, plain(member)]));
}

function restored(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(restored);
  if (!isMap(value)) return value;
  const [first] = Object.keys(value);
  switch (first) {
    case '$N':
      return parseNumber(value[first] as string);
    case '$B':
      return Buffer.from(value[first] as string, 'base64');
    case '$SS':
    case '$NS':
    case '$BS':
      return new ValueSet(first.slice(1) as ValueSet['type'], (value[first] as Value[]).map(restored) as (string | Numeric | Uint8Array)[]);
    default:
      return Object.fromEntries(
        Object.entries(value).map(([name, member]) => [name.startsWith('$$') ? name.slice(1) : name, restored(member)]),
      );
  }
}
