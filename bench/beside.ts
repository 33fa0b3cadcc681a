import { setTimeout as pause } from 'node:timers/promises';
import { clientOf, placeOrder } from '../load/customers.ts';
import type { StartedRuntime } from '@outbox-saga/local/spawn';
import { customerOf, loadFrom, sku, whenSettled, type LoadResult } from './load.ts';
import { highestMemoryMb, treeUse } from './processes.ts';
import { forgetCaches, thisRelease, type Release } from './release.ts';
import { median, startBenchRuntime } from './runtime.ts';

/** How much is measured, and how often on each release. */
export interface BesideSize {
  readonly rounds: number;
  readonly alone: number;
  readonly load: { readonly clients: readonly number[]; readonly orders: readonly number[] };
}

/** One figure of both releases: medians of the rounds, and each round. */
export interface BesideFigure {
  readonly what: string;
  readonly this: number;
  readonly other: number;
  readonly ratio: number;
  readonly rounds: { readonly this: readonly number[]; readonly other: readonly number[] };
}

export interface BesideResult {
  /** The other release's version. */
  readonly other: string;
  readonly rounds: number;
  readonly figures: readonly BesideFigure[];
}

/** What follows the settlement of an order: read model, notification, SENT marks. */
const afterSettlementMs = 1000;

/**
 * The same measurements on this release and on another one, whose runtime runs from its own checkout: in turn, since two at a time would share the processor,
 * and the other one first in every second round, since the machine warms up.
 */
export async function measureBeside(other: Release, size: BesideSize, log: (line: string) => void): Promise<BesideResult> {
  const rounds: Record<'this' | 'other', Map<string, number>[]> = { this: [], other: [] };
  const releases = { this: thisRelease(), other };
  for (let round = 0; round < size.rounds; round++) {
    for (const which of round % 2 === 0 ? (['this', 'other'] as const) : (['other', 'this'] as const)) {
      log(`round ${round + 1} of ${size.rounds}: ${which === 'this' ? 'this release' : other.version} …`);
      rounds[which].push(await measured(releases[which], which, size));
    }
  }
  return { other: other.version, rounds: size.rounds, figures: besideFigures(rounds) };
}

/** Medians of the rounds. @param rounds figure → its value, for each round */
export function besideFigures(rounds: Readonly<Record<'this' | 'other', readonly ReadonlyMap<string, number>[]>>): BesideFigure[] {
  return [...rounds.this[0]!.keys()].map((what) => {
    const each = { this: rounds.this.map((round) => round.get(what)!), other: rounds.other.map((round) => round.get(what)!) };
    const medians = { this: median(each.this), other: median(each.other) };
    return { what, ...medians, ratio: medians.this / medians.other, rounds: each };
  });
}

/** One round on one release: figure → its value. */
async function measured(release: Release, name: string, { alone, load }: BesideSize): Promise<Map<string, number>> {
  forgetCaches(release);
  const first = await startBenchRuntime({ name: `beside-${name}`, release });
  await first.remove();
  const runtime = await startBenchRuntime({ name: `beside-${name}`, release });
  try {
    const idle = treeUse(runtime.process.pid!).residentMb;
    await clientOf(runtime.url).putStock(sku, { available: 1_000_000 });
    await loadFrom(runtime.url, 4, 40);
    const aloneMs = await settledAlone(runtime, alone);
    const loads: LoadUse[] = [];
    for (const [i, clients] of load.clients.entries()) loads.push(await measureLoad(runtime, clients, load.orders[i]!));
    const each = (what: string, unit: string, pick: (use: LoadUse) => number): [string, number][] =>
      loads.map((use) => [`${what}, ${use.clients === 1 ? '1 client' : `${use.clients} clients`} (${unit})`, pick(use)]);
    return new Map([
      ['ready, first start (s)', first.readySeconds],
      ['ready, later starts (s)', runtime.readySeconds],
      ['memory, idle (MB)', idle],
      ...each('memory at most', 'MB', ({ highestMb }) => highestMb),
      ['settle alone, p50 (ms)', aloneMs],
      ...each('settled', '1/s', ({ settledPerSecond }) => settledPerSecond),
      ...each('settle p50', 'ms', ({ settleP50Ms }) => settleP50Ms),
      ...each('accept p50', 'ms', ({ acceptP50Ms }) => acceptP50Ms),
      ...each('accept p99', 'ms', ({ acceptP99Ms }) => acceptP99Ms),
      ...each('processor time of an order', 'ms', ({ cpuMsPerOrder }) => cpuMsPerOrder),
    ]);
  } finally {
    await runtime.remove();
  }
}

/** One order at a time on a system that does nothing else. */
async function settledAlone({ url }: StartedRuntime, orders: number): Promise<number> {
  const customer = customerOf(url, 'alone');
  const times: number[] = [];
  for (let i = 0; i < orders; i++) {
    await pause(afterSettlementMs);
    times.push(await whenSettled(customer.client, await placeOrder(customer, sku)));
  }
  return median(times);
}

interface LoadUse extends LoadResult {
  readonly highestMb: number;
  readonly cpuMsPerOrder: number;
}

async function measureLoad({ url, process: { pid } }: StartedRuntime, clients: number, orders: number): Promise<LoadUse> {
  const before = treeUse(pid!).cpuMs;
  const { result, highestMb } = await highestMemoryMb(pid!, async () => {
    const load = await loadFrom(url, clients, orders);
    // Work that the orders made belongs to them.
    await pause(afterSettlementMs);
    return load;
  });
  return { ...result, highestMb, cpuMsPerOrder: (treeUse(pid!).cpuMs - before) / orders };
}
