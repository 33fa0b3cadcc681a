import { invalid } from '../problems.ts';
import { compareValues, isEqual, isMap, typeOf, ValueSet, type Item, type Value } from '../values.ts';
import { formatNumber } from '../numbers.ts';
import { writeValue } from '../wire.ts';
import { isNumeric } from '../values.ts';
import { nameOf, resolved, shown, type Bindings } from './bindings.ts';
import type { Comparator, Condition, Operand, Path } from './syntax.ts';
import type { ExpressionKind } from './tokens.ts';

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

const longNames: Readonly<Record<string, string>> = {
  S: 'STRING',
  N: 'NUMBER',
  B: 'BINARY',
  SS: 'STRING_SET',
  NS: 'NUMBER_SET',
  BS: 'BINARY_SET',
  L: 'LIST',
  M: 'MAP',
  BOOL: 'BOOLEAN',
  NULL: 'NULL',
};
/** A type as AWS writes it in most messages. */
export const longNameOf = (value: Value): string => longNames[typeOf(value)]!;
const typeNames = new Set(Object.keys(longNames));
const ordered = new Set(['S', 'N', 'B']);

/** What no item could make true: operands whose types an operator does not take, or that are one and the same. @throws ValidationException */
export function checkOperands(kind: ExpressionKind, condition: Condition, bindings: Bindings): void {
  const fail = (what: string): never => {
    throw invalid(`Invalid ${kind}: ${what}`);
  };
  const literal = (operand: Operand | undefined): Value | undefined =>
    operand?.kind === 'value' ? bindings.values[operand.name] : undefined;
  const demand = (name: string, operand: Operand | undefined, types: ReadonlySet<string>): void => {
    const value = operand?.kind === 'size' ? 0 : literal(operand);
    if (value !== undefined && !types.has(typeOf(value))) {
      fail(`Incorrect operand type for operator or function; operator or function: ${name}, operand type: ${typeOf(value)}`);
    }
  };
  const distinct = (name: string, first: Operand, others: readonly Operand[]): void => {
    if (first.kind !== 'path') return;
    const text = shown(resolved(first.path, bindings));
    if (others.some((other) => other.kind === 'path' && shown(resolved(other.path, bindings)) === text)) {
      fail(
        `The first operand must be distinct from the remaining operands for this operator or function; operator: ${name}, first operand: ${text}`,
      );
    }
  };
  const sizes = (...operands: readonly (Operand | undefined)[]): void => {
    for (const operand of operands) {
      if (operand?.kind === 'size') demand('size', operand.of, new Set(['S', 'B', 'SS', 'NS', 'BS', 'L', 'M']));
    }
  };
  const check = (part: Condition): void => {
    switch (part.kind) {
      case 'and':
      case 'or':
        part.parts.forEach(check);
        return;
      case 'not':
        check(part.part);
        return;
      case 'compare': {
        // As most are.
        const isPlain = part.left.kind === 'path' && part.right.kind === 'value';
        if (isPlain && (part.comparator === '=' || part.comparator === '<>')) return;
        sizes(part.left, part.right);
        if (part.comparator !== '=' && part.comparator !== '<>') {
          demand(part.comparator, part.left, ordered);
          demand(part.comparator, part.right, ordered);
        }
        distinct(part.comparator, part.left, [part.right]);
        return;
      }
      case 'between': {
        sizes(part.operand, part.low, part.high);
        for (const operand of [part.operand, part.low, part.high]) demand('BETWEEN', operand, ordered);
        distinct('BETWEEN', part.operand, [part.low, part.high]);
        const [low, high] = [literal(part.low), literal(part.high)];
        if (low !== undefined && high !== undefined) {
          if (typeOf(low) !== typeOf(high)) {
            fail(
              `The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: ${attributeText(low)}, upper bound operand: ${attributeText(high)}`,
            );
          }
          if (compareValues(low, high)! > 0) {
            fail(
              `The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: ${attributeText(low)}, upper bound operand: ${attributeText(high)}`,
            );
          }
        }
        return;
      }
      case 'in':
        sizes(part.operand, ...part.options);
        distinct('IN', part.operand, part.options);
        return;
      case 'call': {
        const [first, second] = part.args;
        sizes(first, second);
        if (part.name === 'attribute_exists' || part.name === 'attribute_not_exists') {
          if (first!.kind !== 'path') fail(`Operator or function requires a document path; operator or function: ${part.name}`);
          return;
        }
        if (part.name === 'attribute_type') {
          if (second!.kind !== 'value') fail('The type of an attribute must be a value; operator or function: attribute_type');
          demand('attribute_type', second, new Set(['S']));
          const type = literal(second);
          if (typeof type === 'string' && !typeNames.has(type)) {
            fail(`Invalid attribute type name found; type: ${type}, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}`);
          }
        }
        if (part.name === 'begins_with') for (const operand of [first, second]) demand('begins_with', operand, new Set(['S', 'B']));
        if (second) distinct(part.name, first!, [second]);
      }
    }
  };
  check(condition);
}

/** As AWS writes a value in a message: `AttributeValue: {N:5}`. */
export function attributeText(value: Value): string {
  const [[type, text] = []] = Object.entries(writeValue(value));
  return `AttributeValue: {${type}:${isNumeric(value) ? formatNumber(value) : String(text)}}`;
}
