import { functions } from '../lambdas/contract/functions.ts';
import { bundleFunctions } from './bundle.ts';
import { bundling } from './project.ts';

export { bundleFile } from './bundle.ts';

/** For `npm run dev`: bundles all functions again. */
export const bundle = (folder: string): Record<string, string> => bundleFunctions(functions, folder, bundling);
