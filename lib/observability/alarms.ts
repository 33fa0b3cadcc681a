import { Duration, Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, MathExpression, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { metrics } from '../../lambdas/contract/metrics.ts';
import { failureCodes } from '../../lambdas/contract/order.ts';
import { emitted, type Observed } from './observed.ts';

/** One alarm as data: its runbook article is docs/runbook.md#<article>. */
interface AlarmDefinition {
  readonly id: string;
  /** Heading of its article in the runbook. */
  readonly article: string;
  readonly says: string;
  readonly metric: IMetric;
  /** Fires at or above this. */
  readonly threshold: number;
  /** Minutes in a row. */
  readonly minutes: number;
}

const minute = { period: Duration.minutes(1) };

function definitions({ consumers, publisher, relay, streamFailures, functions, api, stage }: Observed): AlarmDefinition[] {
  const nameOf = (target: { node: { id: string; scope?: Construct } }): string => target.node.id;
  const retryWindow = stage.durations.retry.windowSeconds;
  return [
    ...consumers.flatMap(({ name, node: { id }, queue, deadLetters }): AlarmDefinition[] => [
      {
        id: `${id}Backlog`,
        article: 'backlog',
        says: `${name} has more messages waiting than it works off`,
        metric: queue.metricApproximateNumberOfMessagesVisible({ ...minute, statistic: Stats.MAXIMUM }),
        threshold: 1000,
        minutes: 10,
      },
      {
        id: `${id}Age`,
        article: 'age',
        says: `messages wait for ${name} longer than customers should`,
        metric: queue.metricApproximateAgeOfOldestMessage({ ...minute, statistic: Stats.MAXIMUM }),
        threshold: Math.min(300, retryWindow),
        minutes: 5,
      },
      {
        id: `${id}CriticalTime`,
        article: 'critical-time',
        // SQS's own age ignores messages that were received three times or more; this one does not.
        says: `${name} handles messages long after they were committed`,
        metric: emitted(metrics.criticalTime, name),
        threshold: 120_000,
        minutes: 5,
      },
      {
        id: `${id}DeadLetters`,
        article: 'dead-letters',
        says: `${name} has dead letters: somebody must look`,
        metric: deadLetters.metricApproximateNumberOfMessagesVisible({ ...minute, statistic: Stats.MAXIMUM }),
        threshold: 1,
        minutes: 1,
      },
    ]),
    ...functions.flatMap((target): AlarmDefinition[] => {
      const id = nameOf(target) === 'Function' ? `${target.node.scope!.node.id}Function` : nameOf(target);
      return [
        {
          id: `${id}Errors`,
          article: 'errors',
          says: `${target.node.path} fails as a whole: it crashes, times out or runs out of memory`,
          metric: target.metricErrors({ ...minute, statistic: Stats.SUM }),
          threshold: 1,
          minutes: 3,
        },
        {
          id: `${id}Throttles`,
          article: 'throttles',
          says: `${target.node.path} is throttled by the account's concurrency`,
          metric: target.metricThrottles({ ...minute, statistic: Stats.SUM }),
          threshold: 1,
          minutes: 3,
        },
      ];
    }),
    {
      id: 'PublishLag',
      article: 'publish-lag',
      says: 'messages are sent long after they were committed',
      metric: emitted(metrics.publishLag, 'outbox-publisher'),
      threshold: 10_000,
      minutes: 5,
    },
    {
      id: 'IteratorAge',
      article: 'iterator-age',
      says: 'the publisher is behind its stream; after 24 hours records are gone',
      metric: publisher.metric('IteratorAge', { ...minute, statistic: Stats.MAXIMUM }),
      threshold: 60_000,
      minutes: 5,
    },
    {
      id: 'StreamFailures',
      article: 'stream-failures',
      says: 'the stream gave up a batch: its rows are still PENDING in the outbox',
      metric: streamFailures.metricApproximateNumberOfMessagesVisible({ ...minute, statistic: Stats.MAXIMUM }),
      threshold: 1,
      minutes: 1,
    },
    {
      id: 'DeadRows',
      article: 'dead-rows',
      says: 'outbox rows were given up: their messages were not sent to everyone',
      metric: emitted(metrics.deadRows, 'outbox-relay', { statistic: Stats.MAXIMUM }),
      threshold: 1,
      minutes: 1,
    },
    {
      id: 'OverdueRows',
      article: 'overdue-rows',
      says: 'outbox rows that are due are not being relayed',
      metric: emitted(metrics.overdueUnsent, 'outbox-relay', { statistic: Stats.MAXIMUM }),
      threshold: 1,
      minutes: 5,
    },
    {
      id: 'RelaySilent',
      article: 'relay-silent',
      says: 'the relay did not run for five minutes: nothing watches the outbox',
      metric: new MathExpression({
        expression: 'IF(FILL(runs, 0) < 1, 1, 0)',
        usingMetrics: { runs: relay.metricInvocations({ ...minute, statistic: Stats.SUM }) },
        period: Duration.minutes(1),
      }),
      threshold: 1,
      minutes: 5,
    },
    {
      id: 'Api5xx',
      article: 'api-5xx',
      says: 'the API answers with server errors',
      metric: api.metricServerError({ ...minute, statistic: Stats.SUM }),
      threshold: 5,
      minutes: 3,
    },
    {
      id: 'ApiLatency',
      article: 'api-latency',
      says: 'the slowest hundredth of requests takes longer than two seconds',
      metric: api.metricLatency({ ...minute, statistic: Stats.percentile(99) }),
      threshold: 2000,
      minutes: 10,
    },
    {
      id: 'SettleTime',
      article: 'settle-time',
      says: 'orders take minutes to settle',
      metric: emitted(metrics.settleTime, 'order-saga'),
      threshold: 300_000,
      minutes: 10,
    },
    {
      id: 'StuckOrders',
      article: 'stuck-orders',
      says: 'nobody answers an undo: money or stock of an order hangs',
      metric: emitted(metrics.ordersStuck, 'order-sweep', { statistic: Stats.MAXIMUM }),
      threshold: 1,
      minutes: 1,
    },
    {
      id: 'FailedOrders',
      article: 'failed-orders',
      says: 'most orders fail: a provider declines everything, or stock is wrong',
      metric: new MathExpression({
        expression: 'IF(FILL(failed, 0) + FILL(confirmed, 0) >= 20, 100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(confirmed, 0)), 0)',
        usingMetrics: {
          confirmed: emitted(metrics.ordersConfirmed, 'order-saga'),
          failed: new MathExpression({
            expression: failureCodes.map((_, i) => `FILL(failed${i}, 0)`).join(' + '),
            usingMetrics: Object.fromEntries(
              failureCodes.map((code, i) => [`failed${i}`, emitted(metrics.ordersFailed, 'order-saga', { dimensionsMap: { code } })]),
            ),
            period: Duration.minutes(1),
          }),
        },
        period: Duration.minutes(1),
      }),
      threshold: 50,
      minutes: 10,
    },
  ];
}

/** Creates every alarm, the topic that they notify, and the subscription of an operator's mailbox where one is given. */
export function addAlarms(stack: Stack, observed: Observed & { readonly email?: string | undefined }): void {
  const topic = new Topic(stack, 'AlarmTopic', { enforceSSL: true, displayName: `${stack.stackName} alarms` });
  if (observed.email) topic.addSubscription(new EmailSubscription(observed.email));
  const action = new SnsAction(topic);
  for (const { id, article, says, metric, threshold, minutes } of definitions(observed)) {
    const alarm = new Alarm(stack, `${id}Alarm`, {
      alarmDescription: `${says}. Runbook: docs/runbook.md#${article}`,
      metric,
      threshold,
      evaluationPeriods: minutes,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
  }
}
