/** One metric under one set of dimensions. */
interface Series {
  readonly name: string;
  readonly unit: string;
  readonly dimensions: Readonly<Record<string, string>>;
  count: number;
  sum: number;
  min: number;
  max: number;
  last: number;
  /** The newest values, for percentiles. */
  readonly values: number[];
}

const keptValues = 5000;

interface EmbeddedMetrics {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit?: string }[];
    }[];
  };
  readonly [name: string]: unknown;
}

/** Collects what functions write in CloudWatch's embedded metric format, as CloudWatch would. */
export class MetricCollector {
  readonly #series = new Map<string, Series>();

  /** @returns false when the line is not in the embedded metric format */
  collect(line: Readonly<Record<string, unknown>>): boolean {
    if (!Object.hasOwn(line, '_aws')) return false;
    const { _aws, ...fields } = line as EmbeddedMetrics;
    for (const { Dimensions, Metrics } of _aws.CloudWatchMetrics) {
      for (const names of Dimensions) {
        const dimensions = Object.fromEntries(names.map((name) => [name, String(fields[name])]));
        for (const { Name, Unit } of Metrics) {
          for (const value of [fields[Name]].flat()) if (typeof value === 'number') this.#add(Name, Unit ?? 'None', dimensions, value);
        }
      }
    }
    return true;
  }

  #add(name: string, unit: string, dimensions: Record<string, string>, value: number): void {
    const key = JSON.stringify([name, dimensions]);
    let series = this.#series.get(key);
    if (!series) {
      series = { name, unit, dimensions, count: 0, sum: 0, min: value, max: value, last: value, values: [] };
      this.#series.set(key, series);
    }
    series.count++;
    series.sum += value;
    series.min = Math.min(series.min, value);
    series.max = Math.max(series.max, value);
    series.last = value;
    series.values.push(value);
    if (series.values.length > keptValues) series.values.shift();
  }

  /** All metrics so far, by name; percentiles are over the newest values. */
  report(): Record<string, unknown>[] {
    return [...this.#series.values()]
      .map(({ values, ...series }) => {
        const sorted = values.toSorted((a, b) => a - b);
        const at = (part: number): number | undefined => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
        return { ...series, p50: at(0.5), p99: at(0.99) };
      })
      .sort((a, b) => a.name.localeCompare(b.name));
  }
}
