import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UsageProblem } from '../cli/arguments.ts';
import { root } from './runtime.ts';

/** A checkout of this project that can be run. */
export interface Release {
  readonly root: string;
  readonly version: string;
  /** Its own: the one that it was made for. */
  readonly node: string;
  /** Whether its runtime has --stop-with-stdin. */
  readonly stopsWithStdin: boolean;
}

/** @throws UsageProblem when the folder is no checkout, or nothing was installed there */
export function releaseIn(folder: string): Release {
  const base = resolve(folder);
  const program = join(base, 'bin/local.mjs');
  if (!existsSync(program)) throw new UsageProblem(`--beside ${folder}: is no checkout of this project`);
  const node = join(base, 'node_modules/node/bin/node');
  if (!existsSync(node)) throw new UsageProblem(`--beside ${folder}: nothing is installed there. Run npm ci in it`);
  const { version } = JSON.parse(readFileSync(join(base, 'package.json'), 'utf8')) as { version: string };
  const help = execFileSync(node, [program, '--help'], { cwd: base, encoding: 'utf8' });
  return { root: base, version, node, stopsWithStdin: help.includes('--stop-with-stdin') };
}

export const thisRelease = (): Release => releaseIn(root);

/** What a release keeps between starts: without it, the next one is the first. */
export function forgetCaches({ root: base }: Release): void {
  // The second is what releases up to 0.3.0 call theirs.
  for (const name of ['outbox-saga', 'order-saga']) rmSync(join(base, 'node_modules/.cache', name), { recursive: true, force: true });
}
