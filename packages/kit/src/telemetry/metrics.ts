/**
 * Metrics of the machinery, whatever the messages are about.
 * Two dimensions throughout: `service`, the function's name, so that what a consumer emits is per consumer; and `stage`, because
 * several stages may share an account and a region, and with it a namespace. The namespace is the application's: functions read it from
 * POWERTOOLS_METRICS_NAMESPACE, which deploy time gives them.
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
  /** What became of a row could not be written down: it was sent, or not, and its status does not say so. */
  marksFailed: { name: 'OutboxMarksFailed', unit: 'Count' },
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
