import { Aws, Duration, type Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';

/** One alarm as data. */
export interface AlarmDefinition {
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

export interface AlarmsProps {
  readonly alarms: readonly AlarmDefinition[];
  /** The runbook: an alarm's description ends with it, `#` and the alarm's article. */
  readonly runbook: string;
  /** Subscribed to the topic. Default: nobody is; subscribe to the topic by other means. */
  readonly email?: string | undefined;
}

/** Metrics by the minute: the largest value, and the sum. */
export const maximum = { period: Duration.minutes(1), statistic: Stats.MAXIMUM };
export const sum = { period: Duration.minutes(1), statistic: Stats.SUM };

/** Creates the alarms, the topic that they notify, and the subscription of an operator's mailbox where one is given. */
export function addAlarms(stack: Stack, { alarms, runbook, email }: AlarmsProps): void {
  const action = new SnsAction(alarmTopic(stack, email));
  for (const { id, article, says, metric, threshold, periods, whenSilent = false, event = false } of alarms) {
    const alarm = new Alarm(stack, `${id}Alarm`, {
      alarmDescription: `${says}. Runbook: ${runbook}#${article}`,
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
