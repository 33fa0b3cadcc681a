import { checkDefined, checkUsed, isUsed, type Bindings } from './expressions/bindings.ts';
import { checkOperands } from './expressions/operands.ts';
import { parseCondition, parseFilter, parseKeyCondition, parseProjection, parseUpdate } from './expressions/parse.ts';
import { checkProjection } from './expressions/projections.ts';
import type { Condition, Parsed, Path, Update } from './expressions/syntax.ts';
import { checkUpdate } from './expressions/updates.ts';
import { invalid } from './problems.ts';
import { takeValue, type Item, type Value } from './values.ts';

/** Items and values as the document client has them, or as the engine does. */
export type Given = Readonly<Record<string, unknown>>;

export interface Expressions {
  readonly TableName: string;
  readonly ConditionExpression?: string;
  readonly FilterExpression?: string;
  readonly KeyConditionExpression?: string;
  readonly ProjectionExpression?: string;
  readonly UpdateExpression?: string;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues?: Given;
}

export interface WriteInput extends Expressions {
  readonly Key?: Given;
  readonly Item?: Given;
  readonly ReturnValues?: string;
  readonly ReturnValuesOnConditionCheckFailure?: string;
}

export interface ReadInput extends Expressions {
  readonly Key?: Given;
  readonly IndexName?: string;
  readonly ConsistentRead?: boolean;
  readonly ExclusiveStartKey?: Given;
  readonly Limit?: number;
  readonly ScanIndexForward?: boolean;
  readonly Select?: string;
  readonly Segment?: number;
  readonly TotalSegments?: number;
  readonly ReturnConsumedCapacity?: string;
}

export type WriteKind = 'Put' | 'Update' | 'Delete' | 'ConditionCheck';
export type TransactItem = Partial<Readonly<Record<WriteKind, WriteInput>>>;

/** The expressions of one request, read and checked, and what their placeholders stand for. */
export interface Bound {
  readonly bindings: Bindings;
  readonly condition?: Condition;
  readonly filter?: Condition;
  readonly keyCondition?: Condition;
  readonly projection?: readonly Path[];
  readonly update?: Update;
}

const nothing: Bound = { bindings: { names: {}, values: {} } };

/**
 * @param absent how AWS goes on when there are values but no expression
 * @throws ValidationException for an expression that cannot be read, and for placeholders that are missing, spare or malformed
 */
export function bind(input: Expressions, absent = ''): Bound {
  const { ConditionExpression, FilterExpression, KeyConditionExpression, ProjectionExpression, UpdateExpression } = input;
  const { ExpressionAttributeNames, ExpressionAttributeValues } = input;
  const update = UpdateExpression === undefined ? undefined : parseUpdate(UpdateExpression);
  const keyCondition = KeyConditionExpression === undefined ? undefined : parseKeyCondition(KeyConditionExpression);
  const filter = FilterExpression === undefined ? undefined : parseFilter(FilterExpression);
  const condition = ConditionExpression === undefined ? undefined : parseCondition(ConditionExpression);
  const projection = ProjectionExpression === undefined ? undefined : parseProjection(ProjectionExpression);
  const all: Parsed<unknown>[] = [];
  if (update) all.push(update);
  if (keyCondition) all.push(keyCondition);
  if (filter) all.push(filter);
  if (condition) all.push(condition);
  if (projection) all.push(projection);
  if (all.length === 0) {
    if (ExpressionAttributeNames) throw invalid('ExpressionAttributeNames can only be specified when using expressions');
    if (ExpressionAttributeValues) throw invalid(`ExpressionAttributeValues can only be specified when using expressions${absent}`);
    return nothing;
  }
  const bindings = { names: namesOf(ExpressionAttributeNames, all), values: valuesOf(ExpressionAttributeValues, all) };
  for (const parsed of all) checkDefined(parsed, bindings);
  if (update) checkUpdate(update.tree, bindings);
  for (const parsed of all) checkOperands(parsed, bindings);
  if (projection) checkProjection(projection.tree, bindings);
  checkUsed(all, bindings);
  return {
    bindings,
    condition: condition?.tree,
    filter: filter?.tree,
    keyCondition: keyCondition?.tree,
    projection: projection?.tree,
    update: update?.tree,
  };
}

const noNames: Bindings['names'] = {};
const noValues: Bindings['values'] = {};

/** @param expressions what one of them has is well-formed */
function namesOf(given: Readonly<Record<string, string>> | undefined, expressions: readonly Parsed<unknown>[]): Bindings['names'] {
  if (!given) return noNames;
  let count = 0;
  for (const name in given) {
    if (!isUsed(name, 'names', expressions) && !/^#\w+$/.test(name))
      throw invalid(`ExpressionAttributeNames contains invalid key: Syntax error; key: "${name}"`);
    count++;
  }
  if (count === 0) throw invalid('ExpressionAttributeNames must not be empty');
  return given;
}

function valuesOf(given: Given | undefined, expressions: readonly Parsed<unknown>[]): Bindings['values'] {
  if (!given) return noValues;
  const values: Record<string, Value> = {};
  let count = 0;
  for (const name in given) {
    if (!isUsed(name, 'values', expressions) && !/^:\w+$/.test(name))
      throw invalid(`ExpressionAttributeValues contains invalid key: Syntax error; key: "${name}"`);
    values[name] = takeValue(given[name]);
    count++;
  }
  if (count === 0) throw invalid('ExpressionAttributeValues must not be empty');
  return values;
}

export const takeItem = (given: Given): Item => takeValue(given) as Item;
