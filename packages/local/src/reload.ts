import { readdirSync, readFileSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BundleModule, LocalApp } from './app.ts';
import type { Print } from './console.ts';
import type { FunctionPool } from './functions/pool.ts';
import { StartProblem } from './problem.ts';

/** Editors write a file several times; one reload is enough. */
const settleMs = 150;

/** Bundles again when a source changes, and reloads the functions whose bundle is another one. @returns stops watching */
export async function watchSources(app: LocalApp, pools: readonly FunctionPool[], folder: string, print: Print): Promise<() => void> {
  if (!app.reload) throw new StartProblem(`--watch: ${app.name} does not say where its functions' sources are`);
  const sources = join(app.root, app.reload.sources);
  // With it comes esbuild, which nothing else needs when the assembly was in the cache.
  const { bundle, bundleFile } = (await import(pathToFileURL(join(app.root, app.reload.bundleModule)).href)) as BundleModule;
  let timer: NodeJS.Timeout | undefined;
  let generation = 0;
  const reload = (): void => {
    const startedAt = Date.now();
    let bundles: Readonly<Record<string, string>>;
    try {
      bundles = bundle(join(folder, String(++generation)));
    } catch (error) {
      print(`          not reloaded: ${(error as Error).message.split('\n')[0]}`);
      return;
    }
    const changed = pools.filter(({ fn }) => {
      const made = bundles[fn.name];
      return made !== undefined && readFileSync(join(made, bundleFile), 'utf8') !== readFileSync(join(fn.code, bundleFile), 'utf8');
    });
    for (const pool of changed) pool.reload(bundles[pool.fn.name]!);
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
