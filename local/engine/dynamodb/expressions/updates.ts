import { addNumbers } from '../numbers.ts';
import { invalid } from '../problems.ts';
import { isMap, isNumeric, typeOf, ValueSet, type Item, type Value } from '../values.ts';
import { checkApart, resolved, type Bindings } from './bindings.ts';
import { longNameOf, valueAt } from './conditions.ts';
import type { Assigned, Path, Update } from './syntax.ts';

export const pathsOf = (update: Update): readonly Path[] => [
  ...update.set.map(({ path }) => path),
  ...update.remove,
  ...update.add.map(({ path }) => path),
  ...update.delete.map(({ path }) => path),
];

/** What no item could make right. @throws ValidationException */
export function checkUpdate(update: Update, bindings: Bindings): void {
  const fail = (name: string, value: Value, typeSet = ''): never => {
    throw invalid(
      `Invalid UpdateExpression: Incorrect operand type for operator or function; operator${typeSet === '' ? ' or function' : ''}: ${name}, operand type: ${typeSet === '' ? typeOf(value) : longNameOf(value)}${typeSet}`,
    );
  };
  for (const { value: name } of update.add) {
    const value = bindings.values[name]!;
    if (!isNumeric(value) && !(value instanceof ValueSet)) fail('ADD', value, ', typeSet: ALLOWED_FOR_ADD_OPERAND');
  }
  for (const { value: name } of update.delete) {
    const value = bindings.values[name]!;
    if (!(value instanceof ValueSet)) fail('DELETE', value, ', typeSet: ALLOWED_FOR_DELETE_OPERAND');
  }
  const check = (assigned: Assigned): void => {
    const literal = (operand: Assigned): Value | undefined => (operand.kind === 'value' ? bindings.values[operand.name] : undefined);
    switch (assigned.kind) {
      case 'sum':
        for (const operand of [assigned.left, assigned.right]) {
          const value = literal(operand);
          if (value !== undefined && !isNumeric(value)) fail(assigned.sign > 0 ? '+' : '-', value);
          check(operand);
        }
        return;
      case 'list_append':
        for (const operand of [assigned.first, assigned.second]) {
          const value = literal(operand);
          if (value !== undefined && typeOf(value) !== 'L') fail('list_append', value);
          check(operand);
        }
        return;
      case 'if_not_exists':
        check(assigned.otherwise);
        return;
      default:
    }
  };
  for (const { to } of update.set) check(to);
  checkApart('UpdateExpression', pathsOf(update), bindings);
}

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
    case 'if_not_exists':
      return (
        valueAt(before, assigned.path, bindings) ?? orNull(valueAt(before, assigned.path, bindings), assigned.otherwise, before, bindings)
      );
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

/** DynamoDB's NULL is a value that exists. */
function orNull(found: Value | undefined, otherwise: Assigned, before: Item, bindings: Bindings): Value {
  return found === null ? null : assignedOf(otherwise, before, bindings);
}

/** The item after an update. Every clause reads the item as it was. @throws ValidationException for what the item makes impossible */
export function updated(update: Update, before: Item, bindings: Bindings): Item {
  let after = before;
  const assignments = update.set.map(({ path, to }) => ({ path: resolved(path, bindings), value: assignedOf(to, before, bindings) }));
  // Several places beyond a list's end are appended in their order.
  if (assignments.length > 1) assignments.sort((a, b) => lastIndex(a.path) - lastIndex(b.path));
  for (const { path, value } of assignments) after = changed(after, path, () => value);
  for (const { path, value: name } of update.add)
    after = changed(after, resolved(path, bindings), (old) => added(old, bindings.values[name]!));
  for (const { path, value: name } of update.delete) {
    const place = resolved(path, bindings);
    if (valueAt(before, place, bindings) !== undefined) {
      after = changed(after, place, (old) => without(old, bindings.values[name] as ValueSet));
    }
  }
  // From the end, so that the places of a list that are still to be removed stay where they are.
  const removed = update.remove.map((path) => resolved(path, bindings)).toSorted((a, b) => lastIndex(b) - lastIndex(a));
  for (const path of removed) after = changed(after, path, () => undefined);
  return after;
}

const lastIndex = (path: Path): number => {
  const last = path.at(-1)!;
  return typeof last === 'number' ? last : -1;
};

/** A copy with another value at a path; undefined removes it. What lies on the way is copied: stored items never change. */
function changed(container: Item, path: Path, change: (old: Value | undefined) => Value | undefined): Item {
  return descend(container, path, 0, change) as Item;
}

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
