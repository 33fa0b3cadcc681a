import { compareValues, isEqual, isMap, typeOf, ValueSet, type Item, type Value } from '../values.ts';
import { isNumeric } from '../values.ts';
import { nameOf, type Bindings } from './bindings.ts';
import type { Comparator, Condition, Operand, Path } from './syntax.ts';

/** What lies at a path; undefined: nothing does. */
export function valueAt(item: Item, path: Path, bindings: Bindings): Value | undefined {
  let at: Value | undefined = item;
  for (const step of path) {
    if (typeof step === 'number') {
      if (!Array.isArray(at)) return undefined;
      at = (at as readonly Value[])[step];
    } else {
      if (!isMap(at)) return undefined;
      const name = nameOf(step, bindings);
      at = Object.hasOwn(at, name) ? at[name] : undefined;
    }
    if (at === undefined) return undefined;
  }
  return at;
}

function operandOf(operand: Operand, item: Item, bindings: Bindings): Value | undefined {
  switch (operand.kind) {
    case 'path':
      return valueAt(item, operand.path, bindings);
    case 'value':
      return bindings.values[operand.name];
    case 'size':
      return sizeOf(operandOf(operand.of, item, bindings));
  }
}

function sizeOf(value: Value | undefined): number | undefined {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null || isNumeric(value)) return undefined;
  if (value instanceof Uint8Array) return value.byteLength;
  if (value instanceof ValueSet) return value.members.size;
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

/** Whether an item meets a condition. What is missing equals nothing, and is in no order with anything. */
export function holds(condition: Condition, item: Item, bindings: Bindings): boolean {
  switch (condition.kind) {
    case 'and':
      return holds(condition.parts[0], item, bindings) && holds(condition.parts[1], item, bindings);
    case 'or':
      return holds(condition.parts[0], item, bindings) || holds(condition.parts[1], item, bindings);
    case 'not':
      return !holds(condition.part, item, bindings);
    case 'compare':
      return compares(condition.comparator, operandOf(condition.left, item, bindings), operandOf(condition.right, item, bindings));
    case 'between': {
      const value = operandOf(condition.operand, item, bindings);
      return (
        compares('>=', value, operandOf(condition.low, item, bindings)) && compares('<=', value, operandOf(condition.high, item, bindings))
      );
    }
    case 'in': {
      const value = operandOf(condition.operand, item, bindings);
      return condition.options.some((option) => isEqual(value, operandOf(option, item, bindings)));
    }
    case 'call': {
      const [first, second] = condition.args.map((arg) => operandOf(arg, item, bindings));
      switch (condition.name) {
        case 'attribute_exists':
          return first !== undefined;
        case 'attribute_not_exists':
          return first === undefined;
        case 'attribute_type':
          return first !== undefined && typeOf(first) === second;
        case 'begins_with':
          return beginsWith(first, second);
        case 'contains':
          return contains(first, second);
      }
    }
  }
}

function compares(comparator: Comparator, a: Value | undefined, b: Value | undefined): boolean {
  if (comparator === '=') return isEqual(a, b);
  if (comparator === '<>') return !isEqual(a, b);
  const order = a === undefined || b === undefined ? undefined : compareValues(a, b);
  if (order === undefined) return false;
  switch (comparator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

export function beginsWith(value: Value | undefined, start: Value | undefined): boolean {
  if (typeof value === 'string') return typeof start === 'string' && value.startsWith(start);
  return value instanceof Uint8Array && start instanceof Uint8Array && Buffer.compare(value.subarray(0, start.byteLength), start) === 0;
}

function contains(value: Value | undefined, part: Value | undefined): boolean {
  if (part === undefined) return false;
  if (typeof value === 'string') return typeof part === 'string' && value.includes(part);
  if (value instanceof ValueSet) {
    return value.type === `${typeOf(part)}S` && value.members.values().some((member) => isEqual(member, part));
  }
  if (value instanceof Uint8Array) return part instanceof Uint8Array && Buffer.from(value).includes(Buffer.from(part));
  return Array.isArray(value) && value.some((member: Value) => isEqual(member, part));
}
