import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { FunctionDefinition } from '../../lambdas/contract/core/functions.ts';
import type { ConsumerPolicy } from '../../lambdas/contract/core/routing.ts';
import type { StageConfig } from '../stage-config.ts';
import { messageQueue } from './message-queue.ts';
import { ServiceFunction, type ServiceFunctionProps } from './service-function.ts';

export interface ConsumerProps<Definition extends FunctionDefinition> {
  /** Name of the consumer in the topology, and of its function in the contract. */
  readonly name: string;
  readonly policy: ConsumerPolicy;
  readonly definition: Definition;
  /** Folder of the function's bundle. */
  readonly bundle: string;
  readonly stage: StageConfig;
  /** What the function needs beside its queues' URLs. */
  readonly environment: Omit<ServiceFunctionProps<Definition>['environment'], 'QUEUE_URL' | 'DEAD_LETTER_QUEUE_URL'>;
}

/** A consumer from one entry of the topology: queue, dead-letter queue, function, and the event source between them. */
export class Consumer<Definition extends FunctionDefinition = FunctionDefinition> extends Construct {
  readonly name: string;
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly function: ServiceFunction<Definition>;

  constructor(scope: Construct, id: string, props: ConsumerProps<Definition>) {
    super(scope, id);
    const { name, policy, definition, bundle, stage, environment } = props;
    this.name = name;
    const { queue, deadLetters } = messageQueue(this, 'Queue', policy, stage);
    this.queue = queue;
    this.deadLetters = deadLetters;
    this.function = new ServiceFunction<Definition>(this, 'Function', {
      name,
      definition,
      bundle,
      stage,
      environment: {
        ...environment,
        QUEUE_URL: queue.queueUrl,
        DEAD_LETTER_QUEUE_URL: deadLetters.queueUrl,
      } as unknown as ServiceFunctionProps<Definition>['environment'],
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
      ...(stage.durations.batchWindowSeconds > 0 ? { maxBatchingWindow: Duration.seconds(stage.durations.batchWindowSeconds) } : {}),
      reportBatchItemFailures: true,
      // Not reserved concurrency: that throttles the poller, and throttled receives push healthy messages to the DLQ.
      maxConcurrency: stage.maximumConcurrency ?? policy.maximumConcurrency,
    }).node.addDependency(this.function.role!);
  }
}
