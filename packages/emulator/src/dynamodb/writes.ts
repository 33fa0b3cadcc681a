import { AwsError } from '../aws-error.ts';
import { nameOf } from './expressions/bindings.ts';
import { holds } from './expressions/conditions.ts';
import { projected } from './expressions/projections.ts';
import { updated } from './expressions/updates.ts';
import { invalid, invalidValues } from './problems.ts';
import { bind, takeItem, type Bound, type WriteInput, type WriteKind } from './requests.ts';
import { checkIndexKeys, keyOfItem, keyOfRequest, type StoredKey } from './schema.ts';
import type { Table } from './tables.ts';
import { isTooLarge, type Item } from './values.ts';

/** A write whose condition was looked at: nothing is changed yet. */
export interface Prepared {
  readonly table: Table;
  readonly kind: WriteKind;
  readonly input: WriteInput;
  readonly key: StoredKey;
  readonly bound: Bound;
  readonly before: Item | undefined;
  /** Whether the condition holds. */
  readonly holds: boolean;
  /** What it leaves; undefined: nothing. */
  readonly after: Item | undefined;
}

/** Reads a write's expressions. @throws ValidationException for what is wrong with them, whatever the item is */
export function bindWrite(kind: WriteKind, input: WriteInput): Bound {
  const bound = bind(input, kind === 'Update' ? ': UpdateExpression and ConditionExpression are null' : ': ConditionExpression is null');
  if (kind === 'ConditionCheck' && !bound.condition) throw invalid('The ConditionExpression must be specified for a ConditionCheck');
  return bound;
}

/** @throws ValidationException for a key or an item that is wrong, and for an update that the item makes impossible */
export function prepare(table: Table, kind: WriteKind, input: WriteInput, bound = bindWrite(kind, input)): Prepared {
  const { schema, storage } = table;
  const given = takeItem((kind === 'Put' ? input.Item : input.Key) ?? {});
  if (kind === 'Put') checkSize(given);
  const key = kind === 'Put' ? keyOfItem(schema, given) : keyOfRequest(schema, given);
  if (kind === 'Put') checkIndexKeys(schema, given);
  if (bound.update) checkKeyUntouched(table, bound);
  const before = storage.get(key);
  const met = bound.condition === undefined || holds(bound.condition, before ?? {}, bound.bindings);
  let after: Item | undefined;
  if (met && kind === 'Put') after = given;
  else if (met && kind === 'Update') {
    after = bound.update ? updated(bound.update, before ?? given, bound.bindings) : (before ?? given);
    checkSize(after, 'Item size to update has exceeded the maximum allowed size');
    checkIndexKeys(schema, after, true);
  }
  return { table, kind, input, key, bound, before, holds: met, after };
}

function checkSize(item: Item, message = 'Item size has exceeded the maximum allowed size'): void {
  if (isTooLarge(item)) throw invalid(message);
}

function checkKeyUntouched({ schema }: Table, { update, bindings }: Bound): void {
  const { partitionKey, sortKey } = schema;
  for (const [first] of update!.paths) {
    const name = nameOf(first as string, bindings);
    if (name === partitionKey.name || name === sortKey?.name)
      throw invalidValues(`Cannot update attribute ${name}. This attribute is part of the key`);
  }
}

const conditionFailed = 'The conditional request failed';

/** @throws ConditionalCheckFailedException, with the item where it was asked for */
export function demandHolds(write: Prepared): void {
  if (!write.holds) throw new AwsError('ConditionalCheckFailedException', conditionFailed, itemAskedFor(write));
}

const itemAskedFor = ({ before, input }: Prepared): { readonly Item?: Item } =>
  input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before !== undefined ? { Item: before } : {};

/** Why a part of a transaction was refused, or that it was not. Items are in the engine's form. */
export function reasonOf(write: Prepared): Record<string, unknown> {
  return write.holds ? { Code: 'None' } : { Code: 'ConditionalCheckFailed', Message: conditionFailed, ...itemAskedFor(write) };
}

/** What a write answers of the item. @throws ValidationException for what its kind does not answer */
export function returnedBy({ kind, input, bound, before, after }: Prepared): Item | undefined {
  const paths = (): NonNullable<Bound['projection']> => bound.update?.paths ?? [];
  switch (input.ReturnValues ?? 'NONE') {
    case 'NONE':
      return undefined;
    case 'ALL_OLD':
      return before;
    case 'ALL_NEW':
      return kind === 'Update' ? after : undefined;
    case 'UPDATED_OLD':
      return before && nonEmpty(projected(before, paths(), bound.bindings));
    case 'UPDATED_NEW':
      return after && nonEmpty(projected(after, paths(), bound.bindings));
    default:
      return undefined;
  }
}

const nonEmpty = (item: Item): Item | undefined => (Object.keys(item).length === 0 ? undefined : item);

const known = ['ALL_NEW', 'UPDATED_OLD', 'ALL_OLD', 'NONE', 'UPDATED_NEW'];

/** @throws ValidationException */
export function checkReturnValues(kind: WriteKind, { ReturnValues: asked }: WriteInput): void {
  if (asked === undefined) return;
  if (!known.includes(asked)) {
    throw invalid(
      `1 validation error detected: Value '${asked}' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [${known.join(', ')}]`,
    );
  }
  if (kind !== 'Update' && asked !== 'NONE' && asked !== 'ALL_OLD') throw invalid('ReturnValues can only be ALL_OLD or NONE');
}
