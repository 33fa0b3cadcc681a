/**
 * `npm run test:step`: adds a step to a copy of this project, as examples/fraud-check has it recorded, in its two deployments, and runs there what must
 * hold. Then each part of it is taken out by itself: none may go unnoticed.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readArguments, UsageProblem } from '../../cli/arguments.ts';
import { copyProject, firstFailure, runInCopy } from '../support/project-copy.ts';
import { patches, patchFile, writeContributing, type Patch } from './change.ts';
import { omissions, type Omission } from './omissions.ts';

const usage = `npm run test:step -- [options]

  Adds the step that examples/fraud-check records to a copy of this project, first the deployment of what receives, then the one that sends orders into it.
  Runs types, unit, infra and contract tests and the simulation there, and then takes out each part of the step by itself. Takes some minutes.

  --only <text>     those omissions whose description has the text, and nothing else
  --into <folder>   makes the copy there, with a commit for each patch. Where one does not apply any more it says so: mend it there, commit it under the
                    patch's name, and run the same again
  --record <folder> writes the patches, and what CONTRIBUTING.md shows of them, from the commits of such a copy
  --help`;

const options = { only: { type: 'string' }, into: { type: 'string' }, record: { type: 'string' } } as const;
const { only, into, record } = readArguments({ usage, options }, (values) => {
  if (values.only !== undefined && omissions.every(({ what }) => !what.includes(values.only!)))
    throw new UsageProblem(`--only ${values.only}: no omission's description has it`);
  if (values.into !== undefined && existsSync(values.into) && !existsSync(join(values.into, '.git')))
    throw new UsageProblem(`--into ${values.into}: it is there already, and no copy of this kind`);
  return values;
});

const root = join(import.meta.dirname, '../..');
const mostFilesByHand = 12;

const git = (folder: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=step', '-c', 'user.email=step@localhost', '-c', 'commit.gpgsign=false', ...args], {
    cwd: folder,
    encoding: 'utf8',
  });

function commitAll(folder: string, what: string): void {
  git(folder, 'add', '--all');
  git(folder, 'commit', '--quiet', '--allow-empty', '--message', what);
}

/** @throws Error that says how to mend a patch that does not fit the project any more */
function apply(folder: string, patch: Patch): void {
  try {
    git(folder, 'apply', '--quiet', '--reject', patchFile(patch));
  } catch (error) {
    throw new Error(
      `${patch}.patch does not apply: mend what the .rej files in ${folder} have (with --into it stays), commit it as "${patch}", and record it with --record`,
      { cause: error },
    );
  }
  commitAll(folder, patch);
}

/** Files made from the contract and the templates: nobody writes them by hand. */
async function generate(folder: string): Promise<void> {
  for (const program of ['client/generate/main.ts', 'bin/access.ts']) {
    const { code, output } = await runInCopy(folder, join(folder, program), []);
    if (code !== 0) throw new Error(`${program} failed:\n${output}`);
  }
  commitAll(folder, 'generated');
}

let passed = 0;
const failures: string[] = [];
function report(what: string, fault: string | undefined): void {
  if (fault === undefined) passed++;
  else failures.push(what);
  process.stdout.write(`${fault === undefined ? '✓' : '✗'} ${what}${fault === undefined ? '' : `\n${fault}`}\n`);
}

/** The product alone, without tests: an omission must be noticed there. */
const productConfig = 'tsconfig.product.json';
const tsc = (folder: string, ...args: string[]) => runInCopy(folder, join(root, 'node_modules/typescript/bin/tsc'), args);
const faultOf = ({ code, output }: Awaited<ReturnType<typeof runInCopy>>): string | undefined =>
  code === 0 ? undefined : output.slice(-3000);
const simulate = (folder: string, runs: number) =>
  runInCopy(folder, join(folder, 'test/simulation/main.ts'), ['--seed', '1', '--runs', String(runs)]);

/** What must hold of the copy: first with the receiver alone, then with orders on their way into the step. */
async function hold(folder: string): Promise<void> {
  apply(folder, 'receiver');
  const byHand = changed(folder, 1);
  apply(folder, 'receiver-tests');
  await generate(folder);
  report('first deployment, the receiver: types', faultOf(await tsc(folder)));
  report('first deployment: no order enters the step, and orders settle as before (20 seeds)', faultOf(await simulate(folder, 20)));

  apply(folder, 'enter');
  const all = new Set([...byHand, ...changed(folder, 1)]);
  const many = `more than ${mostFilesByHand}: ${[...all].join(', ')}`;
  report(`both deployments: ${all.size} files are written by hand`, all.size <= mostFilesByHand ? undefined : many);
  apply(folder, 'enter-tests');
  await generate(folder);
  report('second deployment: types', faultOf(await tsc(folder)));
  report(...(await tested('second deployment', folder, ['unit', 'infra', 'contract'])));
  report('second deployment: simulation (40 seeds)', faultOf(await simulate(folder, 40)));
}

const changed = (folder: string, commits: number): string[] => git(folder, 'diff', '--name-only', `HEAD~${commits}`).trim().split('\n');

async function tested(when: string, folder: string, projects: readonly string[]): Promise<[what: string, fault: string | undefined]> {
  // The one that holds that the patches still fit: here they are applied already.
  const args = ['run', '--exclude', 'test/unit/step.test.ts', ...projects.flatMap((name) => ['--project', name])];
  const result = await runInCopy(folder, join(root, 'node_modules/vitest/vitest.mjs'), args);
  return [`${when}: ${/(\d+) passed, \d+ failed\s*$/.exec(result.output)?.[1]} ${projects.join(', ')} tests`, faultOf(result)];
}

/** @returns why an omission went unnoticed; undefined when it was noticed as it should be */
async function unnoticed(folder: string, { what, file, find, replace = '', by, says }: Omission): Promise<string | undefined> {
  const path = join(folder, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(find).length !== 2) throw new Error(`${what}: ${file} has not exactly one ${find}`);
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  try {
    if (by !== 'types') {
      const failure = await firstFailure(folder, [by.test]);
      return failure?.includes(says) ? undefined : `noticed by: ${failure ?? 'no test'}`;
    }
    const { code, output } = await tsc(folder, '--project', productConfig);
    return code !== 0 && output.includes(says) ? undefined : `the compiler says:\n${output.slice(0, 2000) || 'nothing'}`;
  } finally {
    writeFileSync(path, source);
  }
}

/** Two at a time, each in a copy of its own. */
async function takeOut(folders: readonly string[], chosen: readonly Omission[]): Promise<void> {
  const waiting = [...chosen];
  await Promise.all(
    folders.map(async (folder) => {
      for (let omission = waiting.shift(); omission; omission = waiting.shift()) {
        const fault = await unnoticed(folder, omission);
        report(`without ${omission.what}: ${omission.by === 'types' ? 'does not compile' : `fails ${omission.by.test}`}`, fault);
      }
    }),
  );
}

function start(folder: string): void {
  mkdirSync(folder, { recursive: true });
  copyProject(folder);
  writeFileSync(join(folder, productConfig), JSON.stringify({ extends: './tsconfig.json', include: ['lambdas', 'lib'] }));
  git(folder, 'init', '--quiet');
  commitAll(folder, 'project');
}

const commitOf = (folder: string, patch: Patch): string => git(folder, 'log', '--format=%H', `--grep=^${patch}$`, '-1').trim();

/** Goes on where an earlier run found a patch that does not apply. */
function makeCopy(folder: string): void {
  if (!existsSync(folder)) start(folder);
  try {
    for (const patch of patches.filter((each) => commitOf(folder, each) === '')) apply(folder, patch);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

function writePatches(folder: string): void {
  for (const patch of patches) {
    const commit = commitOf(folder, patch);
    if (commit === '') throw new Error(`${folder} has no commit "${patch}"`);
    const text = git(folder, 'diff', '--no-color', `${commit}~1`, commit);
    writeFileSync(patchFile(patch), text);
  }
  writeContributing();
}

async function test(): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'order-saga-step-'));
  const [folder, second] = [join(base, 'project'), join(base, 'second')];
  try {
    start(folder);
    if (only === undefined) await hold(folder);
    else {
      for (const patch of patches) apply(folder, patch);
      await generate(folder);
    }
    start(second);
    const first = git(folder, 'rev-list', '--max-parents=0', 'HEAD').trim();
    for (const file of git(folder, 'diff', '--name-only', first).trim().split('\n')) cpSync(join(folder, file), join(second, file));
    await takeOut(
      [folder, second],
      omissions.filter(({ what }) => what.includes(only ?? '')),
    );
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
  process.stdout.write(`\n${passed} passed, ${failures.length} failed\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

if (record !== undefined) writePatches(resolve(record));
else if (into !== undefined) makeCopy(resolve(into));
else await test();
