/** Runs the application's synth in a thread of its own. CDK and esbuild take 200 MB, which go with the thread. */
import { pathToFileURL } from 'node:url';
import { workerData } from 'node:worker_threads';
import type { SynthModule, SynthRequest } from './app.ts';

export interface SynthData {
  /** Path of the module that exports `synth`. */
  readonly module: string;
  readonly request: SynthRequest;
}

const { module, request } = workerData as SynthData;
// The offline validator costs seconds and changes nothing here: it is left to `cdk synth` and the tests.
process.env['CDK_VALIDATION'] = 'false';
const { synth } = (await import(pathToFileURL(module).href)) as Partial<SynthModule>;
if (synth === undefined) throw new Error(`${module} exports no synth`);
await synth(request);
