import '@outbox-saga/testing/simulation/globals';
import { addCoverage, noCoverage, type Coverage } from './coverage.ts';
import { sabotages } from './sabotages.ts';
import { runSeed } from './simulation.ts';

/** Some seeds in a row, with one sabotage or none. */
export interface Job {
  readonly from: number;
  readonly count: number;
  readonly sabotage?: string;
  readonly without: readonly string[];
}

export interface Summary {
  readonly job: Job;
  runs: number;
  orders: number;
  faults: number;
  fewestFaults: number;
  /** Orders that someone cancelled or a deadline ended, and those that ended as without faults. */
  cancelled: number;
  timedOut: number;
  same: number;
  readonly failed: { readonly seed: number; readonly violations: readonly string[] }[];
  readonly coverage: Coverage;
}

// The errors of a run are data; whoever wants a stack replays the seed.
Error.stackTraceLimit = 0;

// Whoever asked is gone, and nobody reads the answer.
process.on('disconnect', () => process.exit());
process.on('message', (job: Job) => {
  void run(job).then((summary) => process.send!(summary));
});

/** Runs a job; with a sabotage only until it is found out. */
async function run(job: Job): Promise<Summary> {
  const sabotage = sabotages.find(({ name }) => name === job.sabotage);
  const summary: Summary = {
    job,
    runs: 0,
    orders: 0,
    faults: 0,
    fewestFaults: Infinity,
    cancelled: 0,
    timedOut: 0,
    same: 0,
    failed: [],
    coverage: noCoverage(),
  };
  for (let seed = job.from; seed < job.from + job.count; seed++) {
    const result = await runSeed(seed, { sabotage, without: new Set(job.without) });
    summary.runs++;
    summary.orders += result.orders;
    summary.faults += result.faults;
    summary.fewestFaults = Math.min(summary.fewestFaults, result.faults);
    summary.cancelled += result.cancelled;
    summary.timedOut += result.timedOut;
    summary.same += result.same;
    addCoverage(summary.coverage, result.coverage);
    if (result.violations.length === 0) continue;
    summary.failed.push({ seed, violations: result.violations });
    if (sabotage) break;
  }
  return summary;
}
