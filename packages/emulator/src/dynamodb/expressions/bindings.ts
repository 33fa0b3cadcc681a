import { invalid } from '../problems.ts';
import type { Value } from '../values.ts';
import type { Parsed, Path } from './syntax.ts';
import type { ExpressionKind } from './tokens.ts';

/** What an expression's `#name` and `:value` stand for. */
export interface Bindings {
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, Value>>;
}

export const nameOf = (step: string, { names }: Bindings): string => (step.startsWith('#') ? names[step]! : step);

/** A path with the names that its placeholders stand for. */
export const resolved = (path: Path, bindings: Bindings): Path =>
  path.map((step) => (typeof step === 'string' ? nameOf(step, bindings) : step));

/** As AWS writes a path in a message: `[a, b, [0]]`. */
export const shown = (path: Path): string => `[${path.map((step) => (typeof step === 'number' ? `[${step}]` : step)).join(', ')}]`;

/** @throws ValidationException for a placeholder that stands for nothing */
export function checkDefined({ kind, names, values }: Parsed<unknown>, bindings: Bindings): void {
  for (const name of names) {
    if (bindings.names[name] === undefined) {
      throw invalid(`Invalid ${kind}: An expression attribute name used in the document path is not defined; attribute name: ${name}`);
    }
  }
  for (const name of values) {
    if (bindings.values[name] === undefined) {
      throw invalid(`Invalid ${kind}: An expression attribute value used in expression is not defined; attribute value: ${name}`);
    }
  }
}

/** @throws ValidationException for a placeholder that none of the expressions has */
export function checkUsed(expressions: readonly Parsed<unknown>[], { names, values }: Bindings): void {
  const spareValues = unused(values, 'values', expressions);
  if (spareValues.length > 0) {
    throw invalid(`Value provided in ExpressionAttributeValues unused in expressions: keys: {${spareValues.join(', ')}}`);
  }
  const spareNames = unused(names, 'names', expressions);
  if (spareNames.length > 0) {
    throw invalid(`Value provided in ExpressionAttributeNames unused in expressions: keys: {${spareNames.join(', ')}}`);
  }
}

/** Whether one of the expressions has a placeholder. */
export function isUsed(name: string, of: 'names' | 'values', expressions: readonly Parsed<unknown>[]): boolean {
  for (const expression of expressions) if (expression[of].has(name)) return true;
  return false;
}

function unused(given: object, of: 'names' | 'values', expressions: readonly Parsed<unknown>[]): string[] {
  const spare = [];
  for (const name in given) if (!isUsed(name, of, expressions)) spare.push(name);
  return spare;
}

/** Whether all of them lead to different attributes, as most do. */
function areApart(paths: readonly Path[], bindings: Bindings): boolean {
  for (let i = 1; i < paths.length; i++) {
    const name = nameOf(paths[i]![0] as string, bindings);
    for (let j = 0; j < i; j++) if (nameOf(paths[j]![0] as string, bindings) === name) return false;
  }
  return true;
}

/** @throws ValidationException when one of the paths leads to, or through, the place of another */
export function checkApart(kind: ExpressionKind, paths: readonly Path[], bindings: Bindings): void {
  if (paths.length < 2 || areApart(paths, bindings)) return;
  const all = paths.map((path) => resolved(path, bindings));
  for (let i = 0; i < all.length; i++) {
    for (let j = i + 1; j < all.length; j++) {
      const [a, b] = [all[i]!, all[j]!];
      const least = Math.min(a.length, b.length);
      let same = 0;
      while (same < least && a[same] === b[same]) same++;
      const problem = same === least ? 'overlap' : same > 0 && typeof a[same] !== typeof b[same] ? 'conflict' : undefined;
      if (problem === undefined) continue;
      throw invalid(
        `Invalid ${kind}: Two document paths ${problem} with each other; must remove or rewrite one of these paths; path one: ${shown(a)}, path two: ${shown(b)}`,
      );
    }
  }
}
