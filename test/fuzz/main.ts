/**
 * `npm run fuzz`: sends requests that are made from the OpenAPI document, good and broken, to a local runtime with authentication on, and
 * looks at every answer and at the books afterwards.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as fc from 'fast-check';
import { readArguments, UsageProblem, wholeNumber } from '../../cli/arguments.ts';
import { treeUse } from '../../bench/processes.ts';
import { median } from '../../bench/runtime.ts';
import { Identities } from '@outbox-saga/local/identities';
import { operationOf, undocumented } from '../support/document.ts';
import { startRuntime, type StartedRuntime } from '../support/runtime.ts';
import { localSystem, type System } from '../support/system.ts';
import { signWith, typedClient } from '../support/client.ts';
import { requests, type FuzzRequest } from './arbitraries.ts';
import { fuzzAws } from './aws.ts';
import { send, type FuzzAnswer } from './send.ts';
import { bookFindings } from './books.ts';

const usage = `npm run fuzz -- [options]

  Sends requests that are made from the OpenAPI document, good and broken, to a local runtime of its own with authentication on, and looks at every
  answer and at the books afterwards. Or sends calls and bytes that are made to hurt to its AWS endpoint, and looks whether it still works.

  --target <t>     api | aws                      (default api)
  --requests <n>   how many                       (default 3000)
  --seed <s>       of the requests                (default: a random one, which it prints)
  --save           write results/ (committed)
  --help`;

const targets = {
  api: { args: ['--auth'], file: 'fuzz.md' },
  aws: { args: [], file: 'aws.md' },
} as const;

const options = {
  target: { type: 'string', default: 'api' },
  requests: { type: 'string', default: '3000' },
  seed: { type: 'string', default: String(randomInt(2 ** 31 - 1)) },
  save: { type: 'boolean', default: false },
} as const;
const { target, count, seed, save } = readArguments({ usage, options }, (values) => ({
  target: targetOf(values.target),
  count: wholeNumber('requests', values.requests),
  seed: wholeNumber('seed', values.seed, 0),
  save: values.save,
}));

function targetOf(text: string): keyof typeof targets {
  if (text !== 'api' && text !== 'aws') throw new UsageProblem(`--target ${text}: must be api or aws`);
  return text;
}

const clients = 16;
/** Of one customer, one after the other: what they feel. */
const samples = 60;
/** Accepting may take this much longer afterwards, by the medians of one run: machines are noisy. */
const usualRatio = 1.5;
const log = (line: string): void => void process.stdout.write(`${line}\n`);

/** What is wrong with an answer; undefined: nothing. */
function findingOf(request: FuzzRequest, answer: FuzzAnswer | undefined): string | undefined {
  if (!answer) return request.raw ? undefined : 'the connection ended without an answer';
  if (answer.status >= 500) return `status ${answer.status}: ${answer.text.slice(0, 200)}`;
  const path = pathOf(request.target);
  // HEAD has no body to look at, and is no operation.
  const missing = request.method === 'HEAD' ? undefined : undocumented(request.method, path, answer);
  if (missing !== undefined) return `undocumented: ${missing}`;
  const refusedForForm = [400, 413, 415].includes(answer.status);
  const lawful = operationOf(request.method, path) !== undefined && request.sender.kind !== 'garbage' && request.sender.kind !== 'tampered';
  if (request.broken.length === 0 && lawful && refusedForForm && !semantic(answer))
    return `refused what the document allows: ${answer.text.slice(0, 300)}`;
  if (request.broken.length > 0 && request.operation !== 'elsewhere' && answer.status < 300)
    return `took what the document forbids (${request.broken.join(', ')})`;
  return undefined;
}

/** The path that is asked for: `.` and `..` in it are resolved before any route is looked for. */
function pathOf(target: string): string {
  const absolute = `http://localhost${target}`;
  return URL.canParse(absolute) ? new URL(absolute).pathname : target;
}

/** What no schema can say: one SKU at two prices, and sums beyond the integers. */
function semantic({ text }: FuzzAnswer): boolean {
  return /at two prices|add up to more than|total exceeds/.test(text);
}

interface Tally {
  readonly answered: Map<string, number>;
  readonly findings: { readonly index: number; readonly what: string; readonly request: FuzzRequest }[];
  readonly accepted: Set<string>;
  slowest: number;
}

async function fuzz(url: string, identities: Identities): Promise<Tally> {
  const tally: Tally = { answered: new Map(), findings: [], accepted: new Set(), slowest: 0 };
  const all = fc.sample(requests, { numRuns: count, seed });
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < all.length && tally.findings.length < 10) {
      const index = next++;
      const request = all[index]!;
      const answer = await send(url, identities, request);
      const kind = answer ? `${answer.status} ${request.operation}` : `none ${request.operation}`;
      tally.answered.set(kind, (tally.answered.get(kind) ?? 0) + 1);
      tally.slowest = Math.max(tally.slowest, answer?.milliseconds ?? 0);
      if (answer?.status === 202 && request.orderId !== undefined) tally.accepted.add(request.orderId);
      const what = findingOf(request, answer);
      if (what !== undefined) tally.findings.push({ index, what, request });
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return tally;
}

/** The smallest request that still has a finding. */
async function shrunk(url: string, identities: Identities, index: number): Promise<string> {
  const property = fc.asyncProperty(requests, async (request) => findingOf(request, await send(url, identities, request)) === undefined);
  const { counterexample } = await fc.check(property, { seed, path: String(index), numRuns: 1, interruptAfterTimeLimit: 20_000 });
  return counterexample ? shown(counterexample[0]) : 'found once and not again: it hangs on what came before';
}

function shown({ body, ...request }: FuzzRequest): string {
  return JSON.stringify({ ...request, body: body && Buffer.from(body).toString('utf8') }).slice(0, 2000);
}

/** Median of accepting one order after the other, in ms. */
async function acceptMedian(url: string, identities: Identities): Promise<number> {
  const token = await identities.subjectToken('usual', 'orders/place');
  const client = typedClient(url, () => Promise.resolve({ authorization: `Bearer ${token}` }));
  const times: number[] = [];
  for (let i = 0; i < samples; i++) {
    const before = performance.now();
    await client.placeOrder({ items: [{ sku: `unknown-${randomUUID()}`, qty: 1, price: 1 }] }, { idempotencyKey: randomUUID() });
    times.push(performance.now() - before);
  }
  return median(times);
}

/** Waits until no order is open, for at most five minutes. @returns what is still wrong with the books */
async function settledBooks(system: System, accepted: ReadonlySet<string>): Promise<string[]> {
  const deadline = Date.now() + 300_000;
  for (;;) {
    const findings = await bookFindings(system, accepted);
    if (findings.length === 0 || Date.now() > deadline) return findings;
    await pause(500);
  }
}

async function run(runtime: StartedRuntime): Promise<{ failed: boolean; report: string }> {
  const identities = new Identities(runtime.dataDir);
  const system = await localSystem(runtime.url);
  await typedClient(runtime.url, signWith(identities.operator)).putStock('tea', { available: 1000 });
  await acceptMedian(runtime.url, identities);
  await settledBooks(system, new Set());
  const before = { accept: await acceptMedian(runtime.url, identities), memory: treeUse(runtime.process.pid!).residentMb };
  const startedAt = performance.now();
  const tally = await fuzz(runtime.url, identities);
  const seconds = (performance.now() - startedAt) / 1000;
  for (const { index, what, request } of tally.findings) log(`\n✗ request ${index}: ${what}\n  ${shown(request)}`);
  if (tally.findings[0]) log(`\nsmallest: ${await shrunk(runtime.url, identities, tally.findings[0].index)}`);
  const books = await settledBooks(system, tally.accepted);
  for (const finding of books) log(`✗ books: ${finding}`);
  const after = { accept: await acceptMedian(runtime.url, identities), memory: treeUse(runtime.process.pid!).residentMb };
  const ratio = after.accept / before.accept;
  const usual = ratio <= usualRatio;
  if (!usual) log(`✗ accepting takes ${ratio.toFixed(2)} times as long as before`);

  const kinds = [...tally.answered.keys()].map((kind) => kind.split(' ') as [string, string]);
  const unique = (at: 0 | 1): string[] => [...new Set(kinds.map((kind) => kind[at]))].toSorted();
  const rows = unique(1).map((operation) => [
    operation,
    ...unique(0).map((status) => String(tally.answered.get(`${status} ${operation}`) ?? '')),
  ]);
  const sent = [...tally.answered.values()].reduce((sum, number) => sum + number, 0);
  const report = `${sent} requests in ${seconds.toFixed(0)} s from ${clients} clients, seed ${seed}: ${tally.findings.length} findings, ${books.length} in the books of ${tally.accepted.size} accepted orders.

${[['operation', ...unique(0)], ['---', ...unique(0).map(() => '---:')], ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')}

Slowest answer ${tally.slowest.toFixed(0)} ms. Accepting an order, median: ${before.accept.toFixed(1)} ms before, ${after.accept.toFixed(1)} ms after (${ratio.toFixed(2)} times).
Memory of all processes: ${before.memory} MB before, ${after.memory} MB after.
`;
  log(`\n${report}`);
  return { failed: tally.findings.length > 0 || books.length > 0 || !usual, report };
}

log(`fuzzing with --target ${target} --requests ${count} --seed ${seed}`);
const runtime = await startRuntime({ args: ['--stage', 'test', ...targets[target].args] });
let failed = true;
try {
  const outcome = target === 'aws' ? await fuzzAws(runtime, { count, seed, clients }) : await run(runtime);
  failed = outcome.failed;
  if (save) {
    const folder = join(import.meta.dirname, 'results');
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, targets[target].file),
      `# Fuzzing\n\nMade by \`npm run fuzz -- --target ${target} --requests ${count} --seed ${seed} --save\`.\n\n${outcome.report}`,
    );
  }
} finally {
  await runtime.remove();
}
process.exit(failed ? 1 : 0);
