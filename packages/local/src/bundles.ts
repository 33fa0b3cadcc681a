import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheOf, keep, keyOfSources, makingOf, touch, type Sources } from './kept.ts';

/**
 * The functions' bundles, kept under a hash of the sources: they are the same whatever the context is, and esbuild takes more than the synth itself.
 *
 * @param bundle makes each in a folder of its name, below the one that it is given
 * @param cache where they are kept. Default: beside the assemblies
 * @returns the folder of each; only to be read
 */
export function keptBundles<Name extends string>(
  app: Sources,
  bundle: (folder: string) => Readonly<Record<Name, string>>,
  cache = cacheOf(app, 'bundles'),
): Readonly<Record<Name, string>> {
  const folder = join(cache, keyOfSources(app));
  if (!existsSync(folder)) {
    const making = makingOf(folder);
    rmSync(making, { recursive: true, force: true });
    bundle(making);
    keep(making, folder);
  }
  touch(folder);
  return Object.fromEntries(readdirSync(folder).map((name) => [name, join(folder, name)])) as Record<Name, string>;
}
