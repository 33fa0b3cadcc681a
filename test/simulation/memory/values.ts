import type { Item } from './expressions.ts';

/** DynamoDB: of one item, names and values counted. */
export const mostItemBytes = 400 * 1024;
/** DynamoDB: of what one page of a query reads. */
export const mostPageBytes = 1024 * 1024;

/**
 * Refuses what the document client refuses to send, before it sends anything: real marshalling would cost a run ten times its time, and throws
 * for the same values.
 *
 * @throws Error as `marshall` of @aws-sdk/util-dynamodb does with `removeUndefinedValues`
 */
export function checkSendable(value: unknown): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`Special numeric value ${value} is not allowed`);
    if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER) {
      const side = value > 0 ? 'greater than Number.MAX_SAFE_INTEGER' : 'lesser than Number.MIN_SAFE_INTEGER';
      throw new Error(`Number ${value} is ${side}. Use NumberWrapper from @aws-sdk/lib-dynamodb.`);
    }
    return;
  }
  if (value === null || typeof value !== 'object') return;
  if (Array.isArray(value)) {
    for (const member of value) checkSendable(member);
    return;
  }
  if (value instanceof Set) {
    if (value.size === 0) throw new Error('Pass a non-empty set, or options.convertEmptyValues=true.');
    return;
  }
  if (ArrayBuffer.isView(value)) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new Error(
      `Unsupported type passed: ${String(value)}. Pass options.convertClassInstanceToMap=true to marshall typeof object as map attribute.`,
    );
  }
  for (const name in value) checkSendable((value as Item)[name]);
}

/** The bytes of an item as DynamoDB counts them, to within a few for each number. */
export function bytesOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return Buffer.byteLength(value);
    case 'number':
      return Math.ceil(String(value).length / 2) + 1;
    case 'object': {
      if (value === null) return 1;
      let bytes = Array.isArray(value) ? 3 : 0;
      if (Array.isArray(value)) for (const member of value) bytes += bytesOf(member) + 1;
      else for (const name in value) bytes += Buffer.byteLength(name) + bytesOf((value as Item)[name]) + 1;
      return bytes;
    }
    default:
      return 1;
  }
}

/** Whether an item is too large. An ordinary one is told by its longest strings alone. */
export function isTooLarge(item: Item): boolean {
  let atMost = 0;
  for (const name in item) {
    const value = item[name];
    atMost += name.length * 3 + (typeof value === 'string' ? value.length * 3 : typeof value === 'object' ? mostItemBytes : 22);
    if (atMost > mostItemBytes) return bytesOf(item) > mostItemBytes;
  }
  return false;
}
