import { join } from 'node:path';

/** The project's root: entries of function definitions are relative to it. */
export const projectRoot = join(import.meta.dirname, '..');

/** What can be made again from the sources. `npm ci` empties it. */
export const cacheFolder = join(projectRoot, 'node_modules/.cache/order-saga');
