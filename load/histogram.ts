/** Each power of two is cut into so many buckets of equal width: a percentile is off by less than 1/256 of itself. */
const bucketsPerPower = 256;
const powerBits = Math.log2(bucketsPerPower);
/** Up to 2⁴⁰ µs, twelve days: what is longer counts as that. */
const powers = 40 - powerBits + 1;

/** Percentiles of durations in ms. */
export interface Latencies {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Durations in ms, in buckets whose width grows with the value (log-linear, as in HdrHistogram): a million of them take as much memory as one. Counted in
 * microseconds; the least and the greatest are kept as they were.
 */
export class Histogram {
  readonly #counts = new Float64Array(bucketsPerPower * (powers + 1));
  #count = 0;
  #min = Infinity;
  #max = -Infinity;

  get count(): number {
    return this.#count;
  }

  /** A negative duration, which clocks of two machines can make, counts as 0. */
  record(milliseconds: number): void {
    const duration = Math.max(0, milliseconds);
    this.#counts[bucketOf(Math.round(duration * 1000))]!++;
    this.#count++;
    this.#min = Math.min(this.#min, duration);
    this.#max = Math.max(this.#max, duration);
  }

  /** The duration that this part of all did not exceed, by the nearest rank; NaN without any. @param part from 0 to 1 */
  percentile(part: number): number {
    const rank = Math.max(1, Math.ceil(part * this.#count));
    if (rank === this.#count) return this.#max;
    let seen = 0;
    const bucket = this.#counts.findIndex((count) => (seen += count) >= rank);
    return bucket < 0 ? Number.NaN : Math.min(this.#max, Math.max(this.#min, middleOf(bucket) / 1000));
  }

  /** undefined: there are none. */
  latencies(): Latencies | undefined {
    if (this.#count === 0) return undefined;
    return { p50: this.percentile(0.5), p95: this.percentile(0.95), p99: this.percentile(0.99), max: this.#max };
  }
}

/** Values below `bucketsPerPower` have buckets of their own; then each power of two has as many. */
function bucketOf(value: number): number {
  const power = Math.max(0, Math.floor(Math.log2(Math.max(1, value))) - powerBits);
  if (power >= powers) return bucketsPerPower * (powers + 1) - 1;
  return power * bucketsPerPower + Math.floor(value / 2 ** power);
}

function middleOf(bucket: number): number {
  const power = Math.max(0, Math.floor(bucket / bucketsPerPower) - 1);
  return (bucket - power * bucketsPerPower + 0.5) * 2 ** power - 0.5;
}
