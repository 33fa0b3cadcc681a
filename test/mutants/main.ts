/**
 * `npm run mutants`: takes every check of the access code out, one at a time, in a copy of the project, and runs the tests that must notice.
 * With --save it writes results/mutants.md; with --only <text> it tries those whose description has the text.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments, UsageProblem } from '../../cli/arguments.ts';
import { copyProject, firstFailure } from '../support/project-copy.ts';
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
/** A survivor is a test that is missing. */
interface Result {
  readonly mutant: Mutant;
  /** The test that noticed, in its own words; undefined: none did. */
  readonly noticed: string | undefined;
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

const folder = mkdtempSync(join(tmpdir(), 'order-saga-mutants-'));
const results: Result[] = [];
try {
  copyProject(folder);
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
