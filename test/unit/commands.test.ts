import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { variablesOf } from '../../bench/bundles.ts';
import { functions, type FunctionName } from '../../lambdas/contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';

const root = join(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
/** Tools of others have a help of their own. */
const foreign = new Set(['vitest', 'cdk', 'tsc', 'oxlint', 'oxfmt', 'knip', 'npm']);
const ours = Object.entries(scripts).filter(([, command]) => !foreign.has(command.split(' ')[0]!));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a script where it may only read: whoever starts, writes or deletes anything is refused and ends with a stack. */
async function run(command: string, ...more: readonly string[]): Promise<Ended> {
  const [node, ...args] = command.split(' ');
  expect(node, `${command}: begins with node, so that npm's is taken`).toBe('node');
  const child = spawn(process.execPath, ['--permission', '--allow-fs-read=*', ...args, ...more], {
    cwd: root,
    env: { ...process.env, AWS_ENDPOINT_URL: '' },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

describe.concurrent('every command of ours', () => {
  it('is looked at', () => {
    expect(ours.length).toBeGreaterThanOrEqual(14);
  });

  it.each(ours)('%s answers --help', async (name, command) => {
    const { code, out, err } = await run(command, '--help');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    // npm start and npm run dev are one command.
    expect(out).toMatch(name === 'dev' ? /npm start/ : new RegExp(`npm (run )?(-s )?${name}\\b`));
    expect(out).toContain('--help');
  });

  it.each([...ours.map(([name, command]) => [name, command, '--no-such-option']), ['demo', scripts['demo']!, 'no-such-word']])(
    '%s (%s) refuses %s, and does nothing',
    async (_name, command, unknown) => {
      const { code, out, err } = await run(command!, unknown!);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      // One sentence that names it, then the usage; no stack.
      const [sentence = '', ...usage] = err.trim().split('\n\n');
      expect(sentence).toContain(unknown);
      expect(sentence).not.toContain('\n');
      expect(usage.join('\n\n')).toMatch(/^npm |^AWS_ENDPOINT_URL=\S+ npm /);
      expect(err).not.toMatch(/^ +at .+:\d+:\d+/m);
    },
  );
});

describe('the bench', () => {
  it.each(Object.keys(functions) as FunctionName[])('starts %s with variables that it takes', (name) => {
    expect(readEnvironment(name, functions[name], variablesOf(name))).toMatchObject({ STAGE: 'dev' });
  });
});
