import { readdirSync, readFileSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { bundleFile, bundleFunctions } from '../lib/bundle.ts';
import { bundling, projectRoot } from '../lib/project.ts';
import { functions, type FunctionName } from '../lambdas/contract/functions.ts';
import type { Print } from './console.ts';
import type { FunctionPool } from './functions/pool.ts';

const sources = join(projectRoot, 'lambdas');

/** Editors write a file several times; one reload is enough. */
const settleMs = 150;

/** Bundles again when a source below lambdas/ changes, and reloads the functions whose bundle is another one. @returns stops watching */
export function watchSources(pools: readonly FunctionPool[], folder: string, print: Print): () => void {
  let timer: NodeJS.Timeout | undefined;
  let generation = 0;
  const reload = (): void => {
    const startedAt = Date.now();
    let bundles: Record<FunctionName, string>;
    try {
      bundles = bundleFunctions(functions, join(folder, String(++generation)), bundling);
    } catch (error) {
      print(`          not reloaded: ${(error as Error).message.split('\n')[0]}`);
      return;
    }
    const changed = pools.filter(({ fn }) => {
      const bundle = bundles[fn.name as FunctionName];
      return bundle !== undefined && readFileSync(join(bundle, bundleFile), 'utf8') !== readFileSync(join(fn.code, bundleFile), 'utf8');
    });
    for (const pool of changed) pool.reload(bundles[pool.fn.name as FunctionName]);
    if (changed.length > 0) print(`          reloaded ${changed.map(({ fn }) => fn.name).join(', ')} in ${Date.now() - startedAt} ms`);
  };
  // One watcher a directory: recursive watching loses files on Linux that an editor replaces instead of rewriting.
  const watchers = new Map<string, FSWatcher>();
  const watchFolders = (): void => {
    for (const entry of readdirSync(sources, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) watchFolder(join(entry.parentPath, entry.name));
    }
  };
  const watchFolder = (path: string): void => {
    if (watchers.has(path)) return;
    const watcher = watch(path, () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        watchFolders();
        reload();
      }, settleMs);
    });
    watcher.on('error', () => watchers.delete(path));
    watchers.set(path, watcher);
  };
  watchFolder(sources);
  watchFolders();
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
  };
}
