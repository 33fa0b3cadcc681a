import { CfnResource, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';

const day = 86_400;

export interface DeadLetterQueueProps {
  /** How long a dead letter is kept, in seconds. Default: 14 days, which is as long as SQS keeps anything. */
  readonly deadLetterRetentionSeconds?: number | undefined;
  /** What becomes of queues that leave the stack. A message in a queue is data like a row in a table. Default: `RETAIN`. */
  readonly removalPolicy?: RemovalPolicy | undefined;
}

export interface MessageQueueProps extends DeadLetterQueueProps {
  /** How long a received message stays hidden from other receivers, in seconds: AWS recommends six times the consumer's time limit plus its batch window. */
  readonly visibilityTimeoutSeconds: number;
  /** Receives after which SQS itself dead-letters. */
  readonly maxReceiveCount: number;
  /** How long a message may wait, in seconds; less than `deadLetterRetentionSeconds`. Default: 4 days, as SQS's own. */
  readonly queueRetentionSeconds?: number | undefined;
}

function queueOf(scope: Construct, id: string, removalPolicy: RemovalPolicy = RemovalPolicy.RETAIN, props: QueueProps = {}): Queue {
  const queue = new Queue(scope, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, ...props });
  // The queue and its policy, so that one that is kept goes on refusing calls without TLS.
  for (const child of queue.node.findAll()) if (CfnResource.isCfnResource(child)) child.applyRemovalPolicy(removalPolicy);
  return queue;
}

/** A queue that keeps what could not be handled. @throws Error when it shall keep messages for longer than SQS does */
export function deadLetterQueue(
  scope: Construct,
  id: string,
  { deadLetterRetentionSeconds = 14 * day, removalPolicy }: DeadLetterQueueProps,
): Queue {
  if (deadLetterRetentionSeconds > 14 * day) {
    throw new Error(
      `${scope.node.path}/${id}: deadLetterRetentionSeconds (${deadLetterRetentionSeconds}) must be at most ${14 * day}: SQS keeps messages for 14 days`,
    );
  }
  const queue = queueOf(scope, id, removalPolicy, { retentionPeriod: Duration.seconds(deadLetterRetentionSeconds) });
  acknowledge(queue, 'AwsSolutions-SQS3', 'this is a dead-letter queue itself: what lands here waits for an operator');
  return queue;
}

/**
 * A consumer's queue with its dead-letter queue; SQS's own redrive is the backstop for consumers that die.
 *
 * @throws Error that names the durations that do not fit together
 */
export function messageQueue(scope: Construct, id: string, props: MessageQueueProps): { queue: Queue; deadLetters: Queue } {
  const { visibilityTimeoutSeconds, maxReceiveCount, queueRetentionSeconds = 4 * day, deadLetterRetentionSeconds = 14 * day } = props;
  const broken: string[] = [];
  if (queueRetentionSeconds >= deadLetterRetentionSeconds) {
    // SQS counts a dead letter's age from when it was sent to the first queue.
    broken.push(
      `queueRetentionSeconds (${queueRetentionSeconds}) must be less than deadLetterRetentionSeconds (${deadLetterRetentionSeconds})`,
    );
  }
  if (visibilityTimeoutSeconds > day / 2)
    broken.push(`visibilityTimeoutSeconds (${visibilityTimeoutSeconds}) must be at most ${day / 2}, 12 hours`);
  if (visibilityTimeoutSeconds >= queueRetentionSeconds) {
    broken.push(
      `visibilityTimeoutSeconds (${visibilityTimeoutSeconds}) must be less than queueRetentionSeconds (${queueRetentionSeconds})`,
    );
  }
  if (broken.length > 0) throw new Error(`${scope.node.path}/${id}: ${broken.join('; ')}`);
  const deadLetters = deadLetterQueue(scope, `${id}DeadLetters`, props);
  const queue = queueOf(scope, id, props.removalPolicy, {
    visibilityTimeout: Duration.seconds(visibilityTimeoutSeconds),
    retentionPeriod: Duration.seconds(queueRetentionSeconds),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount },
  });
  return { queue, deadLetters };
}
