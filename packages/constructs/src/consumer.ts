import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct, type IConstruct } from 'constructs';
import { visibilityTimeoutSeconds } from '@outbox-saga/kit/messages/durations';
import type { FunctionDefinition } from '@outbox-saga/kit/function/definition';
import type { ConsumerPolicy } from '@outbox-saga/kit/messages/topology';
import { messageQueue, type MessageQueueProps } from './message-queue.ts';
import { ServiceFunction, type EnvironmentOf, type FunctionPart, type FunctionSettings } from './service-function.ts';

/** What a consumer's function needs beside its queues' URLs, which `Consumer` adds. */
export type ConsumerEnvironmentOf<Definition extends FunctionDefinition> = Omit<
  EnvironmentOf<Definition>,
  'QUEUE_URL' | 'DEAD_LETTER_QUEUE_URL'
>;

/** `name` is the consumer's in the topology as well. */
export interface ConsumerProps<Definition extends FunctionDefinition>
  extends
    FunctionSettings,
    FunctionPart<Definition, ConsumerEnvironmentOf<Definition>>,
    Pick<MessageQueueProps, 'queueRetentionSeconds' | 'deadLetterRetentionSeconds' | 'removalPolicy'> {
  readonly policy: ConsumerPolicy;
  /** How long the event source gathers a batch, in seconds, from 0 to 300. Default: 0, it hands over what is there. */
  readonly batchWindowSeconds?: number | undefined;
  /** How long a received message stays hidden, in seconds. Default: six times `timeoutSeconds` plus `batchWindowSeconds`, as AWS recommends. */
  readonly visibilityTimeoutSeconds?: number | undefined;
  /** Upper bound of concurrent invocations, in place of the policy's: a stage for developers needs fewer. */
  readonly maximumConcurrency?: number | undefined;
}

/** A consumer from one entry of the topology: queue, dead-letter queue, function, and the event source between them. */
export class Consumer<Definition extends FunctionDefinition = FunctionDefinition> extends Construct {
  readonly name: string;
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly function: ServiceFunction<Definition>;

  /** @throws Error for a name that another consumer of the stack has, or durations that do not fit together */
  constructor(scope: Construct, id: string, props: ConsumerProps<Definition>) {
    super(scope, id);
    const { name, policy, timeoutSeconds, environment, batchWindowSeconds = 0 } = props;
    const visibilitySeconds =
      props.visibilityTimeoutSeconds ?? visibilityTimeoutSeconds({ consumerTimeoutSeconds: timeoutSeconds, batchWindowSeconds });
    if (visibilitySeconds < timeoutSeconds) {
      throw new Error(
        `consumer ${name}: visibilityTimeoutSeconds (${visibilitySeconds}) must be at least timeoutSeconds (${timeoutSeconds}), or a message is handled twice at once`,
      );
    }
    this.name = name;
    const { maxReceiveCount } = policy;
    const { queue, deadLetters } = messageQueue(this, 'Queue', { ...props, maxReceiveCount, visibilityTimeoutSeconds: visibilitySeconds });
    this.queue = queue;
    this.deadLetters = deadLetters;
    this.function = new ServiceFunction<Definition>(this, 'Function', {
      ...props,
      environment: {
        ...environment,
        QUEUE_URL: queue.queueUrl,
        DEAD_LETTER_QUEUE_URL: deadLetters.queueUrl,
      } as unknown as EnvironmentOf<Definition>,
    });
    // The first three are the event source's own calls, made under this role.
    this.function.allow(
      ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility'],
      queue.queueArn,
    );
    this.function.allow(['sqs:SendMessage'], deadLetters.queueArn);
    new EventSourceMapping(this, 'EventSource', {
      target: this.function,
      eventSourceArn: queue.queueArn,
      batchSize: policy.batchSize,
      ...(batchWindowSeconds > 0 ? { maxBatchingWindow: Duration.seconds(batchWindowSeconds) } : {}),
      reportBatchItemFailures: true,
      // Not reserved concurrency: that throttles the poller, and throttled receives push healthy messages to the DLQ.
      maxConcurrency: props.maximumConcurrency ?? policy.maximumConcurrency,
    }).node.addDependency(this.function.role!);
  }

  /** All consumers below a construct, in the order in which they were made. */
  static allIn(scope: IConstruct): Consumer[] {
    return scope.node.findAll().filter((construct) => construct instanceof Consumer);
  }
}
