import { CfnResource, Duration } from 'aws-cdk-lib';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { visibilityTimeoutSeconds } from '../../lambdas/contract/core/durations.ts';
import type { ConsumerPolicy } from '../../lambdas/contract/core/routing.ts';
import type { StageConfig } from '../stage-config.ts';
import { acknowledge } from './acknowledge.ts';

/** What both kinds of queue have. A message in a queue is data like a row in a table, so it is kept as the stage keeps data. */
function queueOf(scope: Construct, id: string, stage: StageConfig, props: QueueProps): Queue {
  const queue = new Queue(scope, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, ...props });
  // The queue and its policy, so that one that is kept goes on refusing calls without TLS.
  for (const child of queue.node.findAll()) if (CfnResource.isCfnResource(child)) child.applyRemovalPolicy(stage.removalPolicy);
  return queue;
}

/** A queue that keeps what could not be handled, for as long as SQS keeps anything. */
export function deadLetterQueue(scope: Construct, id: string, stage: StageConfig): Queue {
  const queue = queueOf(scope, id, stage, {
    retentionPeriod: Duration.seconds(stage.durations.deadLetterRetentionSeconds),
  });
  acknowledge(queue, 'AwsSolutions-SQS3', 'this is a dead-letter queue itself: what lands here waits for an operator');
  return queue;
}

/** A consumer's queue with its dead-letter queue; SQS's own redrive is the backstop for consumers that die. */
export function messageQueue(
  scope: Construct,
  id: string,
  policy: ConsumerPolicy,
  stage: StageConfig,
): { queue: Queue; deadLetters: Queue } {
  const deadLetters = deadLetterQueue(scope, `${id}DeadLetters`, stage);
  const queue = queueOf(scope, id, stage, {
    visibilityTimeout: Duration.seconds(visibilityTimeoutSeconds(stage.durations)),
    retentionPeriod: Duration.seconds(stage.durations.queueRetentionSeconds),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: policy.maxReceiveCount },
  });
  return { queue, deadLetters };
}
