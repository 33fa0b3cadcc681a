import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import '@outbox-saga/testing/simulation/globals';
import { Random } from '@outbox-saga/testing/simulation/random';
import { sabotages } from './sabotages.ts';
import { Scheduler } from '@outbox-saga/testing/simulation/scheduler';
import { runSeed } from './simulation.ts';

describe('a run', () => {
  it('is the same run each time: same faults, same steps, same end', async () => {
    const [first, second, other] = [await runSeed(7), await runSeed(7), await runSeed(8)];
    expect(second).toEqual(first);
    expect(first.violations).toEqual([]);
    expect(other.digest).not.toBe(first.digest);
  });

  it('goes the same way whether or not somebody watches', async () => {
    const lines: string[] = [];
    const watched = await runSeed(7, { trace: (line) => lines.push(line) });
    expect(watched.digest).toBe((await runSeed(7)).digest);
    expect(lines.length).toBeGreaterThan(500);
  });

  it('has the size that the proof asks for', async () => {
    const { orders, faults } = await runSeed(7);
    expect(orders).toBeGreaterThanOrEqual(20);
    expect(faults).toBeGreaterThanOrEqual(5);
  });

  it('leaves the clock of the process as it was', async () => {
    const before = Date.now();
    await runSeed(7);
    expect(Math.abs(Date.now() - before)).toBeLessThan(600_000);
    expect(new Date().getFullYear()).toBe(new Date(Date.now()).getFullYear());
  });

  it('is found out when the product is broken', async () => {
    const sabotage = sabotages.find(({ name }) => name === 'no-stock-condition')!;
    expect((await runSeed(1, { sabotage })).violations[0]).toMatch(/stock of contended is negative/);
  });
});

describe('the command', () => {
  const simulate = (...args: string[]): string =>
    execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'main.ts'), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  it('reports what it ran', () => {
    const report = simulate('--runs', '10');
    expect(report).toMatch(/^seeds 1 to 10: 10 runs in \d+ s, 0 with violations$/m);
    expect(report).toMatch(/faults, at least \d+ in each run/);
  });

  it('replays a seed, with the line that replays it again', () => {
    const report = simulate('--trace', '--seed', '3');
    expect(report).toMatch(/order transition from=RESERVING_STOCK to=CAPTURING_PAYMENT/);
    expect(report).toMatch(/^replay: npm run simulate -- --trace --seed 3$/m);
  });

  it.each([
    ['--runs', 'many', /--runs many: must be a whole number/],
    ['--sabotage', 'everything', /--sabotage everything: no such sabotage/],
    ['--without', 'gravity', /--without gravity: no such fault/],
  ])('names what is wrong with %s %s', (option, value, message) => {
    expect(() => simulate(option, value)).toThrow(message);
  });
});

describe('the machinery of a run', () => {
  it('lets what is planned happen in the order of its times, and of its planning within one', () => {
    const scheduler = new Scheduler(0);
    const seen: string[] = [];
    const random = new Random(5);
    const times = Array.from({ length: 200 }, () => random.int(0, 20));
    times.forEach((time, i) => scheduler.at(time, () => seen.push(`${String(time).padStart(2, '0')}/${String(i).padStart(3, '0')}`)));
    while (scheduler.step());
    expect(seen).toEqual(seen.toSorted());
    expect(scheduler.now).toBe(Math.max(...times));
  });

  it('spreads chance evenly, and alike for the same seed', () => {
    const random = new Random(11);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) counts[random.int(0, 9)]!++;
    for (const count of counts) expect(count).toBeGreaterThan(850);
    expect(new Random(11).next()).toBe(new Random(11).next());
    expect(new Random(11, 1).next()).not.toBe(new Random(11, 2).next());
  });
});
