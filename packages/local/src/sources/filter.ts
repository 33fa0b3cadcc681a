/**
 * Event filter patterns, as far as this system uses them: nested objects of lists of values. A value is a plain scalar,
 * or `{"prefix": …}`, `{"exists": …}`, `{"anything-but": [...]}`.
 *
 * @throws Error for an operator that is not known: a filter that is not understood must not let everything through
 */
export function matches(pattern: unknown, value: unknown): boolean {
  if (Array.isArray(pattern)) return pattern.some((rule) => matchesRule(rule, value));
  if (pattern === null || typeof pattern !== 'object')
    throw new Error(`filter pattern: ${JSON.stringify(pattern)} must be an object or a list`);
  const fields = (value ?? {}) as Record<string, unknown>;
  return Object.entries(pattern).every(([name, inner]) => matches(inner, fields[name]));
}

function matchesRule(rule: unknown, value: unknown): boolean {
  if (rule === null || typeof rule !== 'object') return rule === value;
  const [operator, argument] = Object.entries(rule)[0] ?? ['', undefined];
  switch (operator) {
    case 'prefix':
      return typeof value === 'string' && value.startsWith(String(argument));
    case 'exists':
      return (value !== undefined) === argument;
    case 'anything-but':
      return value !== undefined && ![argument].flat().includes(value);
    default:
      throw new Error(`filter pattern: the operator ${operator} is not known to the local runtime`);
  }
}
