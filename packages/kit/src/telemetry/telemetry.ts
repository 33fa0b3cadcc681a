import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { MiddlewareObj } from '@middy/core';
import type { MetricDefinition } from './metrics.ts';

/** One line of JSON per call; fields beside the message are what people search by. */
export type Fields = Readonly<Record<string, unknown>>;

/** Where functions report to. */
export interface Telemetry {
  info(message: string, fields: Fields): void;
  warn(message: string, fields: Fields): void;
  error(message: string, fields: Fields): void;
  /** Adds a value to a metric of this function, written with the invocation's other values at its end. */
  measure(metric: MetricDefinition, value: number): void;
  /**
   * A value with dimensions beside the common ones, written at once. It is measured without them too, so that an alarm on the total
   * need not know every value that a dimension may have.
   */
  measureBy(metric: MetricDefinition, value: number, dimensions: Readonly<Record<string, string>>): void;
  /** Writes the collected metrics as one line of CloudWatch's embedded metric format. */
  flush(): void;
}

/**
 * Powertools Logger and Metrics under one service name, the function's; metrics carry the stage as well. Their namespace is the variable
 * POWERTOOLS_METRICS_NAMESPACE, which deploy time gives to every function.
 */
export function createTelemetry(service: string, stage: string): Telemetry {
  const logger = new Logger({ serviceName: service });
  const metrics = new Metrics({ serviceName: service, defaultDimensions: { stage } });
  return {
    info: (message, fields) => logger.info(message, { ...fields }),
    warn: (message, fields) => logger.warn(message, { ...fields }),
    error: (message, fields) => logger.error(message, { ...fields }),
    measure: (metric, value) => metrics.addMetric(metric.name, MetricUnit[metric.unit], value),
    measureBy: (metric, value, dimensions) => {
      const single = metrics.singleMetric();
      for (const [name, text] of Object.entries(dimensions)) single.addDimension(name, text);
      single.addMetric(metric.name, MetricUnit[metric.unit], value);
      metrics.addMetric(metric.name, MetricUnit[metric.unit], value);
    },
    flush: () => {
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
    },
  };
}

/** middy middleware: writes the metrics when an invocation ends, however it ends. */
export function flushTelemetry(telemetry: Telemetry): MiddlewareObj<unknown, unknown, Error> {
  return { after: () => telemetry.flush(), onError: () => telemetry.flush() };
}
