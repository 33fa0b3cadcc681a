import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Construct } from 'constructs';
import type { ServiceFunction } from './service-function.ts';

/**
 * Invokes a function every minute. A late tick adds nothing, because the next one does the same work: it is not retried. That is said twice:
 * to the rule, which hands the event over, and to Lambda, which would run a failed one twice more and keep a throttled one for six hours.
 *
 * @throws Error for a function that may run for a minute or longer
 */
export function everyMinute(scope: Construct, id: string, target: ServiceFunction): Rule {
  const timeoutSeconds = target.timeout!.toSeconds();
  if (timeoutSeconds >= 60) {
    throw new Error(
      `function ${target.serviceName}: timeoutSeconds (${timeoutSeconds}) must be less than 60, or its runs every minute pile up`,
    );
  }
  target.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) });
  return new Rule(scope, id, { schedule: Schedule.rate(Duration.minutes(1)), targets: [new LambdaFunction(target, { retryAttempts: 0 })] });
}
