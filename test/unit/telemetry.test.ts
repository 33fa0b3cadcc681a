import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { metricNamespace, metrics } from '../../lambdas/contract/metrics.ts';
import { createTelemetry } from '@outbox-saga/kit/telemetry/telemetry';

interface MetricLine {
  readonly _aws: { readonly CloudWatchMetrics: { readonly Namespace: string; readonly Dimensions: readonly (readonly string[])[] }[] };
  readonly [field: string]: unknown;
}

let written: string[];
beforeEach(() => {
  written = [];
  vi.stubEnv('POWERTOOLS_METRICS_NAMESPACE', metricNamespace);
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const lines = (): MetricLine[] => written.map((text) => JSON.parse(text) as MetricLine);
const seriesOf = ({ _aws, ...fields }: MetricLine): unknown[] =>
  _aws.CloudWatchMetrics.flatMap(({ Dimensions }) =>
    Dimensions.map((names) => Object.fromEntries(names.map((name) => [name, fields[name]]))),
  );

describe('a metric', () => {
  it('is written with the function and its stage, once for an invocation', () => {
    const telemetry = createTelemetry('order-saga', 'dev');
    telemetry.measure(metrics.ordersConfirmed, 1);
    telemetry.measure(metrics.settleTime, 800);
    telemetry.flush();
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).toMatchObject({ OrdersConfirmed: 1, SettleTime: 800 });
    expect(lines()[0]!._aws.CloudWatchMetrics.map(({ Namespace }) => Namespace)).toEqual([metricNamespace]);
    expect(seriesOf(lines()[0]!)).toEqual([{ service: 'order-saga', stage: 'dev' }]);
  });

  it('carries both beside dimensions of its own, and counts in the total of the invocation too', () => {
    const telemetry = createTelemetry('order-saga', 'prod');
    telemetry.measureBy(metrics.ordersFailed, 1, { code: 'OUT_OF_STOCK' });
    telemetry.measureBy(metrics.ordersFailed, 1, { code: 'UNDELIVERABLE' });
    telemetry.flush();
    expect(lines().map((line) => [seriesOf(line), line['OrdersFailed']])).toEqual([
      [[{ service: 'order-saga', stage: 'prod', code: 'OUT_OF_STOCK' }], 1],
      [[{ service: 'order-saga', stage: 'prod', code: 'UNDELIVERABLE' }], 1],
      [[{ service: 'order-saga', stage: 'prod' }], [1, 1]],
    ]);
  });
});
