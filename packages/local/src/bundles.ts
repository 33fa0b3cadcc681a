import { existsSync, readdirSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { BundlingData } from './bundling.ts';
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

/**
 * As `keptBundles`, in a thread of its own: whoever waits for it can do something else meanwhile.
 *
 * @param module exports `bundle`; its path is below the application's root
 * @throws Error that the bundler threw
 */
export async function bundlesKeptAside<Name extends string>(app: Sources, module: string): Promise<Readonly<Record<Name, string>>> {
  const { root, synthInputs, cacheFolder } = app;
  const workerData: BundlingData = { module: join(root, module), sources: { root, synthInputs, ...(cacheFolder ? { cacheFolder } : {}) } };
  const worker = new Worker(join(import.meta.dirname, `bundling${extname(import.meta.filename)}`), { workerData });
  const [bundles] = (await once(worker, 'message')) as [Readonly<Record<Name, string>>];
  return bundles;
}
