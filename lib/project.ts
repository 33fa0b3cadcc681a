import { join } from 'node:path';

/** The project's root: entries of function definitions are relative to it. */
export const projectRoot = join(import.meta.dirname, '..');

/** What `npm start` runs. */
export const startCommand = { root: projectRoot, program: join('bin', 'local.mjs') } as const;
