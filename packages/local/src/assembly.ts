import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LocalApp, SynthRequest } from './app.ts';
import { compileCacheVariable } from './functions/protocol.ts';
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

/** What every synth reads, below the project's root. node_modules/.package-lock.json is what npm wrote when it installed. */
const alwaysRead = ['package.json', 'tsconfig.json', 'node_modules/.package-lock.json'];

type Synthesized = Pick<LocalApp, 'root' | 'synthModule' | 'synthInputs' | 'cacheFolder'>;

/** Below the project's root. What can be made again from the sources; `npm ci` empties it. */
const usualCache = 'node_modules/.cache/outbox-saga';

const kept = 8;
const unusedMs = 10 * 60_000;

/**
 * Synthesizes the CDK app and reads the result back as CloudFormation would get it. A result is kept in the cache under a hash of everything that went
 * into it: CDK and esbuild take a second and 200 MB to load, and are not loaded while nothing changes.
 *
 * @param cache where results are kept
 */
export async function synthesize(
  app: Synthesized,
  request: Omit<SynthRequest, 'outdir'>,
  cache = join(app.root, app.cacheFolder ?? usualCache, 'assemblies'),
): Promise<Assembly> {
  const folder = join(cache, keyOf(app, request));
  if (!existsSync(folder)) {
    const making = `${folder}.${process.pid}`;
    rmSync(making, { recursive: true, force: true });
    await runSynth({ module: join(app.root, app.synthModule), request: { ...request, outdir: making } });
    putInPlace(making, folder);
    prune(cache, folder);
  }
  const touch = (): void => {
    if (existsSync(folder)) utimesSync(folder, new Date(), new Date());
  };
  touch();
  return { ...read(folder), touch };
}

/** @throws Error that the app threw, such as for a context that is wrong */
async function runSynth(workerData: SynthData): Promise<void> {
  // Esbuild runs and ends for each bundle: a service of its own would outlive the thread as a zombie.
  const env = { ...process.env, ESBUILD_WORKER_THREADS: '0', [compileCacheVariable]: getCompileCacheDir() ?? '' };
  await once(new Worker(join(import.meta.dirname, `synth${extname(import.meta.filename)}`), { workerData, env }), 'exit');
}

/** Whole or not at all: another runtime may look for it at this moment, or may have made it. */
function putInPlace(made: string, folder: string): void {
  try {
    renameSync(made, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    rmSync(made, { recursive: true, force: true });
  }
}

function prune(cache: string, used: string): void {
  const byUse = readdirSync(cache)
    .map((name) => join(cache, name))
    .filter((folder) => folder !== used)
    .map((folder) => ({ folder, usedAt: statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((a, b) => b.usedAt - a.usedAt);
  for (const { folder, usedAt } of byUse.slice(kept - 1)) {
    if (Date.now() - usedAt > unusedMs) rmSync(folder, { recursive: true, force: true });
  }
}

function keyOf({ root, synthInputs }: Synthesized, { stage, context, access, issuer }: Omit<SynthRequest, 'outdir'>): string {
  const given = Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha256').update(JSON.stringify([process.version, stage, given, access, issuer?.url, issuer?.audience]));
  for (const input of [...synthInputs, ...alwaysRead]) {
    const path = join(root, input);
    for (const file of statSync(path, { throwIfNoEntry: false })?.isDirectory() ? filesBelow(path) : [path]) {
      if (existsSync(file)) hash.update(`\0${file.slice(root.length)}\0`).update(readFileSync(file));
    }
  }
  return hash.digest('hex').slice(0, 32);
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();

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
