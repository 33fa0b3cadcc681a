import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LocalApp, SynthRequest } from './app.ts';
import { compileCacheVariable } from './functions/protocol.ts';
import { cacheOf, keep, keyOfSources, makingOf, touch, type Sources } from './kept.ts';
import type { SynthData } from './synth.ts';
import type { Template } from './template.ts';

/** What `cdk deploy` would deploy: the template and the folders of the functions' code. */
export interface Assembly {
  readonly stackName: string;
  readonly template: Template;
  /** Object key of an asset → its folder. */
  readonly assets: ReadonlyMap<string, string>;
  /** Says that it is still used: `synthesize` deletes from the cache what nobody has used lately. */
  touch(): void;
}

type Synthesized = Sources & Pick<LocalApp, 'synthModule'>;

/**
 * Synthesizes the CDK app and reads the result back as CloudFormation would get it. A result is kept in the cache under a hash of everything that went
 * into it: CDK and esbuild take a second and 200 MB to load, and are not loaded while nothing changes.
 *
 * @param cache where results are kept
 */
export async function synthesize(
  app: Synthesized,
  request: Omit<SynthRequest, 'outdir'>,
  cache = cacheOf(app, 'assemblies'),
): Promise<Assembly> {
  const folder = join(cache, keyOf(app, request));
  if (!existsSync(folder)) {
    const making = makingOf(folder);
    rmSync(making, { recursive: true, force: true });
    await runSynth({ module: join(app.root, app.synthModule), request: { ...request, outdir: making } });
    keep(making, folder);
  }
  touch(folder);
  return { ...read(folder), touch: () => touch(folder) };
}

/** @throws Error that the app threw, such as for a context that is wrong */
async function runSynth(workerData: SynthData): Promise<void> {
  // Esbuild runs and ends for each bundle: a service of its own would outlive the thread as a zombie.
  const env = { ...process.env, ESBUILD_WORKER_THREADS: '0', [compileCacheVariable]: getCompileCacheDir() ?? '' };
  await once(new Worker(join(import.meta.dirname, `synth${extname(import.meta.filename)}`), { workerData, env }), 'exit');
}

function keyOf(app: Sources, { stage, context, access, issuer }: Omit<SynthRequest, 'outdir'>): string {
  const given = Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return keyOfSources(app, [stage, given, access, issuer?.url, issuer?.audience]);
}

/** CDK's manifest names the one stack: its template, and which folder is behind each asset's key. */
function read(folder: string): Omit<Assembly, 'touch'> {
  const json = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8'));
  const { artifacts } = json('manifest.json') as {
    artifacts: Record<string, { type: string; properties: { stackName?: string; templateFile?: string } }>;
  };
  const [artifactId, stack] = Object.entries(artifacts).find(([, { type }]) => type === 'aws:cloudformation:stack')!;
  const manifest = json(`${artifactId}.assets.json`) as {
    files: Record<string, { source: { path: string }; destinations: Record<string, { objectKey: string }> }>;
  };
  const assets = new Map<string, string>();
  for (const { source, destinations } of Object.values(manifest.files)) {
    for (const { objectKey } of Object.values(destinations)) assets.set(objectKey, join(folder, source.path));
  }
  return { stackName: stack.properties.stackName ?? artifactId, template: json(stack.properties.templateFile!) as Template, assets };
}
