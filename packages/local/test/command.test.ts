import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { describe, expect, it, onTestFinished } from 'vitest';

const bin = join(import.meta.dirname, '../bin/outbox-saga-local.mjs');

/** @param files of the folder in which it runs */
async function run(args: readonly string[], files: Readonly<Record<string, string>> = {}, nodeArgs: readonly string[] = []) {
  const cwd = temporaryFolder();
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const child = spawn(process.execPath, [...nodeArgs, bin, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

const saying = (text: string): string => expect.stringContaining(text) as string;
const app = `export const app = { name: 'Greeter', root: import.meta.dirname, synthModule: 'synth.mjs', synthInputs: [], stages: ['dev', 'trial'], functions: ['greet'] };`;

describe('the command of the local runtime', () => {
  it('says how it is used', async () => {
    expect(await run(['--help'])).toMatchObject({ code: 0, out: saying('outbox-saga-local <module>') });
    expect(await run([])).toMatchObject({ code: 1, out: saying('outbox-saga-local <module>') });
  });

  it('describes an application’s own options', async () => {
    const { code, out } = await run(['app.mjs', '--help'], { 'app.mjs': app });
    expect({ code, out }).toMatchObject({ code: 0, out: saying('dev | trial: whose durations to use') });
  });

  it('refuses what the application does not have, by its name', async () => {
    const of = (...args: readonly string[]) => run(['app.mjs', ...args], { 'app.mjs': app });
    expect(await of('--stage', 'prod')).toMatchObject({ code: 1, err: saying('--stage prod: must be one of dev, trial') });
    expect(await of('--fault', 'nobody.failRate=1')).toMatchObject({
      code: 1,
      err: saying('faults.nobody: no such function; known are greet'),
    });
  });

  it('names a module that is not there, or that says nothing of an application', async () => {
    expect(await run(['app.mjs'])).toMatchObject({ code: 1, err: saying('app.mjs cannot be loaded') });
    expect(await run(['app.mjs'], { 'app.mjs': 'export const other = 1;' })).toMatchObject({
      code: 1,
      err: saying('app.mjs exports no `app`'),
    });
  });

  it('names a module of a synth that exports none', async () => {
    const { code, err } = await run(['app.mjs'], { 'app.mjs': app, 'synth.mjs': 'export const other = 1;' });
    expect({ code, err }).toMatchObject({ code: 1, err: saying('synth.mjs exports no synth') });
  });

  it('makes no token where nobody was asked who they are', async () => {
    const { code, err } = await run(['token', 'app.mjs', '--subject', 'c1'], { 'app.mjs': app });
    expect({ code, err }).toMatchObject({ code: 1, err: saying('knows no identities: npm start -- --auth makes them') });
  });

  it('refuses an older Node in a sentence', async () => {
    const older = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.0'}})`;
    expect(await run([], {}, ['--import', older])).toMatchObject({ code: 1, err: saying('needs Node 24 or newer') });
  });
});
