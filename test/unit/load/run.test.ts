import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OrderSagaClient } from '../../../client/order-saga.ts';
import { mostUnderWay } from '../../../load/arrivals.ts';
import { progressLine, showProgress } from '../../../load/progress.ts';
import { exitCodeOf, reportOf, textOf } from '../../../load/report.ts';
import { runLoad, type Load } from '../../../load/run.ts';
import { Tally } from '../../../load/tally.ts';

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => vi.useRealTimers());

interface Behaviour {
  /** When the n-th request to place an order is answered, in ms from then. */
  readonly acceptMs?: (n: number) => number;
  /** What is answered instead of 202. */
  readonly refuse?: (n: number) => Response | Error | undefined;
  /** When the n-th order settles, in ms from its placing. */
  readonly settleMs?: (n: number) => number;
  readonly failLook?: (n: number) => boolean;
}

/** A system on the clock that the test moves. */
function systemThat({ acceptMs = () => 10, refuse = () => undefined, settleMs = () => 1000, failLook = () => false }: Behaviour = {}) {
  const seen = { placings: 0, looks: 0, looksAtOnce: 0, mostLooksAtOnce: 0, customers: new Set<unknown>() };
  const placedAt: number[] = [];
  const after = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const place = async (body: string): Promise<Response> => {
    const n = seen.placings++;
    seen.customers.add((JSON.parse(body) as { customerId: unknown }).customerId);
    await after(acceptMs(n));
    const refusal = refuse(n);
    if (refusal instanceof Error) throw refusal;
    if (refusal) return refusal;
    placedAt[n] = Date.now();
    return Response.json({ orderId: `ord_${n}`, status: 'PENDING' }, { status: 202 });
  };
  const look = async (n: number): Promise<Response> => {
    const which = seen.looks++;
    seen.mostLooksAtOnce = Math.max(seen.mostLooksAtOnce, ++seen.looksAtOnce);
    await after(5);
    seen.looksAtOnce--;
    if (failLook(which)) return Response.json({ type: 'urn:problem:try-again', detail: 'busy' }, { status: 503 });
    const settledAt = placedAt[n]! + settleMs(n);
    const order = { status: n % 4 === 3 ? 'FAILED' : 'CONFIRMED', placedAt: new Date(placedAt[n]!).toISOString() };
    const failure = order.status === 'FAILED' ? { failure: { code: 'OUT_OF_STOCK', detail: 'none' } } : {};
    return Response.json(
      settledAt <= Date.now() ? { ...order, ...failure, settledAt: new Date(settledAt).toISOString() } : { ...order, status: 'PENDING' },
    );
  };
  const client = new OrderSagaClient({
    baseUrl: 'http://localhost',
    attempts: 1,
    fetch: (input, init) => (init?.method === 'POST' ? place(init.body as string) : look(Number(/ord_(\d+)/.exec(String(input))![1]))),
  });
  const load = (changes: Partial<Load> & { clients?: number }): Load => ({
    customers: Array.from({ length: changes.clients ?? 4 }, (_, i) => ({ client, customerId: `load-${i}` })),
    orders: undefined,
    seconds: undefined,
    rate: undefined,
    patienceMs: 60_000,
    sku: 'coffee',
    wait: true,
    ...changes,
  });
  return { seen, load };
}

/** Runs a load to its end, however long it takes on the test's clock. */
async function ran(load: Load, stop?: AbortSignal) {
  const startedAt = performance.now();
  const running = runLoad(load, stop ? { stop } : {});
  const over = vi.fn();
  void running.finally(over);
  while (over.mock.calls.length === 0) await vi.advanceTimersByTimeAsync(50);
  const { tally, ending } = await running;
  const report = reportOf({ ...load, url: 'http://localhost' }, tally, ending);
  return { ...report, took: performance.now() - startedAt, code: exitCodeOf(report), text: textOf(report) };
}

describe('a closed loop', () => {
  it('places so many orders, each client after its last answer, and sees them settle', async () => {
    const { seen, load } = systemThat({ acceptMs: () => 100 });
    const report = await ran(load({ orders: 40 }));
    expect(report).toMatchObject({ ending: 'done', code: 0, sent: 40, accepted: 40, settled: 40, refusals: {}, errors: {} });
    expect(report.outcomes).toEqual({ CONFIRMED: 30, 'FAILED OUT_OF_STOCK': 10 });
    expect(seen.customers.size).toBe(4);
    // Ten rounds of four in 100 ms each.
    expect(report.acceptedPerSecond).toBeCloseTo(40, 0);
    expect(report.acceptMs!.max).toBeCloseTo(100, 0);
    expect(report.settleMs).toMatchObject({ p50: expect.closeTo(1000, -1) as number, max: 1000 });
    // The first was placed at 100 ms, the last settled at 2000.
    expect(report.settledPerSecond).toBeCloseTo(40 / 1.9, 1);
    expect(report.text).toContain('http://localhost: 4 clients, each after its last answer');
    expect(report.text).toContain('40 of 40');
    expect(report.text).toContain('10 × FAILED OUT_OF_STOCK');
  });

  it('places for so long', async () => {
    const { load } = systemThat({ acceptMs: () => 100 });
    expect(await ran(load({ seconds: 3 }))).toMatchObject({ sent: 120, accepted: 120, settled: 120, code: 0 });
  });

  it('does not wait for settlement when it shall not', async () => {
    const { seen, load } = systemThat({ settleMs: () => Infinity });
    expect(await ran(load({ orders: 8, wait: false }))).toMatchObject({ code: 0, accepted: 8, settled: null, settleMs: null });
    expect(seen.looks).toBe(0);
  });

  it('tells what was refused by status and type, and what failed by cause, and asks a system that is down with restraint', async () => {
    const { load } = systemThat({
      refuse: (n) =>
        [
          undefined,
          Response.json({ type: 'urn:problem:try-again', detail: 'd' }, { status: 503 }),
          Response.json({ message: 'Too Many Requests' }, { status: 429 }),
          new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ECONNRESET' }) }),
          new DOMException('too slow', 'TimeoutError'),
        ][n % 5],
    });
    const report = await ran(load({ orders: 50 }));
    expect(report).toMatchObject({ ending: 'done', code: 2, sent: 50, accepted: 10, settled: 10 });
    expect(report.refusals).toEqual({ '503 urn:problem:try-again': 10, '429 without a problem type': 10 });
    expect(report.errors).toEqual({ ECONNRESET: 10, 'no answer in time': 10 });
    expect(report.text).toContain('10 × 429 without a problem type');
    expect(report.text).toContain('10 × ECONNRESET');
  });

  it('ends when nothing is accepted any more, and has not asked thousands of times', async () => {
    const { seen, load } = systemThat({ refuse: () => new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }) });
    const report = await ran(load({ seconds: 3600, patienceMs: 5000 }));
    expect(report).toMatchObject({ ending: 'gave up', code: 2, accepted: 0, acceptMs: null });
    expect(report.took).toBeLessThan(6000);
    expect(seen.placings).toBeLessThanOrEqual((4 * 5500) / 110);
    expect(report.text).toContain('gave up: no order was accepted any more');
  });
});

describe('an open loop', () => {
  it('places evenly by the clock, whatever the answers do', async () => {
    const { load } = systemThat({ acceptMs: () => 3000 });
    const report = await ran(load({ orders: 50, rate: 10 }));
    expect(report).toMatchObject({ sent: 50, accepted: 50, heldBack: 0, code: 0 });
    // The last one is due after 4.9 s, and answered 3 s later.
    expect(report.acceptedPerSecond).toBeCloseTo(50 / 7.9, 1);
  });

  it('counts latencies from when each was due, also of those that had to wait for a connection', async () => {
    // Everything stands still for a second, then answers at once.
    const startedAt = performance.now();
    const { load } = systemThat({ acceptMs: () => Math.max(0, startedAt + 1000 - performance.now()) });
    const report = await ran(load({ seconds: 1, rate: 3000, wait: false }));
    expect(report.sent).toBe(3000);
    expect(report.heldBack).toBeGreaterThan(0);
    // Due from 0 to 1000 ms, answered at 1000: half of them waited for more than 500, although two thirds were sent only then.
    expect(mostUnderWay).toBe(1000);
    expect(report.acceptMs!.p50).toBeGreaterThan(490);
    expect(report.acceptMs!.p50).toBeLessThan(600);
    expect(report.acceptMs!.max).toBeCloseTo(1000, -1);
  });
});

describe('seeing orders settle', () => {
  it('takes about one look for each, two at a time at most', async () => {
    const { seen, load } = systemThat({ acceptMs: () => 40, settleMs: (n) => 2000 + (n % 7) * 50 });
    expect(await ran(load({ orders: 400, clients: 8 }))).toMatchObject({ settled: 400, code: 0 });
    expect(seen.mostLooksAtOnce).toBe(2);
    expect(seen.looks).toBeLessThan(400 * 1.2);
  });

  it('waits with the first look until an order is likely to be done', async () => {
    const { seen, load } = systemThat({ acceptMs: () => 1000 });
    const report = await ran(load({ orders: 20, clients: 1 }));
    expect(report).toMatchObject({ settled: 20, code: 0 });
    expect(report.text).toContain('1 client, each after');
    expect(seen.looks).toBeLessThan(20 * 2);
  });

  it('is not held up by orders that straggle', async () => {
    const { load } = systemThat({ settleMs: (n) => (n < 2 ? 40_000 : 1000) });
    const tally = new Tally();
    const running = runLoad(load({ orders: 40 }), { tally });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(tally.settlements.count).toBe(38);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(await running).toMatchObject({ ending: 'done' });
    expect(tally.settlements.count).toBe(40);
  });

  it('gives up after so long without any progress, and says how many have not settled', async () => {
    const { load } = systemThat({ settleMs: (n) => (n % 4 === 0 ? Infinity : 1000) });
    const report = await ran(load({ orders: 12, patienceMs: 10_000 }));
    expect(report).toMatchObject({ ending: 'gave up', code: 2, accepted: 12, settled: 9 });
    expect(report.text).toContain('gave up: 3 accepted orders have not settled');
    // Two of them held the looks up for 5 s; then the others were seen, and patience began.
    expect(report.took).toBeGreaterThan(15_000);
    expect(report.took).toBeLessThan(18_000);
  });

  it('looks again after a look that failed', async () => {
    const { load } = systemThat({ failLook: (n) => n % 2 === 0 });
    const report = await ran(load({ orders: 12 }));
    expect(report).toMatchObject({ settled: 12, code: 0 });
    expect(report.failedLooks['503 urn:problem:try-again']).toBeGreaterThan(0);
  });
});

describe('a load that is interrupted', () => {
  it.each([undefined, 10])('places no more, hears the answers that are under way, and tells what was done (rate %s)', async (rate) => {
    const { seen, load } = systemThat({ acceptMs: () => 300, settleMs: () => Infinity });
    const stop = new AbortController();
    const running = ran(load({ orders: 1000, rate }), stop.signal);
    await vi.advanceTimersByTimeAsync(1000);
    stop.abort();
    const report = await running;
    expect(report).toMatchObject({ ending: 'interrupted', code: 130, sent: seen.placings, accepted: seen.placings, settled: 0 });
    expect(report.accepted).toBeGreaterThan(3);
    expect(report.accepted).toBeLessThan(20);
    expect(report.took).toBeLessThanOrEqual(1600);
    expect(report.text).toContain(`interrupted: ${report.accepted} accepted orders have not been seen settled`);
  });
});

describe('progress', () => {
  it('is one line that is written over on a terminal, and a line a second elsewhere', async () => {
    const written = { terminal: '', file: '' };
    const tally = new Tally();
    const hide = [
      showProgress(tally, 10, { isTTY: true, write: (text: string) => (written.terminal += text) }),
      showProgress(tally, 10, { write: (text: string) => (written.file += text) }),
    ];
    await vi.advanceTimersByTimeAsync(2100);
    for (const end of hide) end();
    expect(written.terminal.match(/\r/g)).toHaveLength(11);
    expect(written.terminal.match(/\n/g)).toHaveLength(1);
    expect(written.file.trimEnd().split('\n')).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(5000);
    expect(written.file.trimEnd().split('\n')).toHaveLength(3);
  });

  it('says what there is', () => {
    const tally = new Tally();
    tally.accept(performance.now());
    tally.fail(new TypeError('fetch failed'));
    expect(progressLine(tally, 10)).toMatch(/0 s   1 of 10 accepted, .*   0 settled   1 without an answer$/);
  });
});
