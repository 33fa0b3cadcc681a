import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withParts, type Parts } from '../../cli/generated-parts.ts';

/** The recorded change of examples/fraud-check: a step more, in two deployments, each with its tests. */

const root = join(import.meta.dirname, '../..');
export const recorded = join(root, 'examples/fraud-check');

/** In the order in which they are applied. */
export const patches = ['receiver', 'receiver-tests', 'enter', 'enter-tests'] as const;
export type Patch = (typeof patches)[number];

export const patchFile = (patch: Patch): string => join(recorded, `${patch}.patch`);

/** File → its lines in the patch, each with the sign before it. */
function hunksOf(patch: Patch): ReadonlyMap<string, readonly string[]> {
  const files = readFileSync(patchFile(patch), 'utf8').split(/^diff --git .*\n/m);
  return new Map(
    files.slice(1).map((text) => {
      const file = /^\+\+\+ b\/(.+)$/m.exec(text)![1]!;
      return [file, text.slice(text.indexOf('\n@@')).split('\n')];
    }),
  );
}

/** The files that a patch touches. */
export const filesOf = (patch: Patch): string[] => [...hunksOf(patch).keys()];

/** What the receiver adds to a file: each block as far to the left as it goes. */
function added(file: string): string {
  const blocks = hunksOf('receiver')
    .get(file)!
    .map((line) => (line.startsWith('+') ? line.slice(1) : '\0'))
    .join('\n')
    .split(/(?:^|\n)\0[\n\0]*/)
    .filter((block) => block !== '');
  return ['```ts', blocks.map(dedented).join('\n\n'), '```'].join('\n');
}

function dedented(block: string): string {
  const indent = Math.min(...block.split('\n').flatMap((line) => (line === '' ? [] : [line.search(/\S/)])));
  return block.replaceAll(new RegExp(`^ {${indent}}`, 'gm'), '');
}

/** What a patch changes in a file, without what stays. */
function changes(patch: Patch, file: string): string {
  const lines = hunksOf(patch)
    .get(file)!
    .filter((line) => /^[-+]/.test(line));
  return ['```diff', ...lines.map((line) => line.replace(/^([-+])\s*/, '$1 ')), '```'].join('\n');
}

const parts: Parts = {
  messages: () => added('lambdas/contract/messages.ts'),
  routes: () => added('lambdas/contract/routes.ts'),
  steps: () => added('lambdas/order-saga/steps.ts'),
  service: () => added('lib/services/fraud.ts'),
  enter: () => changes('enter', 'lambdas/order-saga/steps.ts'),
};

/** CONTRIBUTING.md as it must be: its snippets are taken from the change. */
export const contributing = (): string =>
  withParts(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8'), parts, 'npm run test:step -- --record');

export const writeContributing = (): void => writeFileSync(join(root, 'CONTRIBUTING.md'), contributing());
