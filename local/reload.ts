import { readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { bundleFile, bundleFunctions, projectRoot } from '../lib/bundle.ts';
import { functions, type FunctionName } from '../lambdas/contract/functions.ts';
import type { Print } from './console.ts';
import type { FunctionPool } from './functions/pool.ts';

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
      bundles = bundleFunctions(functions, join(folder, String(++generation)));
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
  const watcher = watch(join(projectRoot, 'lambdas'), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(reload, settleMs);
  });
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
