/** Keeps an application's bundles in a thread of its own (`bundlesKeptAside`). */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { BundleModule } from './app.ts';
import { keptBundles } from './bundles.ts';
import type { Sources } from './kept.ts';

export interface BundlingData {
  /** Path of the module that exports `bundle`. */
  readonly module: string;
  readonly sources: Sources;
}

const { module, sources } = workerData as BundlingData;
const { bundle } = (await import(pathToFileURL(module).href)) as BundleModule;
parentPort!.postMessage(keptBundles(sources, bundle));
