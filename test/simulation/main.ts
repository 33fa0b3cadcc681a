import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArguments, UsageProblem, wholeNumber } from '../../cli/arguments.ts';
import '@outbox-saga/testing/simulation/globals';
import { addCoverage, commonSites, gapsOf, noCoverage, possiblePairs } from './coverage.ts';
import { faultKinds, features } from './faults.ts';
import { replay } from './replay.ts';
import { sabotages } from './sabotages.ts';
import { fewestFaults } from './simulation.ts';
import type { Job, Summary } from './worker.ts';

const usage = `npm run simulate -- [options]

  --runs <n>          how many seeds                                   (default 1000)
  --seed <s>          the first of them                                (default 1)
  --fresh <n>         as many more, from a random one on               (default 0)
  --trace             replay one seed and print what happened
  --without <kinds>   leave fault kinds or features out, separated by commas
  --sabotage <name>   break the product first: a name, or "all"; stops at the first seed that finds it out
  --recorded          replay each sabotage from the seed on record only
  --whole             fail unless every fault, pair and crash point was seen
  --save              write results/ (committed)
  --help

faults:    ${faultKinds.join(', ')}
features:  ${features.join(', ')}
sabotages: ${sabotages.map(({ name }) => name).join(', ')}`;

const options = {
  runs: { type: 'string', default: '1000' },
  seed: { type: 'string', default: '1' },
  fresh: { type: 'string', default: '0' },
  trace: { type: 'boolean', default: false },
  without: { type: 'string', default: '' },
  sabotage: { type: 'string' },
  recorded: { type: 'boolean', default: false },
  whole: { type: 'boolean', default: false },
  save: { type: 'boolean', default: false },
} as const;
const { from, runs, fresh, without, ...values } = readArguments({ usage, options }, (given) => {
  const kinds = given.without.split(',').filter(Boolean);
  for (const kind of kinds)
    if (![...faultKinds, ...features].some((known) => known === kind)) throw new UsageProblem(`--without ${kind}: no such fault`);
  if (given.sabotage !== undefined && !['all', ...sabotages.map(({ name }) => name)].includes(given.sabotage))
    throw new UsageProblem(`--sabotage ${given.sabotage}: no such sabotage`);
  return {
    ...given,
    without: kinds,
    from: wholeNumber('seed', given.seed, 0),
    runs: wholeNumber('runs', given.runs, 0),
    fresh: wholeNumber('fresh', given.fresh, 0),
  };
});

const chunk = 20;
const results = join(import.meta.dirname, 'results');

/** Runs jobs on as many processes as there are cores. @param onSummary false ends it early */
async function runJobs(jobs: readonly Job[], onSummary: (summary: Summary) => boolean): Promise<void> {
  const waiting = [...jobs];
  await Promise.all(
    Array.from({ length: Math.min(jobs.length, availableParallelism()) }, async () => {
      const worker = fork(join(import.meta.dirname, 'worker.ts'), { execArgv: ['--disable-warning=ExperimentalWarning'] });
      const exited = new Promise<never>((_, reject) =>
        worker.once('exit', (code, signal) => reject(new Error(`a worker ended: ${signal ?? code}`))),
      );
      // Whoever waits for an answer gets the rejection; after the last one nobody does.
      exited.catch(() => undefined);
      try {
        for (let job = waiting.shift(); job; job = waiting.shift()) {
          worker.send(job);
          const summary = await Promise.race([new Promise<Summary>((resolve) => worker.once('message', resolve)), exited]);
          if (!onSummary(summary)) waiting.length = 0;
        }
      } finally {
        worker.kill();
      }
    }),
  );
}

const jobsOf = (from: number, runs: number, sabotage?: string): Job[] =>
  Array.from({ length: Math.ceil(runs / chunk) }, (_, i) => ({
    from: from + i * chunk,
    count: Math.min(chunk, runs - i * chunk),
    without,
    ...(sabotage === undefined ? {} : { sabotage }),
  }));

async function simulate(): Promise<boolean> {
  const freshFrom = 1_000_000 + Math.floor(Math.random() * 2_000_000_000);
  const started = Date.now();
  const total = { runs: 0, orders: 0, faults: 0, cancelled: 0, timedOut: 0, same: 0 };
  let fewest = Infinity;
  const coverage = noCoverage();
  const failed: Summary['failed'] = [];
  await runJobs([...jobsOf(from, runs), ...jobsOf(freshFrom, fresh)], (summary) => {
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += summary[name];
    fewest = Math.min(fewest, summary.fewestFaults);
    addCoverage(coverage, summary.coverage);
    failed.push(...summary.failed);
    if (process.stderr.isTTY) process.stderr.write(`\r${total.runs} of ${runs + fresh} runs, ${failed.length} with violations`);
    return failed.length < 10;
  });
  const seconds = (Date.now() - started) / 1000;
  const gaps = gapsOf(coverage, total.runs);
  const uncancelled = total.orders - total.cancelled;
  const sites = commonSites(coverage, total.runs);
  const lines = [
    `seeds ${from} to ${from + runs - 1}${fresh > 0 ? ` and ${freshFrom} to ${freshFrom + fresh - 1}` : ''}: ${total.runs} runs in ${seconds.toFixed(0)} s, ${failed.length} with violations`,
    `${total.orders} orders, ${total.cancelled} cancelled, ${total.timedOut} ended by a deadline, ${total.same} ended as without faults` +
      ` (${((100 * total.same) / uncancelled).toFixed(2)} % of those that no one cancelled)`,
    `${total.faults} faults, at least ${fewest} in each run`,
    `coverage: ${Object.keys(coverage.faults).length} of ${faultKinds.length} fault kinds, ${possiblePairs.filter((pair) => coverage.pairs[pair]).length} of ${possiblePairs.length} pairs of step and input, ${sites.length} places to die, each before and after the effect${gaps.length > 0 ? `; never seen: ${gaps.join(', ')}` : ''}`,
  ];
  console.log(lines.join('\n'));
  for (const { seed, violations } of failed.slice(0, 5)) {
    console.log(`\nseed ${seed} VIOLATES\n  ${violations.join('\n  ')}`);
  }
  if (failed[0]) await replay(failed[0].seed, { without, shrink: true });
  const few = fewest < fewestFaults && without.length === 0;
  if (few) console.log(`a run had fewer than ${fewestFaults} faults`);
  const different = total.same < 0.99 * uncancelled;
  if (different) console.log('fewer than 99 % of the orders that no one cancelled ended as without faults');
  if (values.save) {
    save('simulation.md', [
      '# Simulation',
      '',
      `\`npm run simulate -- ${process.argv.slice(2).join(' ')}\` (docs/guarantees.md says what it is)`,
      '',
      ...lines.flatMap((line) => [line, '']),
      '',
      ...table('fault', coverage.faults),
      '',
      ...table('step × input', coverage.pairs),
      '',
      ...table('crash', coverage.crashes),
    ]);
  }
  return failed.length === 0 && !few && !different && !(values.whole && gaps.length > 0);
}

function table(title: string, counts: Readonly<Record<string, number>>): string[] {
  return [
    `| ${title} | seen |`,
    '|---|---:|',
    ...Object.keys(counts)
      .sort()
      .map((key) => `| ${key} | ${counts[key]} |`),
  ];
}

function save(name: string, lines: readonly string[]): void {
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, name), `${lines.join('\n')}\n`);
}

/** The first seed that finds a sabotage out, and what it finds. */
type Found = Summary['failed'][number];

/** Tries the seed on record for each sabotage. */
async function tryRecorded(names: readonly string[]): Promise<ReadonlyMap<string, Found>> {
  const recorded = JSON.parse(readFileSync(join(results, 'sabotages.json'), 'utf8')) as Record<string, number>;
  const found = new Map<string, Found>();
  const jobs = names.map((sabotage): Job => ({ from: recorded[sabotage] ?? 1, count: 1, without, sabotage }));
  await runJobs(jobs, ({ job, failed }) => {
    if (failed[0]) found.set(job.sabotage!, failed[0]);
    return true;
  });
  return found;
}

/** Tries seed after seed for each sabotage, until one finds it out. */
async function search(names: readonly string[]): Promise<ReadonlyMap<string, Found>> {
  const found = new Map<string, Found>();
  for (const name of names) {
    await runJobs(jobsOf(from, runs, name), ({ failed }) => {
      const first = found.get(name);
      if (failed[0] && (!first || failed[0].seed < first.seed)) found.set(name, failed[0]);
      return !found.has(name);
    });
    process.stderr.write(`${name}: ${found.has(name) ? 'found out' : 'NOT FOUND'}\n`);
  }
  return found;
}

async function findOut(names: readonly string[]): Promise<boolean> {
  const firsts = await (values.recorded ? tryRecorded(names) : search(names));
  const rows = names.map((name) => {
    const first = firsts.get(name);
    const { what } = sabotages.find((sabotage) => sabotage.name === name)!;
    const tried = first && !values.recorded ? first.seed - from + 1 : '';
    return `| ${name} | ${what} | ${first ? `${tried} | ${first.seed} | ${first.violations[0]}` : 'NOT FOUND | |'} |`;
  });
  console.log(rows.join('\n'));
  const found = firsts.size;
  console.log(`${found} of ${names.length} sabotages were found out`);
  if (values.save) {
    const title = '| sabotage | what the product does wrong | seeds until found | seed | first violation |';
    save('sabotages.md', [
      '# Sabotages',
      '',
      '`npm run simulate -- --sabotage all --save` (docs/guarantees.md says what they are)',
      '',
      title,
      '|---|---|---:|---:|---|',
      ...rows,
    ]);
    const seeds = Object.fromEntries(names.flatMap((name) => (firsts.has(name) ? [[name, firsts.get(name)!.seed]] : [])));
    save('sabotages.json', [JSON.stringify(seeds, undefined, 2)]);
  }
  return found === names.length;
}

async function main(): Promise<boolean> {
  const { sabotage, trace } = values;
  if (trace) return replay(from, { without, sabotage: sabotages.find(({ name }) => name === sabotage), shrink: false });
  if (sabotage === undefined) return simulate();
  return findOut(sabotage === 'all' ? sabotages.map(({ name }) => name) : [sabotage]);
}

process.exitCode = (await main()) ? 0 : 1;
