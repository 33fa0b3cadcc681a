import { keptBundles } from '@outbox-saga/local/bundles';
import type { SynthRequest } from '@outbox-saga/local/app';
import { orderApp } from './app.ts';
import { app } from './local-app.ts';
import { bundle } from './local-bundle.ts';

/** Synthesizes the app for the local runtime. cdk-nag is left to `cdk synth` and the tests: it costs seconds and changes nothing here. */
export function synth({ outdir, stage, context, access, issuer }: SynthRequest): void {
  const local = issuer === undefined ? {} : { jwtIssuer: issuer.url, jwtAudience: issuer.audience };
  orderApp({
    outdir,
    nag: false,
    bundles: () => keptBundles(app, bundle),
    context: { ...local, ...context, local: access, stage },
  }).app.synth();
}
