import { array, assert, double, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../load/histogram.ts';

function histogramOf(durations: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const duration of durations) histogram.record(duration);
  return histogram;
}

describe('a histogram', () => {
  it('has the percentiles of its durations, off by less than 1/256', () => {
    const duration = double({ min: 0, max: 1e6, noNaN: true });
    assert(
      property(array(duration, { minLength: 1, maxLength: 200 }), double({ min: 0, max: 1, noNaN: true }), (durations, part) => {
        const sorted = durations.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(part * sorted.length)) - 1]!;
        // Half a microsecond is lost where a duration becomes a whole number of them.
        expect(Math.abs(histogramOf(durations).percentile(part) - exact)).toBeLessThanOrEqual(exact / 256 + 0.0006);
      }),
    );
  });

  it('keeps the greatest as it was, and counts what clocks make negative as 0', () => {
    const histogram = histogramOf([123.456789, -3, 2]);
    expect(histogram.latencies()).toEqual({ p50: expect.closeTo(2, 2) as number, p95: 123.456789, p99: 123.456789, max: 123.456789 });
    expect(histogram.percentile(0)).toBe(0);
    expect(histogram.count).toBe(3);
  });

  it('takes durations of months', () => {
    expect(histogramOf([1e10, 2e10, 3e10]).latencies()).toMatchObject({ max: 3e10 });
    expect(histogramOf([1e10, 2e10, 3e10]).percentile(0.5)).toBeGreaterThan(1e9);
  });

  it('has no percentiles of nothing', () => {
    expect(new Histogram().latencies()).toBeUndefined();
    expect(new Histogram().percentile(0.5)).toBeNaN();
  });
});
