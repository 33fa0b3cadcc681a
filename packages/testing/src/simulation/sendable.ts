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
  for (const name in value) checkSendable((value as Record<string, unknown>)[name]);
}
