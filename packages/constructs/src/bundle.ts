import { buildSync } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { FunctionDefinition } from '@outbox-saga/kit/function/definition';

/** File name of the code inside a function's bundle; `index.handler` is its handler. */
export const bundleFile = 'index.mjs';

/** Its source map, for `npm run trace`: deployed beside the code, and never loaded by it (docs/decisions/0022-source-maps-beside-the-code.md). */
export const bundleMapFile = `${bundleFile}.map`;

/** The application whose functions are bundled. */
export interface BundleOptions {
  /** Its root folder: entries of function definitions are relative to it, and source maps name sources from it. */
  readonly root: string;
  /**
   * Modules that the bundles do without: name of the module → file that stands in for it. A stand-in has what is imported from the module. Default: none.
   */
  readonly standIns?: Readonly<Record<string, string>> | undefined;
}

/**
 * Bundles all functions in one go, each into its own folder with everything it needs, the SDK included:
 * one esbuild call costs half a second, a process per function costs that for each.
 *
 * @returns the folder of each function's bundle
 */
export function bundleFunctions<Name extends string>(
  functions: Readonly<Record<Name, FunctionDefinition>>,
  folder: string,
  { root, standIns = {} }: BundleOptions,
): Record<Name, string> {
  const names = Object.keys(functions) as Name[];
  buildSync({
    absWorkingDir: root,
    entryPoints: names.map((name) => ({ in: functions[name].entry, out: join(name, 'index') })),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    sourcemap: 'external',
    sourcesContent: false,
    alias: { ...standIns },
    legalComments: 'none',
    mainFields: ['module', 'main'],
    conditions: ['module'],
    // Parts of the SDK are CommonJS and ask for `require`, which a module does not have.
    banner: { js: "import{createRequire as requireFrom}from'node:module';const require=requireFrom(import.meta.url);" },
    logLevel: 'error',
  });
  const bundles = Object.fromEntries(names.map((name) => [name, join(folder, name)])) as Record<Name, string>;
  for (const bundle of Object.values<string>(bundles)) nameSourcesFromRoot(bundle, root);
  return bundles;
}

/** esbuild names sources from where the map lies. The hash of a function's code, which the map is part of, must not depend on the output folder. */
function nameSourcesFromRoot(bundle: string, root: string): void {
  const file = join(bundle, bundleMapFile);
  const map = JSON.parse(readFileSync(file, 'utf8')) as { readonly sources: readonly string[] };
  const sources = map.sources.map((source) => relative(root, resolve(bundle, source)));
  writeFileSync(file, JSON.stringify({ ...map, sources }));
}
