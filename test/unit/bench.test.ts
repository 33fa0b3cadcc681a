import { fork } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { besideFigures } from '../../bench/beside.ts';
import { highestMemoryMb, parsePs, parseStat, treeUse } from '../../bench/processes.ts';
import { releaseIn } from '../../bench/release.ts';

const root = join(import.meta.dirname, '../..');

describe('what processes have used', () => {
  it('is read from /proc, whatever a process is called', () => {
    const text = '4242 (a) R 1 2 (b) S 17 4242 4242 0 -1 4194304 1 2 3 4 150 50 20 5 20 0 11 0 99 1000 256 18446744073709551615 1';
    expect(parseStat(text, 10, 4096)).toEqual({ pid: 4242, parent: 17, residentBytes: 256 * 4096, cpuMs: 2250 });
  });

  it.each([
    ['  7     1  2048 00:01:05', 65_000],
    ['  7     1  2048 1-02:03:04', 93_784_000],
    ['  7     1  2048   0:00.25', 250],
  ])('is read from ps: %s', (line, cpuMs) => {
    expect(parsePs(line)).toEqual({ pid: 7, parent: 1, residentBytes: 2048 * 1024, cpuMs });
  });

  it('counts children and their children, and those that have ended', async () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    // Each keeps 64 MB and works for 200 ms of processor time; the first forks the second, whose command line names nothing of the first.
    const program = join(folder, 'one.mjs');
    writeFileSync(
      program,
      `import { fork } from 'node:child_process';
       globalThis.kept = Buffer.alloc(64 * 2 ** 20, 1);
       const work = () => { while (process.cpuUsage().user < 200_000); };
       if (process.argv[2] === 'below') { work(); process.send('ready'); }
       else {
         const child = fork(process.argv[1], ['below']);
         child.once('message', () => { work(); process.send('ready'); });
         process.once('message', () => { child.once('exit', () => process.send('alone')); child.kill(); });
       }
       process.once('disconnect', () => process.exit());`,
    );
    const child = fork(program);
    onTestFinished(() => void child.kill('SIGKILL'));
    const says = (): Promise<unknown> => new Promise((resolve) => child.once('message', resolve));
    expect(await says()).toBe('ready');
    const both = treeUse(child.pid!);
    expect(both.residentMb).toBeGreaterThan(128);
    expect(both.cpuMs).toBeGreaterThanOrEqual(380);
    child.send('end it');
    expect(await says()).toBe('alone');
    const { residentMb, cpuMs } = treeUse(child.pid!);
    expect(residentMb).toBeLessThan(both.residentMb - 60);
    if (process.platform === 'linux') expect(cpuMs).toBeGreaterThanOrEqual(both.cpuMs);
    expect(treeUse(process.pid).residentMb).toBeGreaterThan(residentMb);
  });

  it('is looked at while something is done, for the most of it', async () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    // A process of its own: what other tests free in this one must not count. It keeps 256 MB from one message to the next.
    const program = join(folder, 'holder.mjs');
    writeFileSync(
      program,
      `process.on('message', (message) => {
         globalThis.held = message === 'hold' ? Buffer.alloc(256 * 2 ** 20, 1) : undefined;
         if (message === 'drop') globalThis.gc();
         process.send(message);
       });
       process.once('disconnect', () => process.exit());
       process.send('ready');`,
    );
    const child = fork(program, { execArgv: ['--expose-gc'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const says = (): Promise<unknown> => new Promise((resolve) => child.once('message', resolve));
    const tell = async (message: string): Promise<void> => {
      const told = says();
      child.send(message);
      expect(await told).toBe(message);
    };
    expect(await says()).toBe('ready');
    const { residentMb: before } = treeUse(child.pid!);
    const { result, highestMb } = await highestMemoryMb(child.pid!, async () => {
      await tell('hold');
      const look = vi.fn();
      const timer = setInterval(look, 50);
      await vi.waitFor(() => expect(look.mock.calls.length).toBeGreaterThan(8), { timeout: 30_000 });
      clearInterval(timer);
      await tell('drop');
      return 'done';
    });
    expect(result).toBe('done');
    expect(highestMb).toBeGreaterThan(before + 200);
  });
});

describe('another release', () => {
  it('is compared by medians, each round beside them', () => {
    const roundsOf = (...values: number[]): Map<string, number>[] => values.map((value) => new Map([['memory', value]]));
    expect(besideFigures({ this: roundsOf(90, 30, 40), other: roundsOf(80, 100, 10) })).toEqual([
      { what: 'memory', this: 40, other: 80, ratio: 0.5, rounds: { this: [90, 30, 40], other: [80, 100, 10] } },
    ]);
  });

  it('is told by its folder', () => {
    expect(releaseIn(root)).toMatchObject({ root, version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string, stopsWithStdin: true });
  });

  it('is refused where there is none, or where nothing was installed', () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    expect(() => releaseIn(folder)).toThrow(
      expect.objectContaining({ name: 'UsageProblem', message: expect.stringContaining('is no checkout') as string }),
    );
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/local.mjs'), '');
    expect(() => releaseIn(folder)).toThrow(/nothing is installed there. Run npm ci in it/);
  });

  it('that is older says so by its help', () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    for (const name of ['bin', 'node_modules/node/bin']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"version":"0.1.0"}');
    writeFileSync(join(folder, 'bin/local.mjs'), '');
    writeFileSync(join(folder, 'node_modules/node/bin/node'), '#!/bin/sh\necho "--data-dir <folder>"\n', { mode: 0o755 });
    expect(releaseIn(folder)).toEqual({
      root: folder,
      version: '0.1.0',
      node: join(folder, 'node_modules/node/bin/node'),
      stopsWithStdin: false,
    });
  });
});
