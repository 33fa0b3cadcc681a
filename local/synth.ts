/** Runs the CDK app in a thread of its own. CDK and esbuild take 200 MB, which go with the thread. */
import { workerData } from 'node:worker_threads';
import { orderApp } from '../lib/app.ts';
import { keptBundles } from './bundles.ts';

export interface SynthData {
  readonly outdir: string;
  readonly context: Readonly<Record<string, string>>;
}

const { outdir, context } = workerData as SynthData;
// The offline validator and cdk-nag are left to `cdk synth` and the tests: they cost seconds and change nothing here.
process.env['CDK_VALIDATION'] = 'false';
orderApp({ outdir, nag: false, bundles: keptBundles, context }).app.synth();
