import { addNumbers } from '../numbers.ts';
import { invalid } from '../problems.ts';
import { isMap, isNumeric, typeOf, ValueSet, type Item, type Value } from '../values.ts';
import { checkApart, nameOf, resolved, type Bindings } from './bindings.ts';
import { valueAt } from './conditions.ts';
import { longNameOf } from './operands.ts';
import type { Assigned, Path, Update } from './syntax.ts';

/** What no item could make right. @throws ValidationException */
export function checkUpdate(update: Update, bindings: Bindings): void {
  for (const { value: name } of update.add) {
    const value = bindings.values[name]!;
    if (!isNumeric(value) && !(value instanceof ValueSet)) throw wrongOperand('ADD', value, ', typeSet: ALLOWED_FOR_ADD_OPERAND');
  }
  for (const { value: name } of update.delete) {
    const value = bindings.values[name]!;
    if (!(value instanceof ValueSet)) throw wrongOperand('DELETE', value, ', typeSet: ALLOWED_FOR_DELETE_OPERAND');
  }
  for (const { to } of update.set) checkAssigned(to, bindings);
  checkApart('UpdateExpression', update.paths, bindings);
}

function checkAssigned(assigned: Assigned, bindings: Bindings): void {
  const literal = (operand: Assigned): Value | undefined => (operand.kind === 'value' ? bindings.values[operand.name] : undefined);
  switch (assigned.kind) {
    case 'sum':
      for (const operand of [assigned.left, assigned.right]) {
        const value = literal(operand);
        if (value !== undefined && !isNumeric(value)) throw wrongOperand(assigned.sign > 0 ? '+' : '-', value);
        checkAssigned(operand, bindings);
      }
      return;
    case 'list_append':
      for (const operand of [assigned.first, assigned.second]) {
        const value = literal(operand);
        if (value !== undefined && typeOf(value) !== 'L') throw wrongOperand('list_append', value);
        checkAssigned(operand, bindings);
      }
      return;
    case 'if_not_exists':
      checkAssigned(assigned.otherwise, bindings);
      return;
    default:
  }
}

const wrongOperand = (name: string, value: Value, typeSet = ''): Error =>
  invalid(
    `Invalid UpdateExpression: Incorrect operand type for operator or function; operator${typeSet === '' ? ' or function' : ''}: ${name}, operand type: ${typeSet === '' ? typeOf(value) : longNameOf(value)}${typeSet}`,
  );

const wrongType = (): Error => invalid('An operand in the update expression has an incorrect data type');
const wrongPath = (): Error => invalid('The document path provided in the update expression is invalid for update');

function assignedOf(assigned: Assigned, before: Item, bindings: Bindings): Value {
  switch (assigned.kind) {
    case 'value':
      return bindings.values[assigned.name]!;
    case 'path': {
      const value = valueAt(before, assigned.path, bindings);
      if (value === undefined) throw invalid('The provided expression refers to an attribute that does not exist in the item');
      return value;
    }
    case 'if_not_exists': {
      const found = valueAt(before, assigned.path, bindings);
      return found === undefined ? assignedOf(assigned.otherwise, before, bindings) : found;
    }
    case 'sum': {
      const [left, right] = [assignedOf(assigned.left, before, bindings), assignedOf(assigned.right, before, bindings)];
      if (!isNumeric(left) || !isNumeric(right)) throw wrongType();
      return addNumbers(left, right, assigned.sign);
    }
    case 'list_append': {
      const [first, second] = [assignedOf(assigned.first, before, bindings), assignedOf(assigned.second, before, bindings)];
      if (!Array.isArray(first) || !Array.isArray(second)) throw wrongType();
      return Object.freeze([...(first as Value[]), ...(second as Value[])]);
    }
  }
}

/** The item after an update. Every clause reads the item as it was. @throws ValidationException for what the item makes impossible */
export function updated(update: Update, before: Item, bindings: Bindings): Item {
  // One copy for all clauses. An attribute that goes is left out in the end: deleting from an object makes it slow for good.
  const after: Record<string, Value | undefined> = { ...before };
  const change = (path: Path, to: (old: Value | undefined) => Value | undefined): void => {
    const name = nameOf(path[0] as string, bindings);
    const old = Object.hasOwn(after, name) ? after[name] : undefined;
    put(after, name, path.length === 1 ? to(old) : descend(old, resolved(path, bindings), 1, to));
  };
  const assign = (path: Path, value: Value | undefined): void => {
    if (path.length === 1) put(after, nameOf(path[0] as string, bindings), value);
    else change(path, () => value);
  };
  const assignments = update.set.map(({ path, to }) => ({ path, value: assignedOf(to, before, bindings) }));
  // Several places beyond a list's end are appended in their order.
  if (assignments.some(({ path }) => lastIndex(path) >= 0)) assignments.sort((a, b) => lastIndex(a.path) - lastIndex(b.path));
  for (const { path, value } of assignments) assign(path, value);
  for (const { path, value: name } of update.add) change(path, (old) => added(old, bindings.values[name]!));
  for (const { path, value: name } of update.delete) {
    if (valueAt(before, path, bindings) === undefined) continue;
    change(path, (old) => without(old, bindings.values[name] as ValueSet));
  }
  // From the end, so that the places of a list that are still to be removed stay where they are.
  const removed = update.remove.length > 1 ? update.remove.toSorted((a, b) => lastIndex(b) - lastIndex(a)) : update.remove;
  for (const path of removed) assign(path, undefined);
  return Object.freeze(removed.length + update.delete.length > 0 ? defined(after) : after) as Item;
}

function defined(attributes: Readonly<Record<string, Value | undefined>>): Record<string, Value | undefined> {
  const left: Record<string, Value | undefined> = {};
  for (const name in attributes) if (attributes[name] !== undefined) put(left, name, attributes[name]);
  return left;
}

/** An attribute may have any name, `__proto__` too. */
function put(item: Record<string, Value | undefined>, name: string, value: Value | undefined): void {
  if (name === '__proto__') Object.defineProperty(item, name, { value, enumerable: true, configurable: true, writable: true });
  else item[name] = value;
}

const lastIndex = (path: Path): number => {
  const last = path.at(-1)!;
  return typeof last === 'number' ? last : -1;
};

/** A copy with another value at the rest of a path; undefined removes it. What lies on the way is copied: stored items never change. */
function descend(container: Value | undefined, path: Path, at: number, change: (old: Value | undefined) => Value | undefined): Value {
  const step = path[at]!;
  const isLast = at === path.length - 1;
  if (typeof step === 'number') {
    if (!Array.isArray(container)) throw wrongPath();
    const list = [...(container as readonly Value[])];
    const place = Math.min(step, list.length);
    if (isLast) {
      const value = change(list[step]);
      if (value !== undefined) list[place] = value;
      else if (step < list.length) list.splice(step, 1);
    } else {
      if (step >= list.length) throw wrongPath();
      list[step] = descend(list[step], path, at + 1, change);
    }
    return Object.freeze(list);
  }
  if (!isMap(container)) throw wrongPath();
  const old = Object.hasOwn(container, step) ? container[step] : undefined;
  if (isLast) {
    const value = change(old);
    if (value !== undefined) return Object.freeze({ ...container, [step]: value });
    const { [step]: _removed, ...rest } = container;
    return Object.freeze(rest);
  }
  return Object.freeze({ ...container, [step]: descend(old, path, at + 1, change) });
}

function added(old: Value | undefined, value: Value): Value {
  if (old === undefined) return value;
  if (isNumeric(value)) {
    if (!isNumeric(old)) throw wrongType();
    return addNumbers(old, value);
  }
  const set = value as ValueSet;
  if (!(old instanceof ValueSet) || old.type !== set.type) throw wrongType();
  return new ValueSet(set.type, [...old.members.values(), ...set.members.values()]);
}

function without(old: Value | undefined, set: ValueSet): Value | undefined {
  if (!(old instanceof ValueSet) || old.type !== set.type) throw wrongType();
  const left = old.members.entries().filter(([member]) => !set.members.has(member));
  const members = Array.from(left, ([, member]) => member);
  return members.length === 0 ? undefined : new ValueSet(old.type, members);
}
