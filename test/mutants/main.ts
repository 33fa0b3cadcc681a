/**
 * `npm run mutants`: takes every check of the access code out, one at a time, in a copy of the project, and runs the tests that must notice.
 * With --save it writes results/mutants.md; with --only <text> it tries those whose description has the text.
 */
import { execFileSync, fork } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readArguments, UsageProblem } from '../../cli/arguments.ts';
import { mutants as all, type Mutant } from './mutants.ts';

const usage = `npm run mutants -- [options]

  Takes every check of the access code out, one at a time, in a copy of the project, and runs the tests that must notice. Takes some minutes.

  --only <text>   those whose description has the text
  --save          write results/ (committed)
  --help`;

const options = { save: { type: 'boolean', default: false }, only: { type: 'string', default: '' } } as const;
const { save, only, mutants } = readArguments({ usage, options }, (values) => {
  const chosen = all.filter(({ what }) => what.includes(values.only));
  if (chosen.length === 0) throw new UsageProblem(`--only ${values.only}: no mutation's description has it`);
  return { ...values, mutants: chosen };
});
const root = join(import.meta.dirname, '../..');
/** A survivor is a test that is missing. */
interface Result {
  readonly mutant: Mutant;
  /** The test that noticed, in its own words; undefined: none did. */
  readonly noticed: string | undefined;
}

/** A copy of what is tracked, with the dependencies of the original. */
function copied(): string {
  const folder = mkdtempSync(join(tmpdir(), 'order-saga-mutants-'));
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).split(
    '\n',
  );
  for (const file of files) {
    if (file === '' || !existsSync(join(root, file))) continue;
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
  linkDependencies(folder);
  return folder;
}

/** What is installed, from the original; this project's own packages from the copy, or no mutation of them would be seen. */
function linkDependencies(folder: string): void {
  const modules = join(folder, 'node_modules');
  const own = '@outbox-saga';
  mkdirSync(join(modules, own), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== own && name !== '.cache' && name !== '.vite') symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  for (const name of readdirSync(join(root, 'node_modules', own))) symlinkSync(join(folder, 'packages', name), join(modules, own, name));
}

/** @returns the first test that fails; undefined when all pass */
async function firstFailure(folder: string, tests: readonly string[]): Promise<string | undefined> {
  const child = fork(join(root, 'node_modules/vitest/vitest.mjs'), ['run', '--bail', '1', '--reporter', 'verbose', ...tests], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
    execArgv: ['--import', join(root, 'packages/local/src/ends-with-parent.ts')],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code === 0) return undefined;
  const failure = /^ *[×✗] (.+?)(?: \d+ms)?$/m.exec(output)?.[1] ?? /FAIL +(.+)$/m.exec(output)?.[1];
  if (failure === undefined) throw new Error(`vitest ended with ${code} and named no failure:\n${output.slice(-2000)}`);
  return failure.replace(/^\|?\w+\|? +/, '').trim();
}

async function tried(folder: string, mutant: Mutant): Promise<Result> {
  const file = join(folder, mutant.file);
  const source = readFileSync(file, 'utf8');
  if (source.split(mutant.find).length !== 2) throw new Error(`${mutant.what}: ${mutant.file} has not exactly one ${mutant.find}`);
  writeFileSync(
    file,
    source.replace(mutant.find, () => mutant.replace),
  );
  try {
    return { mutant, noticed: await firstFailure(folder, mutant.tests) };
  } finally {
    writeFileSync(file, source);
  }
}

const folder = copied();
const results: Result[] = [];
try {
  const everything = [...new Set(mutants.flatMap(({ tests }) => tests))];
  const broken = await firstFailure(folder, everything);
  if (broken !== undefined) throw new Error(`without any mutation, a test fails already: ${broken}`);
  for (const mutant of mutants) {
    const result = await tried(folder, mutant);
    results.push(result);
    process.stdout.write(`${result.noticed === undefined ? '✗ SURVIVED' : '✓'} ${mutant.what}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const survivors = results.filter(({ noticed }) => noticed === undefined);
const summary = `${results.length - survivors.length} of ${results.length} mutations of the access code are noticed.`;
process.stdout.write(`\n${summary}\n`);
if (save && only === '') {
  const target = join(import.meta.dirname, 'results');
  mkdirSync(target, { recursive: true });
  const cell = (text: string): string => text.replaceAll('|', String.raw`\|`);
  const rows = results.map(({ mutant, noticed }) => `| ${cell(mutant.what)} | ${mutant.file} | ${cell(noticed ?? '**nothing**')} |`);
  writeFileSync(
    join(target, 'mutants.md'),
    `# Mutations of the access code\n\nMade by \`npm run mutants -- --save\`: each check is taken out, and the first test that fails is named. ${summary}\n\n| without the check | in | noticed by |\n|---|---|---|\n${rows.join('\n')}\n`,
  );
}
process.exitCode = survivors.length === 0 ? 0 : 1;
