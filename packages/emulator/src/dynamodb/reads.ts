import { asksCapacity, readUnits, unasked, type Consumed } from './capacity.ts';
import {
  checkNotEmpty,
  keyInIndex,
  keyNames,
  keyOfRequest,
  pick,
  shownBy,
  sortable,
  type IndexSchema,
  type KeyAttribute,
  type KeySchema,
  type StoredKey,
} from './schema.ts';
import { nameOf, type Bindings } from './expressions/bindings.ts';
import { beginsWith, holds } from './expressions/conditions.ts';
import { projected } from './expressions/projections.ts';
import type { Condition, Operand } from './expressions/syntax.ts';
import { invalid, invalidValues } from './problems.ts';
import { bind, takeItem, type Bound, type ReadInput } from './requests.ts';
import type { Place, Range } from './storage.ts';
import type { Table } from './tables.ts';
import { compareTexts, itemBytes, mostBytesOf, typeOf, type Item, type Value } from './values.ts';

/** DynamoDB: of what one page reads. */
const mostPageBytes = 1024 * 1024;

/** What a read answers, and what it consumed. */
export interface Found {
  readonly answer: Readonly<Record<string, unknown>>;
  readonly consumed: Consumed;
}

export function getItem(
  table: Table,
  input: ReadInput,
  asOf?: number,
  bound = bind(input),
): { Item?: Item; key: StoredKey; consumed: Consumed } {
  const key = keyOfRequest(table.schema, takeItem(input.Key ?? {}));
  const item = table.storage.get(key, input.ConsistentRead ? undefined : asOf);
  const consumed = asksCapacity(input) ? consumedOf(table, undefined, item ? itemBytes(item) : 0, input) : unasked;
  return item ? { Item: bound.projection ? projected(item, bound.projection, bound.bindings) : item, key, consumed } : { key, consumed };
}

function consumedOf({ schema }: Table, index: IndexSchema | undefined, bytes: number, { ConsistentRead = false }: ReadInput): Consumed {
  const units = readUnits(bytes, ConsistentRead);
  return {
    table: schema.name,
    own: index ? 0 : units,
    indexes: new Map(index ? [[index.name, { units, local: index.local === true }]] : []),
    kind: 'read',
  };
}

export function query(table: Table, input: ReadInput, asOf?: number): Found {
  const index = indexOf(table, input);
  const bound = bind(input);
  if (!bound.keyCondition) {
    throw invalid('Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.');
  }
  const schema = index ?? table.schema;
  const wanted = keyConditionOf(bound.keyCondition, schema, bound.bindings);
  checkFilter(bound, schema);
  const after = placeOf(table, index, input);
  if (after) checkStart(after, wanted, takeItem(input.ExclusiveStartKey!));
  const range: Range = { ...wanted.range, descending: input.ScanIndexForward === false, ...(after ? { after } : {}) };
  const items = table.storage.query(index?.name, range, input.ConsistentRead || index ? undefined : asOf);
  return page({ table, index, bound, input }, wanted.matches ? matching(items, wanted.matches) : items);
}

function* matching(items: Iterable<Item>, matches: (item: Item) => boolean): Iterable<Item> {
  for (const item of items) if (matches(item)) yield item;
}

export function scan(table: Table, input: ReadInput): Found {
  const index = indexOf(table, input);
  const bound = bind(input);
  const segment = segmentOf(input);
  const items = table.storage.scan(index?.name, placeOf(table, index, input));
  return page(
    { table, index, bound, input },
    segment ? matching(items, (item) => segment(keyInIndex(index ?? table.schema, item)!.partition)) : items,
  );
}

/** Which partitions a segment of a parallel scan reads. */
function segmentOf({ Segment, TotalSegments }: ReadInput): ((partition: string) => boolean) | undefined {
  if (Segment === undefined && TotalSegments === undefined) return undefined;
  if (TotalSegments === undefined)
    throw invalid('The TotalSegments parameter is required but was not present in the request when Segment parameter is present');
  if (Segment === undefined)
    throw invalid('The Segment parameter is required but was not present in the request when parameter TotalSegments is present');
  if (Segment >= TotalSegments) {
    throw invalid(
      `The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: ${Segment} is not less than TotalSegments: ${TotalSegments}`,
    );
  }
  return (partition) => {
    let hash = 0;
    for (let i = 0; i < partition.length; i++) hash = (Math.imul(hash, 31) + partition.charCodeAt(i)) | 0;
    return Math.abs(hash) % TotalSegments === Segment;
  };
}

/** What is read, and how. */
interface Read {
  readonly table: Table;
  /** Undefined: the table itself. */
  readonly index: IndexSchema | undefined;
  readonly bound: Bound;
  readonly input: ReadInput;
}

/** Reads until the page is full. */
function page({ table, index, bound, input }: Read, items: Iterable<Item>): Found {
  const { Limit = Infinity } = input;
  const select = selectOf(bound, index, input);
  if (index && bound.projection) checkShown(table, index, bound);
  const found: Item[] = [];
  const isCounted = asksCapacity(input);
  const read: Item[] = [];
  let [scanned, bytes, uncounted] = [0, 0, 0];
  let last: Item | undefined;
  for (const item of items) {
    const shown = index && !reachesTable(index, bound, select) ? shownBy(table.schema, index, item) : item;
    read.push(shown);
    scanned++;
    // Most pages need not be counted: at most so much is no whole page.
    if (!isCounted) uncounted += mostBytesOf(shown);
    if (isCounted || bytes + uncounted >= mostPageBytes) {
      bytes = read.splice(0).reduce((sum, one) => sum + itemBytes(one), bytes);
      uncounted = 0;
    }
    if (!bound.filter || holds(bound.filter, shown, bound.bindings)) found.push(shown);
    if (scanned === Limit || bytes >= mostPageBytes) {
      last = item;
      break;
    }
  }
  const answer: Record<string, unknown> = {};
  if (select !== 'COUNT')
    answer['Items'] = bound.projection ? found.map((item) => projected(item, bound.projection!, bound.bindings)) : found;
  answer['Count'] = found.length;
  answer['ScannedCount'] = scanned;
  if (last) answer['LastEvaluatedKey'] = pick(last, keyNames(table.schema, index));
  return { answer, consumed: isCounted ? consumedOf(table, index, bytes, input) : unasked };
}

/** A local index reads from the table what it does not have itself; a global one cannot. */
const reachesTable = (index: IndexSchema, { projection }: Bound, select: string | undefined): boolean =>
  index.projection === 'ALL' || (index.local === true && (projection !== undefined || select === 'ALL_ATTRIBUTES'));

const selects = ['SPECIFIC_ATTRIBUTES', 'COUNT', 'ALL_ATTRIBUTES', 'ALL_PROJECTED_ATTRIBUTES'];

function selectOf({ projection }: Bound, index: IndexSchema | undefined, { Select: select }: ReadInput): string | undefined {
  if (select === undefined) return undefined;
  if (!selects.includes(select)) {
    throw invalid(
      `1 validation error detected: Value '${select}' at 'select' failed to satisfy constraint: Member must satisfy enum value set: [${selects.join(', ')}]`,
    );
  }
  if (projection && select !== 'SPECIFIC_ATTRIBUTES') {
    throw invalid(`Cannot specify the ProjectionExpression when choosing to get ${select === 'COUNT' ? 'only the Count' : select}`);
  }
  if (select === 'SPECIFIC_ATTRIBUTES' && !projection) {
    throw invalid('Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES');
  }
  if (select === 'ALL_PROJECTED_ATTRIBUTES' && !index) {
    throw invalid('ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName');
  }
  if (select === 'ALL_ATTRIBUTES' && index && !index.local && index.projection !== 'ALL') {
    throw invalidValues(
      `Select type ALL_ATTRIBUTES is not supported for global secondary index ${index.name} because its projection type is not ALL`,
    );
  }
  return select;
}

/** @throws ValidationException for an attribute that a global index does not have */
function checkShown({ schema }: Table, index: IndexSchema, { projection = [], bindings }: Bound): void {
  if (index.local || index.projection === 'ALL') return;
  const has = new Set([...keyNames(schema, index), ...(index.projection === 'KEYS_ONLY' ? [] : index.projection.include)]);
  const lacking = projection.map(([first]) => nameOf(first as string, bindings)).filter((name) => !has.has(name));
  if (lacking.length === 0) return;
  throw invalidValues(`Global secondary index ${index.name} does not project [${lacking.join(', ')}]`);
}

function indexOf({ schema }: Table, { IndexName, ConsistentRead }: ReadInput): IndexSchema | undefined {
  if (IndexName === undefined) return undefined;
  const index = schema.indexes?.find(({ name }) => name === IndexName);
  if (!index) throw invalid(`The table does not have the specified index: ${IndexName}`);
  if (ConsistentRead && !index.local) throw invalid('Consistent reads are not supported on global secondary indexes');
  return index;
}

/** @throws ValidationException for a place that no page of this query ends at */
function checkStart(after: Place, wanted: Wanted, key: Item): void {
  const { range, matches } = wanted;
  if (after.partition !== range.partition) {
    throw invalid('The provided starting key is outside query boundaries based on provided conditions');
  }
  const { from, to } = range;
  const isWithin = (from === undefined || compareTexts(after.sort, from) >= 0) && (to === undefined || compareTexts(after.sort, to) <= 0);
  if (!isWithin || matches?.(key) === false) throw invalid('The provided starting key does not match the range key predicate');
}

function placeOf(table: Table, index: IndexSchema | undefined, input: ReadInput): Place | undefined {
  const { ExclusiveStartKey } = input;
  if (!ExclusiveStartKey) return undefined;
  const key = takeItem(ExclusiveStartKey);
  const names = keyNames(table.schema, index);
  const isWhole = Object.keys(key).length === names.length && names.every((name) => Object.hasOwn(key, name));
  if (!isWhole && input.KeyConditionExpression !== undefined) throw invalid('The provided starting key is invalid');
  let item;
  try {
    if (!isWhole) throw invalid('it has other attributes');
    item = keyOfRequest(table.schema, pick(key, keyNames(table.schema)));
  } catch {
    throw invalid('The provided starting key is invalid: The provided key element does not match the schema');
  }
  if (!index) return { ...item, item };
  return { ...keyInIndex(index, key)!, item };
}

type Bounds = Pick<Range, 'partition' | 'from' | 'to'>;

interface Wanted {
  readonly range: Bounds;
  /** What the bounds do not say, since they are included; undefined: they say it all. */
  readonly matches?: (item: Item) => boolean;
}

/** Reads a key condition: the partition, and perhaps a condition of the sort key. */
function keyConditionOf(condition: Condition, { partitionKey, sortKey }: KeySchema, bindings: Bindings): Wanted {
  const named = conjuncts(condition).map((part) => ({ part, name: keyNameOf(part, bindings) }));
  if (named.length > 1 && new Set(named.map(({ name }) => name)).size < named.length) {
    throw invalid('KeyConditionExpressions must only contain one condition per key');
  }
  if (named.length > 2) throw invalid('Conditions can be of length 1 or 2 only');
  const ofPartition = named.find(({ name }) => name === partitionKey.name);
  const other = named.find(({ name }) => name !== partitionKey.name);
  if (!ofPartition) throw invalid(`Query condition missed key schema element: ${partitionKey.name}`);
  if (other && other.name !== sortKey?.name) {
    throw invalid(sortKey ? `Query condition missed key schema element: ${sortKey.name}` : 'Query key condition not supported');
  }
  const { part } = ofPartition;
  if (part.kind !== 'compare' || part.comparator !== '=') throw invalid('Query key condition not supported');
  const partition = sortable(keyValue(part.right, partitionKey, bindings));
  return other ? sortRange(partition, other.part, sortKey!, bindings) : { range: { partition } };
}

/** The attribute that a part of a key condition is about. */
function keyNameOf(part: Condition, bindings: Bindings): string {
  const operand =
    part.kind === 'compare' ? part.left : part.kind === 'between' ? part.operand : part.kind === 'call' ? part.args[0] : undefined;
  if (operand?.kind === 'size') throw invalid('KeyConditionExpressions cannot contain nested operations');
  if (operand?.kind !== 'path' || operand.path.length !== 1) {
    throw invalid('Invalid KeyConditionExpression: an operand must be a key attribute');
  }
  return nameOf(operand.path[0] as string, bindings);
}

function conjuncts(condition: Condition): readonly Condition[] {
  switch (condition.kind) {
    case 'and':
      return [...conjuncts(condition.parts[0]), ...conjuncts(condition.parts[1])];
    case 'or':
    case 'not':
      throw invalid(`Invalid operator used in KeyConditionExpression: ${condition.kind.toUpperCase()}`);
    case 'in':
      throw invalid('Invalid operator used in KeyConditionExpression: IN');
    case 'compare':
      if (condition.comparator === '<>') throw invalid('Invalid operator used in KeyConditionExpression: <>');
      return [condition.left.kind === 'value' && condition.right.kind === 'path' ? turned(condition) : condition];
    case 'call':
      if (condition.name !== 'begins_with') throw invalid(`Invalid operator used in KeyConditionExpression: ${condition.name}`);
      return [condition];
    default:
      return [condition];
  }
}

const opposite = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=', '<>': '<>' } as const;

/** `:a < b` says what `b > :a` says. */
function turned(condition: Condition & { kind: 'compare' }): Condition {
  return { ...condition, comparator: opposite[condition.comparator], left: condition.right, right: condition.left };
}

function keyValue(operand: Operand | undefined, { name, type }: KeyAttribute, bindings: Bindings): Value {
  if (operand?.kind === 'path') {
    throw invalid('Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition');
  }
  if (operand?.kind !== 'value') throw invalid('Invalid KeyConditionExpression: an operand must be a value');
  const value = bindings.values[operand.name]!;
  if (typeOf(value) !== type) throw invalidValues('Condition parameter type does not match schema type');
  checkNotEmpty(name, value);
  return value;
}

/** A text behind all that begin with another one. */
const highest = '\u{10FFFF}';

function sortRange(partition: string, part: Condition, attribute: KeyAttribute, bindings: Bindings): Wanted {
  const of = (operand: Operand | undefined): string => sortable(keyValue(operand, attribute, bindings));
  const text = (item: Item): string => sortable(item[attribute.name]!);
  if (part.kind === 'between') return { range: { partition, from: of(part.low), to: of(part.high) } };
  if (part.kind === 'call') {
    if (attribute.type === 'N') {
      throw invalid(
        'Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N',
      );
    }
    const start = keyValue(part.args[1], attribute, bindings);
    const from = sortable(start);
    return { range: { partition, from, to: `${from}${highest}` }, matches: (item) => beginsWith(item[attribute.name], start) };
  }
  const { comparator, right } = part as Condition & { kind: 'compare' };
  const bound = of(right);
  const differs = (item: Item): boolean => text(item) !== bound;
  switch (comparator) {
    case '=':
      return { range: { partition, from: bound, to: bound } };
    case '<':
      return { range: { partition, to: bound }, matches: differs };
    case '<=':
      return { range: { partition, to: bound } };
    case '>':
      return { range: { partition, from: bound }, matches: differs };
    default:
      return { range: { partition, from: bound } };
  }
}

/** @throws ValidationException for a filter that names a key attribute: the key condition is for that */
function checkFilter({ filter, bindings }: Bound, schema: KeySchema): void {
  if (!filter) return;
  const keys = keyNames(schema);
  for (const name of namesIn(filter, bindings)) {
    if (keys.includes(name)) throw invalid(`Filter Expression can only contain non-primary key attributes: Primary key attribute: ${name}`);
  }
}

function namesIn(condition: Condition, bindings: Bindings): string[] {
  const of = (operand: Operand): string[] =>
    operand.kind === 'path' ? [nameOf(operand.path[0] as string, bindings)] : operand.kind === 'size' ? of(operand.of) : [];
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.parts.flatMap((part) => namesIn(part, bindings));
    case 'not':
      return namesIn(condition.part, bindings);
    case 'compare':
      return [...of(condition.left), ...of(condition.right)];
    case 'between':
      return [condition.operand, condition.low, condition.high].flatMap(of);
    case 'in':
      return [condition.operand, ...condition.options].flatMap(of);
    case 'call':
      return condition.args.flatMap(of);
  }
}
