import { Aws, Duration, type Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, MathExpression, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { metrics } from '../../lambdas/contract/metrics.ts';
import { emittedOn, type Observed } from './observed.ts';

/** One alarm as data: its runbook article is docs/runbook.md#<article>. */
interface AlarmDefinition {
  readonly id: string;
  /** Heading of its article in the runbook. */
  readonly article: string;
  readonly says: string;
  readonly metric: IMetric;
  /** Fires at or above this. */
  readonly threshold: number;
  /** Periods of the metric in a row; a period is a minute but where a metric says otherwise. */
  readonly periods: number;
  /** Fires below the threshold instead, and where CloudWatch has heard nothing: silence is the failure. Default: false. */
  readonly whenSilent?: boolean;
  /**
   * It tells that something happened, and ends by itself minutes later although what happened is not mended:
   * nobody is told that it is over. Default: false.
   */
  readonly event?: boolean;
}

const minute = { period: Duration.minutes(1) };
const most = { ...minute, statistic: Stats.MAXIMUM };
const sum = { ...minute, statistic: Stats.SUM };

function consumerAlarms({ consumers, stage }: Observed): AlarmDefinition[] {
  const emitted = emittedOn(stage.name);
  return consumers.flatMap(({ name, node: { id }, queue, deadLetters }) => [
    {
      id: `${id}Backlog`,
      article: 'backlog',
      says: `${name} has more messages waiting than it works off`,
      metric: queue.metricApproximateNumberOfMessagesVisible(most),
      threshold: 1000,
      periods: 10,
    },
    {
      id: `${id}Age`,
      article: 'age',
      says: `messages wait for ${name} longer than customers should`,
      metric: queue.metricApproximateAgeOfOldestMessage(most),
      threshold: Math.min(300, stage.durations.retry.windowSeconds),
      periods: 5,
    },
    {
      id: `${id}CriticalTime`,
      article: 'critical-time',
      // SQS's own age ignores messages that were received three times or more; this one does not.
      says: `${name} handles messages long after they were committed`,
      metric: emitted(metrics.criticalTime, name),
      threshold: 120_000,
      periods: 5,
    },
    {
      id: `${id}DeadLetters`,
      article: 'dead-letters',
      says: `${name} has dead letters: somebody must look`,
      metric: deadLetters.metricApproximateNumberOfMessagesVisible(most),
      threshold: 1,
      periods: 1,
    },
    {
      // The alarm above stays on until the queue is empty, and an alarm that is on notifies nobody of the next letter.
      id: `${id}DeadLettered`,
      article: 'dead-letters',
      says: `${name} just gave up a message, whether or not older dead letters are still there`,
      metric: emitted(metrics.deadLetters, name),
      threshold: 1,
      periods: 1,
      event: true,
    },
  ]);
}

function functionAlarms({ functions }: Observed): AlarmDefinition[] {
  return functions.flatMap((target) => {
    const { id, path, scope } = target.node;
    const name = id === 'Function' ? `${scope!.node.id}Function` : id;
    return [
      {
        id: `${name}Errors`,
        article: 'errors',
        says: `${path} fails as a whole: it crashes, times out or runs out of memory`,
        metric: target.metricErrors(sum),
        threshold: 1,
        periods: 3,
      },
      {
        id: `${name}Throttles`,
        article: 'throttles',
        says: `${path} is throttled by the account's concurrency`,
        metric: target.metricThrottles(sum),
        threshold: 1,
        periods: 3,
      },
    ];
  });
}

function outboxAlarms({ publisher, relay, streamFailures, stage }: Observed): AlarmDefinition[] {
  const emitted = emittedOn(stage.name);
  return [
    {
      id: 'PublishLag',
      article: 'publish-lag',
      says: 'messages are sent long after they were committed',
      metric: emitted(metrics.publishLag, 'outbox-publisher'),
      threshold: 10_000,
      periods: 5,
    },
    {
      id: 'IteratorAge',
      article: 'iterator-age',
      says: 'the publisher is behind its stream; after 24 hours records are gone',
      metric: publisher.metric('IteratorAge', most),
      threshold: 60_000,
      periods: 5,
    },
    {
      id: 'StreamFailures',
      article: 'stream-failures',
      says: 'the stream gave up a batch: its rows are still PENDING in the outbox',
      metric: streamFailures.metricApproximateNumberOfMessagesVisible(most),
      threshold: 1,
      periods: 1,
    },
    {
      id: 'StreamGaveUp',
      article: 'stream-failures',
      says: 'the stream just gave up a batch, whether or not older reports are still there',
      metric: streamFailures.metricNumberOfMessagesSent(sum),
      threshold: 1,
      periods: 1,
      event: true,
    },
    {
      id: 'DeadRows',
      article: 'dead-rows',
      says: 'outbox rows were given up: their messages were not sent to everyone',
      metric: emitted(metrics.deadRows, 'outbox-relay', { statistic: Stats.MAXIMUM }),
      threshold: 1,
      periods: 1,
    },
    ...['outbox-publisher', 'outbox-relay'].map((service) => ({
      id: service === 'outbox-relay' ? 'RelayGaveUpRows' : 'PublisherGaveUpRows',
      article: 'dead-rows',
      says: `${service} just gave up outbox rows, whether or not older dead rows are still there`,
      metric: emitted(metrics.rowsDead, service),
      threshold: 1,
      periods: 1,
      event: true,
    })),
    {
      id: 'OverdueRows',
      article: 'overdue-rows',
      says: 'outbox rows that are due are not being relayed',
      metric: emitted(metrics.overdueUnsent, 'outbox-relay', { statistic: Stats.MAXIMUM }),
      threshold: 1,
      periods: 5,
    },
    {
      id: 'UnsentRows',
      article: 'unsent-rows',
      // A row whose queue is down is never overdue: the relay puts it off. The stream goes on meanwhile, and its age shows nothing.
      says: 'a message has not reached all of its queues a quarter of an hour after its commit: one of them is down',
      metric: emitted(metrics.oldestUnsentAge, 'outbox-relay', { statistic: Stats.MAXIMUM }),
      threshold: 15 * 60,
      periods: 5,
    },
    {
      id: 'RelaySilent',
      article: 'relay-silent',
      says: 'the relay did not run for five minutes: nothing watches the outbox',
      metric: relay.metricInvocations(sum),
      threshold: 1,
      periods: 5,
      whenSilent: true,
    },
  ];
}

function apiAlarms({ api }: Observed): AlarmDefinition[] {
  return [
    {
      id: 'Api5xx',
      article: 'api-5xx',
      says: 'the API answers with server errors',
      metric: api.metricServerError(sum),
      threshold: 5,
      periods: 3,
    },
    {
      id: 'ApiLatency',
      article: 'api-latency',
      says: 'the slowest hundredth of requests takes longer than two seconds',
      metric: api.metricLatency({ ...minute, statistic: Stats.percentile(99) }),
      threshold: 2000,
      periods: 10,
    },
  ];
}

function orderAlarms({ sweep, stage }: Observed): AlarmDefinition[] {
  const emitted = emittedOn(stage.name);
  /** Percentage of failed orders among those with an answer; 0 while there are too few to say anything. */
  const failedShare = (enough: string, period: Duration): IMetric =>
    new MathExpression({
      expression: `IF(${enough}, 100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(confirmed, 0)), 0)`,
      usingMetrics: {
        confirmed: emitted(metrics.ordersConfirmed, 'order-saga', { period }),
        failed: emitted(metrics.ordersFailed, 'order-saga', { period }),
      },
      period,
    });
  return [
    {
      id: 'SweepSilent',
      article: 'sweep-silent',
      says: 'the sweep did not run for five minutes: no deadline passes and no order is closed',
      metric: sweep.metricInvocations(sum),
      threshold: 1,
      periods: 5,
      whenSilent: true,
    },
    {
      id: 'SettleTime',
      article: 'settle-time',
      says: 'orders take minutes to settle',
      metric: emitted(metrics.settleTime, 'order-saga'),
      threshold: 300_000,
      periods: 10,
    },
    {
      id: 'StuckOrders',
      article: 'stuck-orders',
      says: 'nobody answers an undo: money or stock of an order hangs',
      metric: emitted(metrics.ordersStuck, 'order-sweep', { statistic: Stats.MAXIMUM }),
      threshold: 1,
      periods: 1,
    },
    {
      id: 'UnclosedOrders',
      article: 'unclosed-orders',
      says: 'orders settled long ago, and somebody still does not know: the read model, or the customer',
      metric: emitted(metrics.ordersUnclosed, 'order-sweep', { statistic: Stats.MAXIMUM }),
      threshold: 1,
      periods: 1,
    },
    {
      id: 'RefusedMails',
      article: 'refused-mails',
      // One customer may mistype an address; several in a row are something else.
      says: 'the mail service refuses e-mails to customers, and they are not tried again',
      metric: emitted(metrics.mailsRefused, 'notification'),
      threshold: 1,
      periods: 3,
    },
    {
      id: 'FailedOrders',
      article: 'failed-orders',
      says: 'at least half of many orders fail: a provider declines everything, or stock is wrong',
      metric: failedShare('FILL(failed, 0) + FILL(confirmed, 0) >= 20', Duration.minutes(1)),
      threshold: 50,
      periods: 10,
    },
    {
      // A small shop never has twenty orders a minute. One or two failures are a customer's card.
      id: 'FailedOrdersInAnHour',
      article: 'failed-orders',
      says: 'at least three orders failed within an hour, and at least half of all: a provider declines everything, or stock is wrong',
      metric: failedShare('FILL(failed, 0) >= 3', Duration.hours(1)),
      threshold: 50,
      periods: 1,
    },
  ];
}

/** Creates every alarm, the topic that they notify, and the subscription of an operator's mailbox where one is given. */
export function addAlarms(stack: Stack, observed: Observed & { readonly email?: string | undefined }): void {
  const action = new SnsAction(alarmTopic(stack, observed.email));
  const all = [consumerAlarms, functionAlarms, outboxAlarms, apiAlarms, orderAlarms].flatMap((of) => of(observed));
  for (const { id, article, says, metric, threshold, periods, whenSilent = false, event = false } of all) {
    const alarm = new Alarm(stack, `${id}Alarm`, {
      alarmDescription: `${says}. Runbook: docs/runbook.md#${article}`,
      metric,
      threshold,
      evaluationPeriods: periods,
      comparisonOperator: whenSilent ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: whenSilent ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(action);
    if (!event) alarm.addOkAction(action);
  }
}

function alarmTopic(stack: Stack, email: string | undefined): Topic {
  const topic = new Topic(stack, 'AlarmTopic', { enforceSSL: true, displayName: `${stack.stackName} alarms` });
  // enforceSSL gives the topic a policy of its own. SNS's default policy, which lets the account's alarms publish, is then gone.
  topic.addToResourcePolicy(
    new PolicyStatement({
      sid: 'AlarmsOfThisAccount',
      effect: Effect.ALLOW,
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  );
  if (email) topic.addSubscription(new EmailSubscription(email));
  return topic;
}
