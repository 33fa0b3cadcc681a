import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { metricNamespace, type MetricDefinition } from '../../lambdas/contract/core/metrics.ts';
import type { StageName } from '../../lambdas/contract/stages.ts';
import type { Consumer } from '../constructs/consumer.ts';
import type { ServiceFunction } from '../constructs/service-function.ts';
import type { StageConfig } from '../stage-config.ts';

/** What is watched. Alarms and dashboard derive from it, so a new consumer is watched from its first deployment. */
export interface Observed {
  readonly stage: StageConfig;
  readonly consumers: readonly Consumer[];
  readonly publisher: ServiceFunction;
  readonly relay: ServiceFunction;
  readonly sweep: ServiceFunction;
  readonly streamFailures: Queue;
  readonly functions: readonly ServiceFunction[];
  readonly api: HttpApi;
}

/**
 * Metrics that the functions of a stage emit (contract/core/metrics.ts), by the name of the function. Metrics belong to an account and a region:
 * without the stage, two stages there would raise each other's alarms.
 */
export function emittedOn(stage: StageName): (metric: MetricDefinition, service: string, options?: MetricOptions) => Metric {
  return (metric, service, options = {}) =>
    new Metric({
      namespace: metricNamespace,
      metricName: metric.name,
      period: Duration.minutes(1),
      statistic: metric.unit === 'Count' ? Stats.SUM : Stats.percentile(99),
      ...options,
      dimensionsMap: { service, stage, ...options.dimensionsMap },
    });
}
