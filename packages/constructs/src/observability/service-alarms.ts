import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { coreMetrics } from '@outbox-saga/kit/telemetry/metrics';
import type { Consumer } from '../consumer.ts';
import type { Outbox } from '../outbox.ts';
import type { ServiceFunction } from '../service-function.ts';
import { maximum, sum, type AlarmDefinition } from './alarm.ts';

/** From which value on alarms of a consumer fire. */
export interface ConsumerThresholds {
  /** Messages that wait, for ten minutes. Default: 1,000. */
  readonly backlog?: number;
  /** Seconds that the oldest message has waited, for five minutes. Default: 300. */
  readonly ageSeconds?: number;
  /** Seconds from commit to handled, of the slowest hundredth, for five minutes. Default: 120. */
  readonly criticalTimeSeconds?: number;
}

/** Alarms of one consumer: it falls behind, or gives messages up. */
export function consumerAlarms(
  { name, node: { id }, queue, deadLetters, function: target }: Consumer,
  { backlog = 1000, ageSeconds = 300, criticalTimeSeconds = 120 }: ConsumerThresholds = {},
): AlarmDefinition[] {
  return [
    {
      id: `${id}Backlog`,
      article: 'backlog',
      says: `${name} has more messages waiting than it works off`,
      metric: queue.metricApproximateNumberOfMessagesVisible(maximum),
      threshold: backlog,
      periods: 10,
    },
    {
      id: `${id}Age`,
      article: 'age',
      says: `messages wait for ${name} longer than customers should`,
      metric: queue.metricApproximateAgeOfOldestMessage(maximum),
      threshold: ageSeconds,
      periods: 5,
    },
    {
      id: `${id}CriticalTime`,
      article: 'critical-time',
      // SQS's own age ignores messages that were received three times or more; this one does not.
      says: `${name} handles messages long after they were committed`,
      metric: target.metricEmitted(coreMetrics.criticalTime),
      threshold: criticalTimeSeconds * 1000,
      periods: 5,
    },
    {
      id: `${id}DeadLetters`,
      article: 'dead-letters',
      says: `${name} has dead letters: somebody must look`,
      metric: deadLetters.metricApproximateNumberOfMessagesVisible(maximum),
      threshold: 1,
      periods: 1,
    },
    {
      // The alarm above stays on until the queue is empty, and an alarm that is on notifies nobody of the next letter.
      id: `${id}DeadLettered`,
      article: 'dead-letters',
      says: `${name} just gave up a message, whether or not older dead letters are still there`,
      metric: target.metricEmitted(coreMetrics.deadLetters),
      threshold: 1,
      periods: 1,
      event: true,
    },
  ];
}

/** Alarms of one function: whole invocations fail, or are throttled. */
export function functionAlarms(target: ServiceFunction): AlarmDefinition[] {
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
}

/** Alarm of a scheduled function that does not run. It is a call for five minutes in a row without an invocation. */
export function silenceAlarm(id: string, article: string, says: string, target: ServiceFunction): AlarmDefinition {
  return { id, article, says, metric: target.metricInvocations(sum), threshold: 1, periods: 5, whenSilent: true };
}

/** Alarms of an outbox: messages are late, given up, or nobody looks. */
export function outboxAlarms(outbox: Outbox): AlarmDefinition[] {
  return [...publisherAlarms(outbox), ...relayAlarms(outbox)];
}

function gaveUpRows(id: string, target: ServiceFunction): AlarmDefinition {
  return {
    id,
    article: 'dead-rows',
    says: `${target.serviceName} just gave up outbox rows, whether or not older dead rows are still there`,
    metric: target.metricEmitted(coreMetrics.rowsDead),
    threshold: 1,
    periods: 1,
    event: true,
  };
}

function publisherAlarms({ publisher, streamFailures }: Outbox): AlarmDefinition[] {
  return [
    {
      id: 'PublishLag',
      article: 'publish-lag',
      says: 'messages are sent long after they were committed',
      metric: publisher.metricEmitted(coreMetrics.publishLag),
      threshold: 10_000,
      periods: 5,
    },
    {
      id: 'IteratorAge',
      article: 'iterator-age',
      says: 'the publisher is behind its stream; after 24 hours records are gone',
      metric: publisher.metric('IteratorAge', maximum),
      threshold: 60_000,
      periods: 5,
    },
    {
      id: 'StreamFailures',
      article: 'stream-failures',
      says: 'the stream gave up a batch: its rows are still PENDING in the outbox',
      metric: streamFailures.metricApproximateNumberOfMessagesVisible(maximum),
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
    gaveUpRows('PublisherGaveUpRows', publisher),
  ];
}

function relayAlarms({ relay }: Outbox): AlarmDefinition[] {
  return [
    {
      id: 'DeadRows',
      article: 'dead-rows',
      says: 'outbox rows were given up: their messages were not sent to everyone',
      metric: relay.metricEmitted(coreMetrics.deadRows, maximum),
      threshold: 1,
      periods: 1,
    },
    gaveUpRows('RelayGaveUpRows', relay),
    {
      id: 'OverdueRows',
      article: 'overdue-rows',
      says: 'outbox rows that are due are not being relayed',
      metric: relay.metricEmitted(coreMetrics.overdueUnsent, maximum),
      threshold: 1,
      periods: 5,
    },
    {
      id: 'UnsentRows',
      article: 'unsent-rows',
      // A row whose queue is down is never overdue: the relay puts it off. The stream goes on meanwhile, and its age shows nothing.
      says: 'a message has not reached all of its queues a quarter of an hour after its commit: one of them is down',
      metric: relay.metricEmitted(coreMetrics.oldestUnsentAge, maximum),
      threshold: 15 * 60,
      periods: 5,
    },
    silenceAlarm('RelaySilent', 'relay-silent', 'the relay did not run for five minutes: nothing watches the outbox', relay),
  ];
}

/** Alarms of an HTTP API: it fails, or is slow. */
export function apiAlarms(api: HttpApi): AlarmDefinition[] {
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
      metric: api.metricLatency({ ...sum, statistic: Stats.percentile(99) }),
      threshold: 2000,
      periods: 10,
    },
  ];
}
