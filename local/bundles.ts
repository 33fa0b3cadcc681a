import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { functions, type FunctionName } from '../lambdas/contract/functions.ts';
import { bundleFunctions } from '../lib/bundle.ts';
import { cacheFolder } from '../lib/project.ts';
import { keep, keyOfSources, makingOf, touch } from './kept.ts';

/**
 * The functions' bundles, kept under a hash of the sources: they are the same whatever the context is, and esbuild takes more than the synth itself.
 *
 * @param cache where they are kept
 * @returns the folder of each; only to be read
 */
export function keptBundles(cache = join(cacheFolder, 'bundles')): Readonly<Record<FunctionName, string>> {
  const folder = join(cache, keyOfSources());
  if (!existsSync(folder)) {
    const making = makingOf(folder);
    rmSync(making, { recursive: true, force: true });
    bundleFunctions(functions, making);
    keep(making, folder);
  }
  touch(folder);
  return Object.fromEntries(Object.keys(functions).map((name) => [name, join(folder, name)])) as Record<FunctionName, string>;
}
