/** `npm run bench:volume`: what many orders in the data directory cost, and writes bench/results/volume.json and bench/results/volume.md. */
import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { runCommand, wholeNumber } from '../cli/arguments.ts';
import { engineFile } from '@outbox-saga/local/data-dir';
import { startCommand } from '../lib/project.ts';
import { spawnRuntime, type StartedRuntime } from '@outbox-saga/local/spawn';
import { measureCalls, type CallResult, type Rounds } from './calls.ts';
import { placeOrder } from '../load/customers.ts';
import { customerOf, loadFrom, page, sku, whenSettled } from './load.ts';
import { treeUse } from './processes.ts';
import { machineName, markdownTable } from './report.ts';
import { median, root, storage } from './runtime.ts';
import { busyCustomer, multiplyOrders } from './seed.ts';

interface Results {
  readonly machine: string;
  readonly data: string;
  readonly measuredAt: string;
  readonly orders: { readonly few: number; readonly many: number };
  readonly megabytes: { readonly few: number; readonly many: number };
  readonly rows: number;
  /** With few orders, and with many. */
  readonly measures: readonly Measure[];
  readonly calls: readonly CallResult[];
}

interface Measure {
  readonly what: string;
  readonly few: number;
  readonly many: number;
  /** A smaller difference says nothing. */
  readonly tolerance?: number;
  readonly moreIsBetter?: boolean;
}

interface Size {
  readonly starts: number;
  readonly load: number;
  readonly calls: Rounds;
}

const sizes = {
  full: { starts: 5, load: 120, calls: { rounds: 20, calls: 200 } },
  quick: { starts: 1, load: 10, calls: { rounds: 2, calls: 20 } },
} as const;

/** Nothing may be worse with many orders than so many times what it is with few. A page that the operating system must give is no difference. */
const bar = 1.5;
const pageMicros = 10;
const fewOrders = 25;
const clients = 8;
const args = ['--stage', 'test'];

const usage = `npm run bench:volume -- [--orders <number>] [--quick]

  Fills a data directory with orders, and compares it with one that has ${fewOrders}: the time of a start, memory, rates, and the CPU of the engine's calls. Ends
  with 1 when one of them is worse than ${bar} times. Writes bench/results/volume.json and bench/results/volume.md. The data lies in .bench/, on the project's
  disk, 12 KB for an order, and is deleted afterwards.

  --orders  how many (default 100000)
  --quick   measures a tenth, prints it, and writes nothing
  --help`;

const log = (line: string): void => void process.stderr.write(`${line}\n`);

async function measure(orders: number, { starts, load, calls }: Size): Promise<Results> {
  const { folder, kind } = storage();
  const few = join(folder, 'volume-few');
  const many = join(folder, 'volume-many');
  try {
    log(`the data lies in ${folder}, ${kind}`);
    await placeFew(few);
    rmSync(many, { recursive: true, force: true });
    cpSync(few, many, { recursive: true });
    log(`${orders} orders …`);
    const rows = multiplyOrders(join(many, engineFile), orders - fewOrders);
    const megabytes = { few: megabytesOf(few), many: megabytesOf(many) };
    log('starts, memory and rates …');
    const measures = await measureRuntimes([few, many], starts, load);
    log('calls of the engine …');
    const onCalls = await measureCalls(join(few, engineFile), join(many, engineFile), calls);
    return {
      machine: machineName(),
      data: kind,
      measuredAt: new Date().toISOString().slice(0, 10),
      orders: { few: fewOrders, many: orders },
      megabytes,
      rows,
      measures,
      calls: onCalls,
    };
  } finally {
    for (const name of [few, many]) rmSync(name, { recursive: true, force: true });
  }
}

const megabytesOf = (dataDir: string): number => statSync(join(dataDir, engineFile)).size / 2 ** 20;

/** Orders of one customer, settled and closed: those that are multiplied. */
async function placeFew(dataDir: string): Promise<void> {
  const runtime = await spawnRuntime({ ...startCommand, dataDir, args: ['--fresh', ...args] }).ready;
  try {
    const customer = customerOf(runtime.url, busyCustomer);
    await customer.client.putStock(sku, { available: 1_000_000 });
    for (let i = 0; i < fewOrders; i++) await whenSettled(customer.client, await placeOrder(customer, sku));
    await whenClosed(runtime);
  } finally {
    await runtime.end();
  }
}

async function whenClosed({ url }: StartedRuntime): Promise<void> {
  const { endpoint, region, outputs }: { endpoint: string; region: string; outputs: Record<string, string> } = await page(url, 'resources');
  const client = new DynamoDBClient({ endpoint, region, credentials: { accessKeyId: 'BENCH', secretAccessKey: 'bench' } });
  const database = DynamoDBDocumentClient.from(client);
  const isEmpty = async (output: string, IndexName: string): Promise<boolean> =>
    (await database.send(new ScanCommand({ TableName: outputs[output], IndexName }))).Count === 0;
  while (!(await isEmpty('OrdersTableName', 'open')) || !(await isEmpty('OutboxTableName', 'attention'))) {
    for (const name of ['order-sweep', 'outbox-relay']) await page(url, `functions/${name}`, 'POST', {});
    await pause(500);
  }
  client.destroy();
}

/** Starts both in turn, so that what disturbs one disturbs the other. Medians. */
async function measureRuntimes(dataDirs: readonly [string, string], starts: number, load: number): Promise<Measure[]> {
  const found = dataDirs.map(() => ({ ready: [] as number[], idle: [] as number[], settled: [] as number[], after: [] as number[] }));
  for (let start = 0; start < starts; start++) {
    for (const which of start % 2 === 0 ? [0, 1] : [1, 0]) {
      const dataDir = dataDirs[which]!;
      const runtime = await spawnRuntime({ ...startCommand, dataDir, args }).ready;
      try {
        found[which]!.ready.push(runtime.readySeconds);
        const pid = runtime.process.pid!;
        found[which]!.idle.push(treeUse(pid).residentMb);
        // Environments start with the first orders.
        await loadFrom(runtime.url, clients, clients);
        found[which]!.settled.push((await loadFrom(runtime.url, clients, load)).settledPerSecond);
        found[which]!.after.push(treeUse(pid).residentMb);
      } finally {
        await runtime.end();
      }
    }
  }
  const [few, many] = found as [(typeof found)[0], (typeof found)[0]];
  const of = (what: string, key: keyof typeof few, more: Pick<Measure, 'moreIsBetter'> = {}): Measure => ({
    what,
    few: median(few[key]),
    many: median(many[key]),
    ...more,
  });
  return [
    of('ready, s after the command', 'ready'),
    of('memory of all processes, idle, MB', 'idle'),
    of('memory after the load, MB', 'after'),
    of(`settled / s, ${clients} clients`, 'settled', { moreIsBetter: true }),
  ];
}

/** How many times worse it is with many orders. */
const worse = ({ few, many, moreIsBetter = false }: Measure): number => (moreIsBetter ? few / many : many / few);

const isOver = (one: Measure): boolean => worse(one) > bar && Math.abs(one.many - one.few) > (one.tolerance ?? 0);

const callsAsMeasures = (calls: readonly CallResult[]): Measure[] =>
  calls.map(({ call, fewMicros, manyMicros }) => ({ what: call, few: fewMicros, many: manyMicros, tolerance: pageMicros }));

function report({ machine, data, measuredAt, orders, megabytes, rows, measures, calls }: Results): string {
  const rowsOf = (all: readonly Measure[]): (string | number)[][] => all.map((one) => [one.what, one.few, one.many, worse(one).toFixed(2)]);
  return `# Many orders in the data directory

Measured ${measuredAt} on ${machine}, the data ${data}. \`npm run bench:volume\` measures again: ${orders.few} orders beside ${orders.many}, which are
${rows} more rows, ${Math.round(megabytes.many)} MB in place of ${megabytes.few.toFixed(1)}. Medians of both in turn; the last column says how many times worse many are. The bar is ${bar}.

## The runtime

${markdownTable(['what', `${orders.few} orders`, `${orders.many} orders`, 'times'], rowsOf(measures))}

## CPU of the engine's calls, in microseconds

In one process, without HTTP and signatures. A difference below ${pageMicros} µs is none: SQLite asks the operating system for one page.

${markdownTable(['call', `${orders.few} orders`, `${orders.many} orders`, 'times'], rowsOf(callsAsMeasures(calls)))}
`;
}

await runCommand(
  { usage, options: { orders: { type: 'string', default: '100000' }, quick: { type: 'boolean', default: false } } },
  async ({ orders, quick }) => {
    const results = await measure(wholeNumber('orders', orders, 1000), quick ? sizes.quick : sizes.full);
    const text = report(results);
    if (!quick) {
      const folder = join(root, 'bench/results');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'volume.json'), `${JSON.stringify(results, null, 2)}\n`);
      writeFileSync(join(folder, 'volume.md'), text);
    }
    process.stdout.write(text);
    const over = [...results.measures, ...callsAsMeasures(results.calls)].filter(isOver);
    for (const one of over) log(`worse than ${bar} times: ${one.what}, ${worse(one).toFixed(2)}`);
    return over.length > 0 ? 1 : 0;
  },
);
