import { build, type Plugin } from 'esbuild';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { app } from '../../lib/local-app.ts';
import { projectRoot } from '../../lib/project.ts';
import { synthesize } from '@outbox-saga/local/assembly';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { keptBundles } from '@outbox-saga/local/bundles';
import { bundle } from '../../lib/local-bundle.ts';

function cacheOfItsOwn(): string {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

it('is made once for the same sources and context, and read back as it was made', async () => {
  const cache = cacheOfItsOwn();
  const made = await synthesize(app, { stage: 'test', context: {}, access: 'open' }, cache);
  expect(Object.keys(made.template.Resources).length).toBeGreaterThan(100);
  for (const folder of made.assets.values()) expect(existsSync(folder)).toBe(true);
  const [entry] = readdirSync(cache);
  const manifest = join(cache, entry!, 'manifest.json');
  const { mtimeMs } = statSync(manifest);

  const again = await synthesize(app, { stage: 'test', context: {}, access: 'open' }, cache);
  expect(again.template).toEqual(made.template);
  expect([...again.assets]).toEqual([...made.assets]);
  expect(statSync(manifest).mtimeMs).toBe(mtimeMs);

  const other = await synthesize(app, { stage: 'test', context: {}, access: 'auth' }, cache);
  expect(other.template).not.toEqual(made.template);
  expect(readdirSync(cache)).toHaveLength(2);
});

it('of a synth that failed or was killed is never taken for a whole one', async () => {
  const cache = cacheOfItsOwn();
  await expect(synthesize(app, { stage: 'test', context: { corsOrigins: 'nonsense' }, access: 'open' }, cache)).rejects.toThrow(
    'nonsense is not an origin',
  );
  await expect(synthesize(app, { stage: 'test', context: { corsOrigins: 'nonsense' }, access: 'open' }, cache)).rejects.toThrow(
    'nonsense is not an origin',
  );
  expect(readdirSync(cache).filter((name) => !name.includes('.'))).toEqual([]);
});

it('goes from the cache when it has not been used lately, and many have since', async () => {
  const cache = cacheOfItsOwn();
  const now = Date.now();
  for (let i = 0; i < 20; i++) {
    const folder = join(cache, `old-${i}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'manifest.json'), '{}');
    // The last three are in use.
    const usedAt = new Date(now - (i < 17 ? 3_600_000 + i : 0));
    utimesSync(folder, usedAt, usedAt);
  }
  await synthesize(app, { stage: 'test', context: {}, access: 'open' }, cache);
  expect(readdirSync(cache).toSorted()).toEqual(
    ['old-0', 'old-1', 'old-2', 'old-3', 'old-17', 'old-18', 'old-19', expect.stringMatching(/^[\da-f]{32}$/)].toSorted(),
  );
});

it('takes its bundles from a cache, where they are made once for the same sources', () => {
  const cache = cacheOfItsOwn();
  const times = (): number[] => Object.values(keptBundles(app, bundle, cache)).map((folder) => statSync(join(folder, 'index.mjs')).mtimeMs);
  const made = times();
  expect(made.length).toBeGreaterThan(12);
  expect(readdirSync(cache)).toEqual([expect.stringMatching(/^[\da-f]{32}$/)]);
  expect(times()).toEqual(made);
});

it('is made where no other thread of this process makes it at the same time', async () => {
  const program = `import { parentPort, workerData } from 'node:worker_threads';
    const { makingOf } = await import(workerData);
    parentPort.postMessage(makingOf('folder'));`;
  const workerData = pathToFileURL(join(projectRoot, 'packages/local/src/kept.ts')).href;
  const make = async (): Promise<unknown> =>
    ((await once(new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), { workerData }), 'message')) as unknown[])[0];
  const folders = await Promise.all([make(), make()]);
  expect(folders).toEqual([expect.stringMatching(/^folder\./), expect.stringMatching(/^folder\./)]);
  expect(new Set(folders).size).toBe(2);
});

/** Leaves out what npm installed, which package-lock stands for; the workspace's packages are followed to their sources. */
const installedIsExternal: Plugin = {
  name: 'installed-is-external',
  setup: (build) =>
    build.onResolve({ filter: /^[^./]/ }, ({ kind, path }) =>
      kind === 'entry-point' || path.startsWith('@outbox-saga/') ? undefined : { external: true },
    ),
};

it('depends on nothing of the project that its key does not cover', async () => {
  const { metafile } = await build({
    absWorkingDir: projectRoot,
    entryPoints: [app.synthModule],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    plugins: [installedIsExternal],
    metafile: true,
  });
  const read = Object.keys(metafile.inputs);
  expect(read.filter((file) => file.startsWith('packages/constructs/src/')).length).toBeGreaterThan(5);
  expect(read.filter((file) => !app.synthInputs.some((folder) => file.startsWith(`${folder}/`)))).toEqual([]);
});
