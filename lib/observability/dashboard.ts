import { Duration, type Stack } from 'aws-cdk-lib';
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  PeriodOverride,
  SingleValueWidget,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { metrics } from '../../lambdas/contract/metrics.ts';
import { failureCodes } from '../../lambdas/contract/order.ts';
import { emittedOn, type Observed } from './observed.ts';

const minute = { period: Duration.minutes(1) };

/** One page that answers, from top to bottom: do customers get answers, is anything stuck, and where. */
export function addDashboard(stack: Stack, { consumers, publisher, functions, api, stage }: Observed): void {
  const emitted = emittedOn(stage.name);
  const dashboard = new Dashboard(stack, 'Dashboard', { periodOverride: PeriodOverride.AUTO, defaultInterval: Duration.hours(3) });
  const row = (...widgets: IWidget[]): void => dashboard.addWidgets(...widgets);
  const graph = (title: string, left: IMetric[], width = 8): GraphWidget => new GraphWidget({ title, left, width, height: 6 });
  const relay = (metric: (typeof metrics)[keyof typeof metrics]): IMetric => emitted(metric, 'outbox-relay', { statistic: Stats.MAXIMUM });

  row(new TextWidget({ width: 24, height: 1, markdown: '## Orders' }));
  row(
    graph('Accepted', [emitted(metrics.ordersAccepted, 'place-order'), emitted(metrics.ordersReplayed, 'place-order')]),
    graph('Outcomes', [
      emitted(metrics.ordersConfirmed, 'order-saga'),
      emitted(metrics.ordersCancelled, 'order-saga'),
      ...failureCodes.map((code) => emitted(metrics.ordersFailed, 'order-saga', { dimensionsMap: { code }, label: code })),
    ]),
    graph('Placed → settled', [
      emitted(metrics.settleTime, 'order-saga', { statistic: Stats.percentile(50), label: 'p50' }),
      emitted(metrics.settleTime, 'order-saga', { label: 'p99' }),
    ]),
  );
  row(
    graph('API latency', [
      api.metricLatency({ ...minute, statistic: Stats.percentile(50), label: 'p50' }),
      api.metricLatency({ ...minute, statistic: Stats.percentile(99), label: 'p99' }),
    ]),
    graph('API errors', [
      api.metricClientError({ ...minute, statistic: Stats.SUM, label: '4xx' }),
      api.metricServerError({ ...minute, statistic: Stats.SUM, label: '5xx' }),
    ]),
    new SingleValueWidget({ title: 'Open orders', metrics: [relay(metrics.openOrders)], width: 8, height: 6 }),
  );

  row(new TextWidget({ width: 24, height: 1, markdown: '## Outbox' }));
  row(
    graph('Committed → sent', [
      emitted(metrics.publishLag, 'outbox-publisher', { statistic: Stats.percentile(50), label: 'p50' }),
      emitted(metrics.publishLag, 'outbox-publisher', { label: 'p99' }),
    ]),
    graph('Stream iterator age', [publisher.metric('IteratorAge', { ...minute, statistic: Stats.MAXIMUM })]),
    graph('Rows that need attention', [
      relay(metrics.overdueUnsent),
      relay(metrics.sendingRows),
      relay(metrics.failedRows),
      relay(metrics.deadRows),
    ]),
  );

  row(new TextWidget({ width: 24, height: 1, markdown: '## Consumers' }));
  for (const { name, queue, deadLetters } of consumers) {
    row(
      graph(`${name}: waiting`, [
        queue.metricApproximateNumberOfMessagesVisible({ ...minute, statistic: Stats.MAXIMUM, label: 'backlog' }),
        queue.metricApproximateNumberOfMessagesNotVisible({ ...minute, statistic: Stats.MAXIMUM, label: 'in flight' }),
        deadLetters.metricApproximateNumberOfMessagesVisible({ ...minute, statistic: Stats.MAXIMUM, label: 'dead letters' }),
      ]),
      graph(`${name}: committed → handled`, [
        emitted(metrics.criticalTime, name, { statistic: Stats.percentile(50), label: 'p50' }),
        emitted(metrics.criticalTime, name, { label: 'p99' }),
        queue.metricApproximateAgeOfOldestMessage({ ...minute, statistic: Stats.MAXIMUM, label: 'oldest (s)' }),
      ]),
      graph(`${name}: messages`, [emitted(metrics.handled, name), emitted(metrics.retries, name), emitted(metrics.deadLetters, name)]),
    );
  }

  row(new TextWidget({ width: 24, height: 1, markdown: '## Functions' }));
  row(
    graph(
      'Errors',
      functions.map((target) => target.metricErrors({ ...minute, statistic: Stats.SUM, label: target.node.path })),
      12,
    ),
    graph(
      'Throttles',
      functions.map((target) => target.metricThrottles({ ...minute, statistic: Stats.SUM, label: target.node.path })),
      12,
    ),
  );
}
