/** Namespace of all metrics of this system. */
export const metricNamespace = 'OrderSaga';

/**
 * Metrics of the machinery, whatever the messages are about.
 * Dimension `service` is the function's name throughout; what a consumer emits is therefore per consumer.
 */
export const coreMetrics = {
  /** Commit → accepted by every queue, ms, at the publisher. */
  publishLag: { name: 'PublishLag', unit: 'Milliseconds' },
  /** Commit → handled, ms, per consumer. */
  criticalTime: { name: 'CriticalTime', unit: 'Milliseconds' },
  handled: { name: 'MessagesHandled', unit: 'Count' },
  retries: { name: 'MessageRetries', unit: 'Count' },
  deadLetters: { name: 'MessagesDeadLettered', unit: 'Count' },
  rowsSent: { name: 'OutboxRowsSent', unit: 'Count' },
  rowsFailed: { name: 'OutboxRowsFailed', unit: 'Count' },
  rowsDead: { name: 'OutboxRowsDead', unit: 'Count' },
  /** Gauges, once a minute by the relay. */
  overdueUnsent: { name: 'OverdueUnsentRows', unit: 'Count' },
  sendingRows: { name: 'SendingRows', unit: 'Count' },
  failedRows: { name: 'FailedRows', unit: 'Count' },
  deadRows: { name: 'DeadRows', unit: 'Count' },
  oldestUnsentAge: { name: 'OldestUnsentAge', unit: 'Seconds' },
} as const;

export interface MetricDefinition {
  readonly name: string;
  readonly unit: 'Milliseconds' | 'Seconds' | 'Count';
}
