import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { startCommand } from '../lib/project.ts';
import { spawnRuntime, type StartedRuntime } from '@outbox-saga/local/spawn';
import type { Release } from './release.ts';

export const root = join(import.meta.dirname, '..');
/** On the project's disk, where `npm start` has its data too. */
const dataRoot = join(root, '.bench');

interface BenchRuntimeOptions {
  readonly name: string;
  readonly args?: readonly string[];
  /** Default: this one. */
  readonly release?: Release;
}

/** Starts `npm start`'s command on a free port, from nothing. What a killed run left under that name is deleted. */
export async function startBenchRuntime({ name, args = [], release }: BenchRuntimeOptions): Promise<StartedRuntime> {
  const runtime = await spawnRuntime({ dataDir: join(dataRoot, name), args: ['--fresh', ...args], ...startCommand, ...release }).ready;
  process.stderr.write(`runtime "${name}" is ready\n`);
  return runtime;
}

const memoryFileSystems = new Set([0x01021994, 0x858458f6]);

/** Where the runtimes' data lies: the numbers of a disk in memory are not those of a disk. */
export function storage(): { readonly folder: string; readonly kind: 'on a disk' | 'in memory' } {
  mkdirSync(dataRoot, { recursive: true });
  // Only Linux tells tmpfs and ramfs by these numbers; elsewhere such disks are rare.
  return { folder: dataRoot, kind: memoryFileSystems.has(statfsSync(dataRoot).type) ? 'in memory' : 'on a disk' };
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}
