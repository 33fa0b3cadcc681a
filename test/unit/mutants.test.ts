import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutants } from '../mutants/mutants.ts';

const root = join(import.meta.dirname, '../..');

describe('the mutations of the access code', () => {
  it.each(mutants)('$what: still fits the code', ({ file, find, replace, tests }) => {
    const source = readFileSync(join(root, file), 'utf8');
    expect(source.split(find)).toHaveLength(2);
    // What does not even parse is noticed by everything, and shows nothing.
    expect(() => stripTypeScriptTypes(source.replace(find, () => replace))).not.toThrow();
    expect(replace).not.toBe(find);
    expect(tests.filter((test) => !existsSync(join(root, test)))).toEqual([]);
  });

  it('each have a name of their own', () => {
    expect(new Set(mutants.map(({ what }) => what)).size).toBe(mutants.length);
  });
});
