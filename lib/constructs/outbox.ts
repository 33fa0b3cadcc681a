import { Duration, Stack } from 'aws-cdk-lib';
import { EventSourceMapping, FilterCriteria, FilterRule, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { CfnTable } from 'aws-cdk-lib/aws-dynamodb';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { FunctionDefinition } from '../../lambdas/contract/core/functions.ts';
import { outboxTable } from '../../lambdas/contract/core/tables.ts';
import type { StageConfig } from '../stage-config.ts';
import { acknowledge } from './acknowledge.ts';
import { everyMinute } from './every-minute.ts';
import { deadLetterQueue } from './message-queue.ts';
import { OwnedTable } from './owned-table.ts';
import { ServiceFunction, type ServiceFunctionProps } from './service-function.ts';

/** One of the outbox's two functions; its table and queue URLs are added. */
export interface OutboxFunction<Definition extends FunctionDefinition> {
  readonly name: string;
  readonly definition: Definition;
  readonly bundle: string;
  readonly environment: Omit<ServiceFunctionProps<Definition>['environment'], 'OUTBOX_TABLE' | 'QUEUE_URLS'>;
}

export interface OutboxProps<Publisher extends FunctionDefinition, Relay extends FunctionDefinition> {
  readonly stage: StageConfig;
  /**
   * Whether rows that the stream has not delivered in time (`relay.pendingSeconds`) are the relay's, for an outbox whose aggregates nobody watches.
   * Costs an index write and an index deletion a message. Default: false; the order sweep finds what its orders lack.
   */
  readonly indexPending?: boolean;
  readonly publisher: OutboxFunction<Publisher>;
  readonly relay: OutboxFunction<Relay>;
}

/**
 * A transactional outbox: the table that senders commit their messages to, the publisher behind its stream, and the relay
 * that sends every minute what the publisher could not. Queues are connected with `publishTo`, after the consumers that
 * need the table were made.
 */
export class Outbox<
  Publisher extends FunctionDefinition = FunctionDefinition,
  Relay extends FunctionDefinition = FunctionDefinition,
> extends Construct {
  readonly table: OwnedTable;
  /** Where the stream's event source reports batches that it gave up: positions, not rows. */
  readonly streamFailures: Queue;
  readonly #props: OutboxProps<Publisher, Relay>;

  constructor(scope: Construct, id: string, props: OutboxProps<Publisher, Relay>) {
    super(scope, id);
    this.#props = props;
    this.table = new OwnedTable(this, 'Table', { definition: outboxTable, stage: props.stage });
    this.streamFailures = deadLetterQueue(this, 'StreamFailures', props.stage);
  }

  /** The variables of a function that commits messages. */
  get senderEnvironment(): { readonly OUTBOX_TABLE: string; readonly OUTBOX_INDEX_PENDING: string } {
    return { OUTBOX_TABLE: this.table.tableName, OUTBOX_INDEX_PENDING: this.#props.indexPending ? 'true' : '' };
  }

  /** What a function needs to commit messages: putting rows, nothing else. */
  grantCommit(sender: ServiceFunction): void {
    sender.allow(['dynamodb:PutItem'], this.table.tableArn);
  }

  /** Connects the consumers' queues: consumer → queue. */
  publishTo(queues: Readonly<Record<string, Queue>>): { publisher: ServiceFunction<Publisher>; relay: ServiceFunction<Relay> } {
    const urls = Stack.of(this).toJsonString(Object.fromEntries(Object.entries(queues).map(([name, queue]) => [name, queue.queueUrl])));
    const publisher = this.#function('Publisher', this.#props.publisher, urls, queues);
    const relay = this.#function('Relay', this.#props.relay, urls, queues);
    this.#feed(publisher);
    relay.allow(['dynamodb:Query'], `${this.table.tableArn}/index/attention`);
    everyMinute(this, 'EveryMinute', relay);
    return { publisher, relay };
  }

  #function<Definition extends FunctionDefinition>(
    id: string,
    { name, definition, bundle, environment }: OutboxFunction<Definition>,
    urls: string,
    queues: Readonly<Record<string, Queue>>,
  ): ServiceFunction<Definition> {
    const target = new ServiceFunction<Definition>(this, id, {
      name,
      definition,
      bundle,
      stage: this.#props.stage,
      environment: {
        ...environment,
        OUTBOX_TABLE: this.table.tableName,
        QUEUE_URLS: urls,
      } as unknown as ServiceFunctionProps<Definition>['environment'],
    });
    target.allow(['dynamodb:UpdateItem'], this.table.tableArn);
    target.allow(['sqs:SendMessage'], ...Object.values(queues).map((queue) => queue.queueArn));
    return target;
  }

  #feed(publisher: ServiceFunction<Publisher>): void {
    const stream = this.table.tableStreamArn!;
    publisher.allow(['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'], stream);
    publisher.allow(['dynamodb:ListStreams'], `${this.table.tableArn}/stream/*`);
    acknowledge(
      publisher.role!,
      `AwsSolutions-IAM5[Resource::<${Stack.of(this).getLogicalId(this.table.node.defaultChild as CfnTable)}.Arn>/stream/*]`,
      'the event source lists the streams of this one table; a stream is named by when it was created',
    );
    new EventSourceMapping(this, 'Stream', {
      target: publisher,
      eventSourceArn: stream,
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 100,
      parallelizationFactor: 4,
      // Marking a row emits MODIFY, its expiry REMOVE: only what was committed is sent.
      filters: [FilterCriteria.filter({ eventName: FilterRule.isEqual('INSERT') })],
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      // The defaults retry for ever and block the shard behind one batch.
      retryAttempts: 20,
      maxRecordAge: Duration.hours(12),
      onFailure: new SqsDlq(this.streamFailures),
    }).node.addDependency(publisher.role!);
  }
}
