import { formatNumber } from '../numbers.ts';
import { invalid } from '../problems.ts';
import { compareValues, isNumeric, typeOf, type TypeName, type Value } from '../values.ts';
import { writeValue } from '../wire.ts';
import { resolved, shown, type Bindings } from './bindings.ts';
import type { Operand, Parsed, Part } from './syntax.ts';

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
const ordered: ReadonlySet<TypeName> = new Set(['S', 'N', 'B']);
const sized: ReadonlySet<TypeName> = new Set(['S', 'B', 'SS', 'NS', 'BS', 'L', 'M']);
const beginning: ReadonlySet<TypeName> = new Set(['S', 'B']);
const texts: ReadonlySet<TypeName> = new Set(['S']);

/** Whether some values could make a part senseless. Most parts are plain: `path = :value`, or whether an attribute is there. */
export function isDoubtful(part: Part): boolean {
  if (part.kind === 'compare') {
    const isEquation = part.comparator === '=' || part.comparator === '<>';
    return !isEquation || part.left.kind !== 'path' || part.right.kind !== 'value';
  }
  const asksPresence = part.kind === 'call' && (part.name === 'attribute_exists' || part.name === 'attribute_not_exists');
  return !asksPresence || part.args[0]!.kind !== 'path';
}

/** What no item could make true: operands whose types an operator does not take, or that are one and the same. @throws ValidationException */
export function checkOperands({ kind, doubtful }: Parsed<unknown>, bindings: Bindings): void {
  if (doubtful.length === 0) return;
  const check = new OperandCheck(kind, bindings);
  for (const part of doubtful) check.part(part);
}

class OperandCheck {
  readonly #kind: Parsed<unknown>['kind'];
  readonly #bindings: Bindings;

  constructor(kind: Parsed<unknown>['kind'], bindings: Bindings) {
    this.#kind = kind;
    this.#bindings = bindings;
  }

  part(part: Part): void {
    switch (part.kind) {
      case 'compare':
        this.#sizes(part.left, part.right);
        if (part.comparator !== '=' && part.comparator !== '<>') {
          this.#demand(part.comparator, part.left, ordered);
          this.#demand(part.comparator, part.right, ordered);
        }
        return this.#distinct(part.comparator, part.left, part.right);
      case 'between':
        return this.#between(part);
      case 'in':
        this.#sizes(part.operand, ...part.options);
        return this.#distinct('IN', part.operand, ...part.options);
      case 'call':
        return this.#call(part);
    }
  }

  #between({ operand, low, high }: Part & { kind: 'between' }): void {
    this.#sizes(operand, low, high);
    for (const one of [operand, low, high]) this.#demand('BETWEEN', one, ordered);
    this.#distinct('BETWEEN', operand, low, high);
    const [least, most] = [this.#literal(low), this.#literal(high)];
    if (least === undefined || most === undefined) return;
    const bounds = (): string => `lower bound operand: ${attributeText(least)}, upper bound operand: ${attributeText(most)}`;
    if (typeOf(least) !== typeOf(most)) {
      this.#fail(`The BETWEEN operator requires same data type for lower and upper bounds; ${bounds()}`);
    }
    if (compareValues(least, most)! > 0) {
      this.#fail(`The BETWEEN operator requires upper bound to be greater than or equal to lower bound; ${bounds()}`);
    }
  }

  #call({ name, args: [first, second] }: Part & { kind: 'call' }): void {
    this.#sizes(first, second);
    if (name === 'attribute_exists' || name === 'attribute_not_exists') {
      if (first!.kind !== 'path') this.#fail(`Operator or function requires a document path; operator or function: ${name}`);
      return;
    }
    if (name === 'attribute_type') {
      if (second!.kind !== 'value') this.#fail('The type of an attribute must be a value; operator or function: attribute_type');
      this.#demand('attribute_type', second, texts);
      const type = this.#literal(second);
      if (typeof type === 'string' && !typeNames.has(type)) {
        this.#fail(`Invalid attribute type name found; type: ${type}, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}`);
      }
    }
    if (name === 'begins_with') for (const operand of [first, second]) this.#demand('begins_with', operand, beginning);
    if (second) this.#distinct(name, first!, second);
  }

  #literal(operand: Operand | undefined): Value | undefined {
    return operand?.kind === 'value' ? this.#bindings.values[operand.name] : undefined;
  }

  #demand(name: string, operand: Operand | undefined, types: ReadonlySet<TypeName>): void {
    const value = operand?.kind === 'size' ? 0 : this.#literal(operand);
    if (value === undefined || types.has(typeOf(value))) return;
    this.#fail(`Incorrect operand type for operator or function; operator or function: ${name}, operand type: ${typeOf(value)}`);
  }

  #sizes(...operands: readonly (Operand | undefined)[]): void {
    for (const operand of operands) if (operand?.kind === 'size') this.#demand('size', operand.of, sized);
  }

  #distinct(name: string, first: Operand, ...others: readonly Operand[]): void {
    if (first.kind !== 'path') return;
    for (const other of others) {
      if (other.kind !== 'path') continue;
      const text = shown(resolved(first.path, this.#bindings));
      if (shown(resolved(other.path, this.#bindings)) !== text) continue;
      this.#fail(
        `The first operand must be distinct from the remaining operands for this operator or function; operator: ${name}, first operand: ${text}`,
      );
    }
  }

  #fail(what: string): never {
    throw invalid(`Invalid ${this.#kind}: ${what}`);
  }
}

/** As AWS writes a value in a message: `AttributeValue: {N:5}`. */
function attributeText(value: Value): string {
  const [[type, text] = []] = Object.entries(writeValue(value));
  return `AttributeValue: {${type}:${isNumeric(value) ? formatNumber(value) : String(text)}}`;
}
