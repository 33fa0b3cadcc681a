/** `npm run bench`: measures, and writes bench/results/latest.json and bench/results/latest.md. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../cli/arguments.ts';
import { measureAccess, type AccessResult } from './access.ts';
import { measureBundles, type BundleResult } from './bundles.ts';
import { costPerMillion, type CostLine } from './cost.ts';
import { measureLedger, type StepCost } from './ledger.ts';
import { clientOf, runLoad, type LoadResult } from './load.ts';
import { memoryMbOf, root, startBenchRuntime, storage } from './runtime.ts';

interface Results {
  readonly machine: string;
  /** Where the data lay: on a disk or in memory. */
  readonly data: string;
  readonly measuredAt: string;
  readonly readySeconds: number;
  readonly memoryMb: { readonly idle: number; readonly afterLoad: number };
  readonly load: readonly LoadResult[];
  readonly steps: readonly StepCost[];
  readonly cost: readonly CostLine[];
  readonly access: AccessResult;
  readonly bundles: readonly BundleResult[];
}

/** How much is measured: what is recorded, and a look at whether everything works. */
const sizes = {
  full: { initRuns: 15, access: { warmUp: 50, measured: 400 }, load: { clients: [1, 16, 64], orders: [60, 320, 640] }, ledger: 20 },
  quick: { initRuns: 1, access: { warmUp: 2, measured: 10 }, load: { clients: [1, 16], orders: [5, 30] }, ledger: 2 },
} as const;
type Size = (typeof sizes)[keyof typeof sizes];

const usage = `npm run bench -- [--quick]

  Measures rates, latencies, calls, units and bundles with runtimes of its own, and writes bench/results/. It takes some minutes and the whole machine.
  The data lies in .bench/, on the project's disk.

  --quick   measures a tenth, prints it, and writes nothing
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
  const runtime = await startBenchRuntime('load');
  try {
    const idle = memoryMbOf(runtime.dataDir);
    const client = clientOf(runtime.url);
    await client.putStock('coffee', { available: 1_000_000 });
    await runLoad(client, 4, 40);
    const load: LoadResult[] = [];
    for (const [i, clients] of size.load.clients.entries()) {
      const orders = size.load.orders[i]!;
      log(`${orders} orders from ${clients} clients …`);
      load.push(await runLoad(client, clients, orders));
    }
    const afterLoad = memoryMbOf(runtime.dataDir);
    log('units and calls per order …');
    const steps = await measureLedger(runtime.url, size.ledger);
    const [processor] = cpus();
    return {
      machine: `${cpus().length} × ${processor?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}, Node ${process.version}`,
      data: kind,
      measuredAt: new Date().toISOString().slice(0, 10),
      readySeconds: runtime.readySeconds,
      memoryMb: { idle, afterLoad },
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

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number): string => (typeof value === 'number' ? String(Math.round(value * 10) / 10) : value);
  return [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows.map((row) => row.map(cell))]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function report({ machine, data, measuredAt, readySeconds, memoryMb, load, steps, cost, access, bundles }: Results): string {
  const sum = (pick: (step: StepCost) => number): number => steps.reduce((total, step) => total + pick(step), 0);
  const dollars = cost.reduce((total, line) => total + line.dollars, 0);
  return `# Benchmark

Measured ${measuredAt} on ${machine}, the local runtime with everything on that machine and its data ${data}: its rates are a laptop's, its units and calls are AWS's.
\`npm run bench\` measures again. docs/costs.md reads these numbers.

Ready ${readySeconds.toFixed(1)} s after the command; memory of all processes ${memoryMb.idle} MB idle, ${memoryMb.afterLoad} MB after the load.

## Rates

${table(
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

${table(
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

${table(['what', 'arithmetic', '$'], [...cost.map((line) => [line.what, line.arithmetic, line.dollars]), ['**sum**', '', dollars]])}

## Authentication and authorization

Accepting an order on an idle system takes ${access.tokenMs.toFixed(2)} ms with a token demanded and ${access.openMs.toFixed(2)} ms with everyone let in (medians of two runtimes, in turn): ${(access.tokenMs / access.openMs).toFixed(2)} times.
Checking a function's signature and policies, which is always on, adds ${access.enforcementMs.toFixed(2)} ms to an AWS call; accepting an order makes one.
Both together: ${(access.tokenMs / (access.openMs - access.enforcementMs)).toFixed(2)} times what it would take without any check.

## Bundles

${table(
  ['function', 'KB (1,024 bytes)', 'init ms (median of fresh processes)'],
  bundles.map((b) => [b.name, b.kilobytes, b.initMs]),
)}
`;
}

await runCommand({ usage, options: { quick: { type: 'boolean', default: false } } }, async ({ quick }) => {
  const results = await measure(quick ? sizes.quick : sizes.full);
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
