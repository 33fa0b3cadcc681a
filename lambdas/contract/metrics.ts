import { coreMetrics } from '@outbox-saga/kit/telemetry/metrics';

/** Namespace of all metrics of the order system. */
export const metricNamespace = 'OrderSaga';

/** All metrics of the order system: those of the machinery and those about orders. */
export const metrics = {
  ...coreMetrics,
  ordersAccepted: { name: 'OrdersAccepted', unit: 'Count' },
  ordersReplayed: { name: 'OrdersReplayed', unit: 'Count' },
  /** Placed → settled, ms. */
  settleTime: { name: 'SettleTime', unit: 'Milliseconds' },
  ordersConfirmed: { name: 'OrdersConfirmed', unit: 'Count' },
  ordersCancelled: { name: 'OrdersCancelled', unit: 'Count' },
  /** All, and once more with a dimension `code` beside the others: one of the failure codes. */
  ordersFailed: { name: 'OrdersFailed', unit: 'Count' },
  ordersClosed: { name: 'OrdersClosed', unit: 'Count' },
  /** Steps asked again or given up by the sweep. */
  ordersReminded: { name: 'OrdersNudged', unit: 'Count' },
  /** Gauge: orders whose undo is not answered. */
  ordersStuck: { name: 'OrdersStuck', unit: 'Count' },
  /** Gauge: settled orders that are not closed, long after they should be. */
  ordersUnclosed: { name: 'OrdersUnclosed', unit: 'Count' },
  /** Read-model items rebuilt from their order, because an earlier message did not come. */
  viewsRepaired: { name: 'ViewsRepaired', unit: 'Count' },
  /** E-mails that the mail service refused for good. */
  mailsRefused: { name: 'MailsRefused', unit: 'Count' },
  openOrders: { name: 'OpenOrders', unit: 'Count' },
} as const;
