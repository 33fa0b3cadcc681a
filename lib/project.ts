import { join } from 'node:path';
import type { BundleOptions } from '@outbox-saga/constructs/bundle';
import { leanStandIns } from '@outbox-saga/constructs/stand-ins';

/** The project's root: entries of function definitions are relative to it. */
export const projectRoot = join(import.meta.dirname, '..');

/** What `npm start` runs. */
export const startCommand = { root: projectRoot, program: join('bin', 'local.mjs') } as const;

/** How this project's functions are bundled. */
export const bundling: BundleOptions = { root: projectRoot, standIns: leanStandIns };
