/** A type that old code has never heard of, as new code calls what old code calls by its first part. */
const suffix = 'Anew';

/** The type that a message has once the code that reads it is there. */
export function originalOf(type: string): string {
  return type.endsWith(suffix) ? type.slice(0, -suffix.length) : type;
}

/** A message as new code writes it: in version 2, or under another type. */
export function asNewCodeSays(body: string, how: 'version' | 'type'): string {
  const { type, ...rest } = JSON.parse(body) as { type: string; version: number };
  return JSON.stringify(how === 'version' ? { ...rest, type, version: 2 } : { ...rest, type: type + suffix });
}

/** What new code reads in a message of its own: the same as old code in one of its own. */
export function asNewCodeReads(body: string): string {
  if (!body.startsWith('{')) return body;
  const { type, version, ...rest } = JSON.parse(body) as { type: string; version: number };
  if (type === undefined || (version !== 2 && originalOf(type) === type)) return body;
  return JSON.stringify({ ...rest, type: originalOf(type), version: 1 });
}
