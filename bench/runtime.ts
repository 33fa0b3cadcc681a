import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const root = join(import.meta.dirname, '..');

export interface BenchRuntime {
  readonly url: string;
  readonly dataDir: string;
  /** From the command to its banner. */
  readonly readySeconds: number;
  /** Resident memory of the runtime and all of its processes, MB. */
  memoryMb(): number;
  stop(): Promise<void>;
}

/** Starts `npm start`'s command on a free port with an empty data directory, in memory where the machine has such a place. */
export async function startBenchRuntime(...args: readonly string[]): Promise<BenchRuntime> {
  const dataDir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'order-saga-bench-'));
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(root, 'bin/local.mjs'), '--data-dir', dataDir, ...args], {
    cwd: root,
    env: { ...process.env, PORT: '0', npm_lifecycle_event: undefined },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /is ready after .*(http:\/\/\S+)/.exec(line)?.[1];
      if (found) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`the runtime ended with ${code}`)));
  });
  const readySeconds = (performance.now() - startedAt) / 1000;
  return {
    url,
    dataDir,
    readySeconds,
    memoryMb: () => memoryMbOf(dataDir),
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Resident memory of every process whose command line names the data directory, MB. */
export function memoryMbOf(dataDir: string): number {
  const lines = execFileSync('ps', ['-eo', 'rss=,command='], { encoding: 'utf8' }).split('\n');
  const kilobytes = lines.filter((line) => line.includes(dataDir)).map((line) => Number(line.trim().split(' ')[0]));
  return Math.round(kilobytes.reduce((sum, next) => sum + next, 0) / 1024);
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}
