import { Duration } from 'aws-cdk-lib';
import { type IMetric, MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import { metrics } from '../../lambdas/contract/metrics.ts';
import { maximum, type AlarmDefinition } from '@outbox-saga/constructs/observability/alarm';
import { silenceAlarm } from '@outbox-saga/constructs/observability/service-alarms';
import type { OrderServices } from '../services/order-services.ts';

/** Alarms that are about orders, whatever the machinery below them does. */
export function orderAlarms(services: OrderServices): AlarmDefinition[] {
  const [saga, sweep, notification] = [services.made('order-saga'), services.made('order-sweep'), services.made('notification')];
  return [
    silenceAlarm('SweepSilent', 'sweep-silent', 'the sweep did not run for five minutes: no deadline passes and no order is closed', sweep),
    {
      id: 'SettleTime',
      article: 'settle-time',
      says: 'orders take minutes to settle',
      metric: saga.metricEmitted(metrics.settleTime),
      threshold: 300_000,
      periods: 10,
    },
    {
      id: 'StuckOrders',
      article: 'stuck-orders',
      says: 'nobody answers an undo: money or stock of an order hangs',
      metric: sweep.metricEmitted(metrics.ordersStuck, maximum),
      threshold: 1,
      periods: 1,
    },
    {
      id: 'UnclosedOrders',
      article: 'unclosed-orders',
      says: 'orders settled long ago, and somebody still does not know: the read model, or the customer',
      metric: sweep.metricEmitted(metrics.ordersUnclosed, maximum),
      threshold: 1,
      periods: 1,
    },
    {
      id: 'RefusedMails',
      article: 'refused-mails',
      // One customer may mistype an address; several in a row are something else.
      says: 'the mail service refuses e-mails to customers, and they are not tried again',
      metric: notification.metricEmitted(metrics.mailsRefused),
      threshold: 1,
      periods: 3,
    },
    {
      id: 'FailedOrders',
      article: 'failed-orders',
      says: 'at least half of many orders fail: a provider declines everything, or stock is wrong',
      metric: failedShare(services, 'FILL(failed, 0) + FILL(confirmed, 0) >= 20', Duration.minutes(1)),
      threshold: 50,
      periods: 10,
    },
    {
      // A small shop never has twenty orders a minute. One or two failures are a customer's card.
      id: 'FailedOrdersInAnHour',
      article: 'failed-orders',
      says: 'at least three orders failed within an hour, and at least half of all: a provider declines everything, or stock is wrong',
      metric: failedShare(services, 'FILL(failed, 0) >= 3', Duration.hours(1)),
      threshold: 50,
      periods: 1,
    },
  ];
}

/** Percentage of failed orders among those with an answer; 0 while there are too few to say anything. */
function failedShare(services: OrderServices, enough: string, period: Duration): IMetric {
  const saga = services.made('order-saga');
  return new MathExpression({
    expression: `IF(${enough}, 100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(confirmed, 0)), 0)`,
    usingMetrics: {
      confirmed: saga.metricEmitted(metrics.ordersConfirmed, { period }),
      failed: saga.metricEmitted(metrics.ordersFailed, { period }),
    },
    period,
  });
}
