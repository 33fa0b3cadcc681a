import type { Sabotage } from './cloud.ts';
import { faultKinds, features } from './faults.ts';
import { runSeed } from './simulation.ts';

interface ReplayOptions {
  readonly without: readonly string[];
  readonly sabotage?: Sabotage | undefined;
  /** Leaves out every kind of fault that the violation does not need, and all lines but those about the orders that it names. */
  readonly shrink: boolean;
}

const mostLines = 80;

/** Runs one seed again and prints what happened in it. @returns whether it went well */
export async function replay(seed: number, { without, sabotage, shrink }: ReplayOptions): Promise<boolean> {
  let left = [...without];
  if (shrink) {
    for (const kind of [...faultKinds, ...features]) {
      const fewer = [...left, kind];
      if ((await runSeed(seed, { without: new Set(fewer), sabotage })).violations.length > 0) left = fewer;
    }
  }
  const lines: { readonly line: string; readonly about: string }[] = [];
  const { violations } = await runSeed(seed, { without: new Set(left), sabotage, trace: (line, about) => lines.push({ line, about }) });
  const named = new Set(violations.join(' ').match(/ord_\w{26}/g));
  // A message id leads to its order.
  for (const id of violations.join(' ').match(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g) ?? []) {
    const about = lines.find(({ line, about: order }) => order !== '' && line.includes(id))?.about;
    if (about) named.add(about);
  }
  const shown = shrink && named.size > 0 ? lines.filter(({ line, about }) => named.has(about) || line.includes(' FAULT ')) : lines;
  if (shown.length > mostLines && shrink) console.log(`… ${shown.length - mostLines} lines before`);
  for (const { line, about } of shrink ? shown.slice(-mostLines) : shown) console.log(`${line}${about ? `  (${about.slice(-6)})` : ''}`);
  console.log(violations.length > 0 ? `\nVIOLATED\n  ${violations.join('\n  ')}` : '\nnothing is violated');
  const flags = left.length > 0 ? ` --without ${left.join(',')}` : '';
  console.log(`\nreplay: npm run simulate -- --trace --seed ${seed}${flags}${sabotage ? ` --sabotage ${sabotage.name}` : ''}`);
  return violations.length === 0;
}
