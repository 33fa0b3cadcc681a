import { GraphWidget, type IMetric, type IWidget, Stats, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { coreMetrics, type MetricDefinition } from '@outbox-saga/kit/telemetry/metrics';
import type { Consumer } from '../consumer.ts';
import type { Outbox } from '../outbox.ts';
import type { ServiceFunction } from '../service-function.ts';
import { maximum, sum } from './alarm.ts';

/** Widgets beside each other; a dashboard is 24 wide. */
export type Row = readonly IWidget[];

export function heading(text: string): Row {
  return [new TextWidget({ width: 24, height: 1, markdown: `## ${text}` })];
}

/** @param width of 24. Default: 8 */
export function graph(title: string, left: IMetric[], width = 8): GraphWidget {
  return new GraphWidget({ title, left, width, height: 6 });
}

/** Median and slowest hundredth of a time that a function emits. */
export function percentiles(target: ServiceFunction, metric: MetricDefinition): IMetric[] {
  return [target.metricEmitted(metric, { statistic: Stats.percentile(50), label: 'p50' }), target.metricEmitted(metric, { label: 'p99' })];
}

/** How fast an API answers, and how often with errors. */
export function apiGraphs(api: HttpApi): Row {
  return [
    graph('API latency', [
      api.metricLatency({ ...sum, statistic: Stats.percentile(50), label: 'p50' }),
      api.metricLatency({ ...sum, statistic: Stats.percentile(99), label: 'p99' }),
    ]),
    graph('API errors', [api.metricClientError({ ...sum, label: '4xx' }), api.metricServerError({ ...sum, label: '5xx' })]),
  ];
}

/** How far publisher and relay are behind. */
export function outboxGraphs({ publisher, relay }: Outbox): Row {
  const { overdueUnsent, sendingRows, failedRows, deadRows } = coreMetrics;
  return [
    graph('Committed → sent', percentiles(publisher, coreMetrics.publishLag)),
    graph('Stream iterator age', [publisher.metric('IteratorAge', maximum)]),
    graph(
      'Rows that need attention',
      [overdueUnsent, sendingRows, failedRows, deadRows].map((metric) => relay.metricEmitted(metric, maximum)),
    ),
  ];
}

/** What waits for a consumer, how late it is, and what it did. */
export function consumerGraphs({ name, queue, deadLetters, function: target }: Consumer): Row {
  const { handled, retries, deadLetters: given } = coreMetrics;
  return [
    graph(`${name}: waiting`, [
      queue.metricApproximateNumberOfMessagesVisible({ ...maximum, label: 'backlog' }),
      queue.metricApproximateNumberOfMessagesNotVisible({ ...maximum, label: 'in flight' }),
      deadLetters.metricApproximateNumberOfMessagesVisible({ ...maximum, label: 'dead letters' }),
    ]),
    graph(`${name}: committed → handled`, [
      ...percentiles(target, coreMetrics.criticalTime),
      queue.metricApproximateAgeOfOldestMessage({ ...maximum, label: 'oldest (s)' }),
    ]),
    graph(
      `${name}: messages`,
      [handled, retries, given].map((metric) => target.metricEmitted(metric)),
    ),
  ];
}

/** Errors and throttled invocations of functions. */
export function functionGraphs(functions: readonly ServiceFunction[]): Row {
  return [
    graph(
      'Errors',
      functions.map((target) => target.metricErrors({ ...sum, label: target.node.path })),
      12,
    ),
    graph(
      'Throttles',
      functions.map((target) => target.metricThrottles({ ...sum, label: target.node.path })),
      12,
    ),
  ];
}
