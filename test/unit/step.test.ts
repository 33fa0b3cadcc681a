import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { contributing, filesOf, patches, patchFile } from '../step/change.ts';
import { omissions } from '../step/omissions.ts';

const root = join(import.meta.dirname, '../..');

// npm run test:step makes the change whole; here it is held that it still fits, which takes no time.
describe('the recorded step', () => {
  it('fits the code, and so does every omission', () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const file of new Set([...patches.flatMap(filesOf), ...omissions.map(({ file }) => file)])) {
      if (!existsSync(join(root, file))) continue;
      mkdirSync(join(folder, dirname(file)), { recursive: true });
      cpSync(join(root, file), join(folder, file));
    }
    execFileSync('git', ['init', '--quiet'], { cwd: folder });
    for (const patch of patches) execFileSync('git', ['apply', patchFile(patch)], { cwd: folder });
    for (const { what, file, find } of omissions) {
      // What is generated is made in the copy.
      if (file.endsWith('.json')) continue;
      expect({ what, times: readFileSync(join(folder, file), 'utf8').split(find).length - 1 }).toEqual({ what, times: 1 });
    }
  });

  it('is what CONTRIBUTING.md shows', () => {
    expect(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')).toBe(contributing());
  });
});
