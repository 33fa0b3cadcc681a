import { join } from 'node:path';
import type { BundleOptions } from './bundle.ts';

/** The project's root: entries of function definitions are relative to it. */
export const projectRoot = join(import.meta.dirname, '..');

/** What `npm start` runs. */
export const startCommand = { root: projectRoot, program: join('bin', 'local.mjs') } as const;

const kit = join(projectRoot, 'lambdas/kit');

/** How this project's functions are bundled. */
export const bundling: BundleOptions = {
  root: projectRoot,
  // What it would cost each bundle. Half of the SDK's weight serves developers' machines and other services; init time grows with every kilobyte.
  standIns: {
    // 130 KB: SSO, profiles, containers, web identity. Lambda's credentials are in the environment.
    '@aws-sdk/credential-provider-node': join(kit, 'credentials.ts'),
    // 23 KB: idempotency keys are message ids here, not expressions.
    '@aws-lambda-powertools/jmespath': join(kit, 'absent.ts'),
    '@aws-lambda-powertools/jmespath/functions': join(kit, 'absent.ts'),
    // 15 KB: neither DynamoDB nor SQS streams events over HTTP.
    '@smithy/core/event-streams': join(kit, 'absent.ts'),
    // 8 KB: endpoint discovery is off unless asked for.
    '@aws-sdk/endpoint-cache': join(kit, 'absent.ts'),
  },
};
