import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import type { LocalApp } from './app.ts';

/** What tells which sources a result is made of, and where results are kept. */
export type Sources = Pick<LocalApp, 'root' | 'synthInputs' | 'cacheFolder'>;

/** What every synth reads, below the project's root. node_modules/.package-lock.json is what npm wrote when it installed. */
const alwaysRead = ['package.json', 'tsconfig.json', 'node_modules/.package-lock.json'];

/** Below the project's root. What can be made again from the sources; `npm ci` empties it. */
const usualCache = 'node_modules/.cache/outbox-saga';

const kept = 8;
const unusedMs = 10 * 60_000;

/** Where one kind of results is kept. */
export const cacheOf = ({ root, cacheFolder = usualCache }: Sources, kind: string): string => join(root, cacheFolder, kind);

/** A name for what is made of a project's sources. It changes with any of them, with what they are made with, and with what is `given` beside them. */
export function keyOfSources({ root, synthInputs }: Sources, given: unknown = {}): string {
  const hash = createHash('sha256').update(JSON.stringify([process.version, given]));
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

/** Where what is being made lies until it is whole. */
export const makingOf = (folder: string): string => `${folder}.${process.pid}.${threadId}`;

/** Whole or not at all: another process may look for it at this moment, or may have made it. Deletes from the cache what nobody has used lately. */
export function keep(making: string, folder: string): void {
  try {
    renameSync(making, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    rmSync(making, { recursive: true, force: true });
  }
  prune(dirname(folder), folder);
}

/** Says that it is still used. */
export function touch(folder: string): void {
  if (existsSync(folder)) utimesSync(folder, new Date(), new Date());
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
