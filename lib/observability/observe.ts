import { Duration, type Stack } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Dashboard, PeriodOverride, SingleValueWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { metrics } from '../../lambdas/contract/metrics.ts';
import { failureCodes } from '../../lambdas/contract/order.ts';
import { addAlarms, maximum } from '@outbox-saga/constructs/observability/alarm';
import { apiAlarms, consumerAlarms, functionAlarms, outboxAlarms } from '@outbox-saga/constructs/observability/service-alarms';
import {
  apiGraphs,
  consumerGraphs,
  functionGraphs,
  graph,
  heading,
  outboxGraphs,
  percentiles,
  type Row,
} from '@outbox-saga/constructs/observability/widgets';
import type { Outbox } from '@outbox-saga/constructs/outbox';
import type { OrderServices } from '../services/order-services.ts';
import { orderAlarms } from './order-alarms.ts';

/** What is watched. It asks the services for their functions and consumers, so a new one is watched from its first deployment. */
export interface Observed {
  readonly services: OrderServices;
  readonly outbox: Outbox;
  readonly api: HttpApi;
}

/** One page that answers, from top to bottom: do customers get answers, is anything stuck, and where. */
export function addOrderDashboard(stack: Stack, { services, outbox, api }: Observed): void {
  const dashboard = new Dashboard(stack, 'Dashboard', { periodOverride: PeriodOverride.AUTO, defaultInterval: Duration.hours(3) });
  const openOrders = new SingleValueWidget({
    title: 'Open orders',
    metrics: [outbox.relay.metricEmitted(metrics.openOrders, maximum)],
    width: 8,
    height: 6,
  });
  const rows: readonly Row[] = [
    heading('Orders'),
    orderGraphs(services),
    [...apiGraphs(api), openOrders],
    heading('Outbox'),
    outboxGraphs(outbox),
    heading('Consumers'),
    ...services.consumers.map(consumerGraphs),
    heading('Functions'),
    functionGraphs(services.functions),
  ];
  for (const row of rows) dashboard.addWidgets(...row);
}

function orderGraphs(services: OrderServices): Row {
  const [placeOrder, saga] = [services.made('place-order'), services.made('order-saga')];
  return [
    graph('Accepted', [placeOrder.metricEmitted(metrics.ordersAccepted), placeOrder.metricEmitted(metrics.ordersReplayed)]),
    graph('Outcomes', [
      saga.metricEmitted(metrics.ordersConfirmed),
      saga.metricEmitted(metrics.ordersCancelled),
      ...failureCodes.map((code) => saga.metricEmitted(metrics.ordersFailed, { dimensionsMap: { code }, label: code })),
    ]),
    graph('Placed → settled', percentiles(saga, metrics.settleTime)),
  ];
}

/** Alarms of all parts, and of orders. */
export function addOrderAlarms(stack: Stack, { services, outbox, api }: Observed, email: string | undefined): void {
  // A message that was retried for the whole window is given up: its wait is over before five minutes on a stage whose window is shorter.
  const ageSeconds = Math.min(300, services.settings.durations.retry.windowSeconds);
  addAlarms(stack, {
    alarms: [
      ...services.consumers.flatMap((consumer) => consumerAlarms(consumer, { ageSeconds })),
      ...services.functions.flatMap(functionAlarms),
      ...outboxAlarms(outbox),
      ...apiAlarms(api),
      ...orderAlarms(services),
    ],
    runbook: 'docs/runbook.md',
    email,
  });
}
