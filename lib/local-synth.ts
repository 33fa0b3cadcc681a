import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SynthRequest } from '@outbox-saga/local/app';
import { orderApp } from './app.ts';

/** Synthesizes the app for the local runtime. cdk-nag is left to `cdk synth` and the tests: it costs seconds and changes nothing here. */
export function synth({ outdir, stage, context, access, issuer }: SynthRequest): void {
  const local = issuer === undefined ? {} : { jwtIssuer: issuer.url, jwtAudience: issuer.audience };
  orderApp({ outdir, nag: false, context: { ...local, ...context, local: access, stage } }).app.synth();
  // CDK has copied them to where the template's assets lie.
  rmSync(join(outdir, 'bundles'), { recursive: true });
}
