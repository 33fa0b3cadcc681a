import { isMap, type Item, type Value } from '../values.ts';
import { checkApart, nameOf, resolved, type Bindings } from './bindings.ts';
import type { Path } from './syntax.ts';

export const checkProjection = (paths: readonly Path[], bindings: Bindings): void => checkApart('ProjectionExpression', paths, bindings);

/** What is wanted of a value: all of it, or some members. */
type Wanted = 'all' | Map<string | number, Wanted>;

/** What of an item lies at some paths. A list keeps the order of what is left of it. */
export function projected(item: Item, paths: readonly Path[], bindings: Bindings): Item {
  if (paths.every((path) => path.length === 1)) return attributesAt(item, paths, bindings);
  const wanted = new Map<string | number, Wanted>();
  for (const path of paths) {
    let at = wanted;
    const steps = resolved(path, bindings);
    for (const step of steps.slice(0, -1)) {
      let inner = at.get(step);
      if (inner === undefined || inner === 'all') at.set(step, (inner = new Map()));
      at = inner;
    }
    at.set(steps.at(-1)!, 'all');
  }
  return (partOf(item, wanted) ?? {}) as Item;
}

/** Where all paths are names of attributes, as most are. */
function attributesAt(item: Item, paths: readonly Path[], bindings: Bindings): Item {
  const parts: Record<string, Value> = {};
  for (const [first] of paths) {
    const name = nameOf(first as string, bindings);
    if (Object.hasOwn(item, name)) parts[name] = item[name]!;
  }
  return parts;
}

function partOf(value: Value, wanted: Wanted): Value | undefined {
  if (wanted === 'all') return value;
  if (Array.isArray(value)) {
    const places = [...wanted.keys()].filter((step) => typeof step === 'number').toSorted((a, b) => a - b);
    const parts = places.flatMap((place) => memberOf((value as readonly Value[])[place], wanted.get(place)!));
    return parts.length === 0 ? undefined : parts;
  }
  if (!isMap(value)) return undefined;
  const parts: Record<string, Value> = {};
  for (const [name, inner] of wanted) {
    if (typeof name !== 'string' || !Object.hasOwn(value, name)) continue;
    const [part] = memberOf(value[name], inner);
    if (part !== undefined) parts[name] = part;
  }
  return Object.keys(parts).length === 0 ? undefined : parts;
}

/** Nothing, or the one part that there is. NULL is a value. */
function memberOf(value: Value | undefined, wanted: Wanted): Value[] {
  if (value === undefined) return [];
  const part = partOf(value, wanted);
  return part === undefined ? [] : [part];
}
