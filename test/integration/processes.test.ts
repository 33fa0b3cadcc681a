import { execFileSync, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { eventually } from '../support/system.ts';

const root = join(import.meta.dirname, '../..');

interface Running {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function running(): Running[] {
  return execFileSync('ps', ['-eo', 'pid=,ppid=,command='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, ...command]) => ({ pid: Number(pid), parent: Number(parent), command: command.join(' ') }));
}

/** A process's children, their children, and so on. */
function descendantsOf(pid: number, all = running()): Running[] {
  return all.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...descendantsOf(child.pid, all)]);
}

/** A bench with its data in the project's .bench folder, which every process of its runtimes names. */
function startBench(): { readonly pid: number; readonly said: (what: RegExp) => Promise<void>; readonly kill: () => Promise<void> } {
  const child = spawn(process.execPath, [join(root, 'bench/main.ts'), '--quick'], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  return { pid: child.pid!, said: (what) => eventually(() => Promise.resolve(expect(text).toMatch(what))), kill };
}

// The first of a bench's runtimes; a killed bench cannot delete its data, and the next one would.
afterEach(() => rmSync(join(root, '.bench/open'), { recursive: true, force: true }));

const ofBench = (): Running[] => running().filter(({ command }) => command.includes(join(root, '.bench')));

it.each([
  ['when its runtime is ready', (bench: ReturnType<typeof startBench>) => bench.said(/is ready/)],
  ['while its runtime starts', () => eventually(() => Promise.resolve(expect(ofBench()).not.toEqual([])))],
])('a bench that is killed with -9 %s leaves no process behind', async (_when, reached) => {
  const bench = startBench();
  await reached(bench);
  const started = descendantsOf(bench.pid);
  expect(started.length).toBeGreaterThanOrEqual(1);
  await bench.kill();
  const ids = new Set(started.map(({ pid }) => pid));
  await eventually(() => {
    expect(ofBench()).toEqual([]);
    expect(running().filter(({ pid }) => ids.has(pid))).toEqual([]);
    return Promise.resolve();
  });
});

it('a runtime that does not watch its standard input, as those of older releases, ends too when whoever started it is killed', async () => {
  const dataDir = temporaryFolder();
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const program = `import { spawnRuntime } from '${join(root, 'packages/local/src/spawn.ts')}';
    await spawnRuntime({ root: '${root}', program: 'bin/local.mjs', dataDir: '${dataDir}', stopsWithStdin: false }).ready;
    process.stdout.write('ready');
    setInterval(() => undefined, 1000);`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void starter.kill('SIGKILL'));
  await new Promise((resolve) => starter.stdout.once('data', resolve));
  const started = descendantsOf(starter.pid!);
  expect(started.map(({ command }) => command).join()).toContain(dataDir);
  expect(started.map(({ command }) => command).join()).not.toContain('--stop-with-stdin');
  starter.kill('SIGKILL');
  await eventually(() => Promise.resolve(expect(running().filter(({ command }) => command.includes(dataDir))).toEqual([])));
});
