/**
 * The first key that an object of a JSON text has twice. `JSON.parse` takes the last one silently, and whoever looked at the text before us
 * (a gateway, a signer) may have taken the first.
 *
 * @param text valid JSON
 */
export function duplicateKey(text: string): string | undefined {
  /** The objects and arrays around the present place: an object's keys so far, undefined for an array. */
  const around: (Set<string> | undefined)[] = [];
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/gs)) {
    if (token === '{' || token === '[') around.push(token === '{' ? new Set() : undefined);
    else if (token === '}' || token === ']') around.pop();
    else {
      const keys = around.at(-1);
      if (!keys || !isKey(text, index + token.length)) continue;
      // However it is escaped.
      const key = JSON.parse(token) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

/** Whether a colon follows. */
function isKey(text: string, from: number): boolean {
  let at = from;
  while (' \t\r\n'.includes(text.charAt(at)) && at < text.length) at++;
  return text.charAt(at) === ':';
}

/** A JSON value as a text that does not depend on the order of its members. Undefined ones are left out, as `JSON.stringify` does. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
