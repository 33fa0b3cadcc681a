/** `npm run bench`: measures, and writes bench/results/latest.json and bench/results/latest.md. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../cli/arguments.ts';
import { measureAccess, type AccessResult } from './access.ts';
import { measureBundles, type BundleResult } from './bundles.ts';
import { costPerMillion, type CostLine } from './cost.ts';
import { measureLedger, type StepCost } from './ledger.ts';
import { clientOf } from '../load/customers.ts';
import { measureBeside, type BesideResult } from './beside.ts';
import { loadFrom, sku, type LoadResult } from './load.ts';
import { highestMemoryMb, treeUse } from './processes.ts';
import { machineName, markdownTable } from './report.ts';
import { releaseIn } from './release.ts';
import { root, startBenchRuntime, storage } from './runtime.ts';

interface Results {
  readonly machine: string;
  /** Where the data lay: on a disk or in memory. */
  readonly data: string;
  readonly measuredAt: string;
  readonly readySeconds: number;
  /** Of the runtime and all processes below it: before the loads, at most while the greatest of them runs, and after it. */
  readonly memoryMb: { readonly idle: number; readonly highest: number; readonly afterLoad: number };
  readonly load: readonly LoadResult[];
  readonly steps: readonly StepCost[];
  readonly cost: readonly CostLine[];
  readonly access: AccessResult;
  readonly bundles: readonly BundleResult[];
  /** Beside another release; undefined: none was given. */
  readonly beside?: BesideResult;
}

/** How much is measured: what is recorded, and a look at whether everything works. */
const sizes = {
  full: {
    initRuns: 15,
    access: { warmUp: 50, measured: 400 },
    load: { clients: [1, 16, 64], orders: [60, 320, 640] },
    ledger: 20,
    beside: { rounds: 3, alone: 15 },
  },
  quick: {
    initRuns: 1,
    access: { warmUp: 2, measured: 10 },
    load: { clients: [1, 16], orders: [5, 30] },
    ledger: 2,
    beside: { rounds: 1, alone: 2 },
  },
} as const;
type Size = (typeof sizes)[keyof typeof sizes];

const usage = `npm run bench -- [--quick] [--beside <folder>]

  Measures rates, latencies, calls, units and bundles with runtimes of its own, and writes bench/results/. It takes some minutes and the whole machine.
  The data lies in .bench/, on the project's disk.

  --quick            measures a tenth, prints it, and writes nothing
  --beside <folder>  puts the same load on another release too, in turn with this one: a checkout of it, after npm ci. Takes a quarter of an hour more,
                     and deletes what both keep in node_modules/.cache/outbox-saga
  --help`;

const log = (line: string): void => void process.stderr.write(`${line}\n`);

async function measure(size: Size): Promise<Results> {
  const { folder, kind } = storage();
  log(`the data lies in ${folder}, ${kind}`);
  log('bundles and init times …');
  const bundles = measureBundles(size.initRuns);
  log('tokens, signatures and policies …');
  const access = await measureAccess(size.access);
  log('starting the local runtime …');
  const runtime = await startBenchRuntime({ name: 'load' });
  try {
    const pid = runtime.process.pid!;
    const idle = treeUse(pid).residentMb;
    await clientOf(runtime.url).putStock(sku, { available: 1_000_000 });
    await loadFrom(runtime.url, 4, 40);
    const load: LoadResult[] = [];
    let highest = 0;
    for (const [i, clients] of size.load.clients.entries()) {
      const orders = size.load.orders[i]!;
      log(`${orders} orders from ${clients} clients …`);
      const { result, highestMb } = await highestMemoryMb(pid, () => loadFrom(runtime.url, clients, orders));
      load.push(result);
      highest = highestMb;
    }
    const afterLoad = treeUse(pid).residentMb;
    log('units and calls per order …');
    const steps = await measureLedger(runtime.url, size.ledger);
    return {
      machine: machineName(),
      data: kind,
      measuredAt: new Date().toISOString().slice(0, 10),
      readySeconds: runtime.readySeconds,
      memoryMb: { idle, highest, afterLoad },
      load,
      steps,
      cost: costPerMillion(steps),
      access,
      bundles,
    };
  } finally {
    await runtime.remove();
  }
}

/** Undefined: none was measured. */
function besideText(beside: BesideResult | undefined): string {
  if (!beside) return '';
  const { other, rounds, figures } = beside;
  return `
## Beside ${other}

The same load on both releases, each from its own checkout, in turn and on the same disk: medians of ${rounds} rounds. Memory is resident, of all processes, pages that they
share counted for each. Processor time is that of all processes while the orders are placed and settle, divided by their number.

${markdownTable(
  ['', 'this', other, 'this ÷ that'],
  figures.map((figure) => [figure.what, figure.this, figure.other, figure.ratio.toFixed(2)]),
)}
`;
}

function report({ machine, data, measuredAt, readySeconds, memoryMb, load, steps, cost, access, bundles, beside }: Results): string {
  const sum = (pick: (step: StepCost) => number): number => steps.reduce((total, step) => total + pick(step), 0);
  const dollars = cost.reduce((total, line) => total + line.dollars, 0);
  return `# Benchmark

Measured ${measuredAt} on ${machine}, the local runtime with everything on that machine and its data ${data}: its rates are a laptop's, its units and calls are AWS's.
\`npm run bench\` measures again. docs/costs.md reads these numbers.

Ready ${readySeconds.toFixed(1)} s after the command; memory of all processes ${memoryMb.idle} MB idle, at most ${memoryMb.highest} MB under the last load, ${memoryMb.afterLoad} MB after it.

## Rates

${markdownTable(
  ['clients', 'orders', 'accepted / s', 'accept p50 ms', 'accept p99 ms', 'settled / s', 'settle p50 ms', 'settle p99 ms'],
  load.map((l) => [
    String(l.clients),
    String(l.orders),
    l.acceptedPerSecond,
    l.acceptP50Ms,
    l.acceptP99Ms,
    l.settledPerSecond,
    l.settleP50Ms,
    l.settleP99Ms,
  ]),
)}

## One confirmed one-line order, by step

One order at a time, so that every batch holds one message: the dearest case. The sandbox ledger is left out.

${markdownTable(
  ['step', 'DynamoDB calls', 'write units', 'read units', 'SQS requests', 'invocations'],
  [
    ...steps.map((s) => [s.step, s.calls, s.writeUnits, s.readUnits, s.sqsRequests, s.invocations]),
    [
      '**sum**',
      sum((s) => s.calls),
      sum((s) => s.writeUnits),
      sum((s) => s.readUnits),
      sum((s) => s.sqsRequests),
      sum((s) => s.invocations),
    ],
  ],
)}

## Dollars per million orders

us-east-1, November 2026, without free tiers. Lines marked "assumed" rest on an assumption that only AWS can confirm.

${markdownTable(['what', 'arithmetic', '$'], [...cost.map((line) => [line.what, line.arithmetic, line.dollars]), ['**sum**', '', dollars]])}

## Authentication and authorization

Accepting an order on an idle system takes ${access.tokenMs.toFixed(2)} ms with a token demanded and ${access.openMs.toFixed(2)} ms with everyone let in (medians of two runtimes, in turn): ${(access.tokenMs / access.openMs).toFixed(2)} times.
Checking a signature and policies adds ${access.enforcementMs.toFixed(2)} ms to an AWS call over HTTP, as with --isolation process; accepting an order makes one.
Both together: ${(access.tokenMs / (access.openMs - access.enforcementMs)).toFixed(2)} times what it would take without any check.

## Bundles

${markdownTable(
  ['function', 'KB (1,024 bytes)', 'init ms (median of fresh processes)'],
  bundles.map((b) => [b.name, b.kilobytes, b.initMs]),
)}
${besideText(beside)}`;
}

const options = { quick: { type: 'boolean', default: false }, beside: { type: 'string' } } as const;

await runCommand({ usage, options }, async ({ quick, beside }) => {
  const other = beside === undefined ? undefined : releaseIn(beside);
  const size = quick ? sizes.quick : sizes.full;
  const measured = await measure(size);
  const results = other ? { ...measured, beside: await measureBeside(other, { ...size.beside, load: size.load }, log) } : measured;
  const text = report(results);
  if (!quick) {
    const folder = join(root, 'bench/results');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(results, null, 2)}\n`);
    writeFileSync(join(folder, 'latest.md'), text);
  }
  process.stdout.write(text);
  return 0;
});
