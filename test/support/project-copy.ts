import { execFileSync, fork } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** What is tracked, or would be, and is there. @param under a folder of the project. Default: all of it */
export function projectFiles(under = '.'): string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', under], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(root, file)));
}

/** Copies one of them. */
export function copyFile(file: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(root, file), to);
}

/** Copies the project's files into a folder, with the dependencies of the original. */
export function copyProject(folder: string): void {
  for (const file of projectFiles()) copyFile(file, join(folder, file));
  linkDependencies(folder);
}

/** What is installed, from the original; this project's own packages from the copy, or no change of them would be seen. */
function linkDependencies(folder: string): void {
  const modules = join(folder, 'node_modules');
  const own = '@outbox-saga';
  mkdirSync(join(modules, own), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== own && name !== '.cache' && name !== '.vite') symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  for (const name of readdirSync(join(root, 'node_modules', own))) symlinkSync(join(folder, 'packages', name), join(modules, own, name));
}

/** What a command printed, and how it ended. It ends with this process, however this one ends. */
export async function runInCopy(
  folder: string,
  program: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = fork(program, [...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
    execArgv: ['--disable-warning=ExperimentalWarning', '--import', join(root, 'packages/local/src/ends-with-parent.ts')],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  return { code: await new Promise((resolve) => child.once('close', resolve)), output };
}

/** Runs tests of a copy. @returns the first one that fails, in its own words; undefined when all pass */
export async function firstFailure(folder: string, tests: readonly string[]): Promise<string | undefined> {
  const { code, output } = await runInCopy(folder, join(root, 'node_modules/vitest/vitest.mjs'), [
    'run',
    '--bail',
    '1',
    '--reporter',
    'verbose',
    ...tests,
  ]);
  if (code === 0) return undefined;
  const failure = /^ *[×✗] (.+?)(?: \d+ms)?$/m.exec(output)?.[1] ?? /FAIL +(.+)$/m.exec(output)?.[1];
  if (failure === undefined) throw new Error(`vitest ended with ${code} and named no failure:\n${output.slice(-2000)}`);
  return failure.replace(/^\|?\w+\|? +/, '').trim();
}
