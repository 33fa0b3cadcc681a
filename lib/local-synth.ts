import { bundlesKeptAside } from '@outbox-saga/local/bundles';
import type { SynthRequest } from '@outbox-saga/local/app';
import type { FunctionName } from '../lambdas/contract/functions.ts';
import { app, bundleModule } from './local-app.ts';

/** Synthesizes the app for the local runtime. cdk-nag is left to `cdk synth` and the tests: it costs seconds and changes nothing here. */
export async function synth({ outdir, stage, context, access, issuer }: SynthRequest): Promise<void> {
  // Neither needs the other: while esbuild bundles, CDK is loaded.
  const [{ orderApp }, bundles] = await Promise.all([import('./app.ts'), bundlesKeptAside<FunctionName>(app, bundleModule)]);
  const local = issuer === undefined ? {} : { jwtIssuer: issuer.url, jwtAudience: issuer.audience };
  orderApp({ outdir, bundles: () => bundles, context: { ...local, ...context, local: access, stage } }).app.synth();
}
