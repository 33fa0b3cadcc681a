import { functions } from '../lambdas/contract/functions.ts';
import { bundleFunctions } from '@outbox-saga/constructs/bundle';
import { bundling } from './project.ts';

export { bundleFile } from '@outbox-saga/constructs/bundle';

/** For `npm run dev`: bundles all functions again. */
export const bundle = (folder: string): Record<string, string> => bundleFunctions(functions, folder, bundling);
