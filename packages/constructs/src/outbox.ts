import { Duration, Stack } from 'aws-cdk-lib';
import { EventSourceMapping, FilterCriteria, FilterRule, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { CfnTable } from 'aws-cdk-lib/aws-dynamodb';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { FunctionDefinition } from '@outbox-saga/kit/function/definition';
import type { Topology } from '@outbox-saga/kit/messages/topology';
import { outboxTable } from '@outbox-saga/kit/tables';
import { acknowledge } from './acknowledge.ts';
import type { Consumer } from './consumer.ts';
import { everyMinute } from './every-minute.ts';
import { deadLetterQueue, type DeadLetterQueueProps } from './message-queue.ts';
import { OwnedTable, type TableSettings } from './owned-table.ts';
import { ServiceFunction, type EnvironmentOf, type FunctionPart, type FunctionSettings } from './service-function.ts';

/** One of the outbox's two functions; its table and queue URLs are added. */
export type OutboxFunction<Definition extends FunctionDefinition> = FunctionPart<
  Definition,
  Omit<EnvironmentOf<Definition>, 'OUTBOX_TABLE' | 'QUEUE_URLS'>
>;

export interface OutboxProps extends FunctionSettings, TableSettings, DeadLetterQueueProps {
  /**
   * Whether rows that the stream has not delivered in time (`relay.pendingSeconds`) are the relay's. An outbox needs it unless something else looks for
   * messages that an aggregate lacks. Costs an index write and an index deletion a message. Default: false.
   */
  readonly indexPending?: boolean | undefined;
  /** A table of another definition than `outboxTable`, with its stream and its index `attention`. Default: the outbox makes its own. */
  readonly table?: OwnedTable | undefined;
  /** Rows that the publisher takes at once, from 1 to 10,000. Default: 100, which ten calls to a queue send. */
  readonly batchSize?: number | undefined;
  /** Batches of one shard at once, from 1 to 10; an aggregate's rows stay in order. Default: 4. */
  readonly parallelizationFactor?: number | undefined;
  /** How often the stream tries a batch again, from 0 to 10,000. Lambda's own default is for ever, which blocks the shard behind one batch. Default: 20. */
  readonly retryAttempts?: number | undefined;
  /** How old a row may be that the stream still tries, in seconds; at most a day, which is as long as a stream keeps it. Default: 12 hours. */
  readonly maxRecordAgeSeconds?: number | undefined;
}

/** Whom the outbox publishes to, and by which functions. */
export interface Publication<Publisher extends FunctionDefinition, Relay extends FunctionDefinition> {
  readonly topology: Topology;
  /** One for each consumer of the topology. */
  readonly consumers: readonly Consumer[];
  readonly publisher: OutboxFunction<Publisher>;
  readonly relay: OutboxFunction<Relay>;
}

/**
 * A transactional outbox: the table that senders commit their messages to, the publisher behind its stream, and the relay
 * that sends every minute what the publisher could not. Consumers are connected with `publishTo`, after those that
 * need the table were made.
 */
export class Outbox extends Construct {
  readonly table: OwnedTable;
  /** Where the stream's event source reports batches that it gave up: positions, not rows. */
  readonly streamFailures: Queue;
  readonly #props: OutboxProps;
  readonly #attentionArn: string;
  #functions: { readonly publisher: ServiceFunction; readonly relay: ServiceFunction } | undefined;

  /** @throws Error for a table without a stream or without the index of rows that need the relay */
  constructor(scope: Construct, id: string, props: OutboxProps) {
    super(scope, id);
    this.#props = props;
    this.table = props.table ?? new OwnedTable(this, 'Table', { ...props, definition: outboxTable });
    if (!this.table.tableStreamArn) {
      throw new Error(`${this.node.path}: its table ${this.table.node.path} has no stream: set \`stream: true\` in the table's definition`);
    }
    this.#attentionArn = this.table.indexArn('attention');
    this.streamFailures = deadLetterQueue(this, 'StreamFailures', props);
  }

  /** The variables of a function that commits messages. */
  get senderEnvironment(): { readonly OUTBOX_TABLE: string; readonly OUTBOX_INDEX_PENDING: string } {
    return { OUTBOX_TABLE: this.table.tableName, OUTBOX_INDEX_PENDING: this.#props.indexPending ? 'true' : '' };
  }

  /** Sends rows as they are committed. @throws Error before `publishTo` */
  get publisher(): ServiceFunction {
    return this.#connected.publisher;
  }

  /** Sends every minute what the publisher could not. @throws Error before `publishTo` */
  get relay(): ServiceFunction {
    return this.#connected.relay;
  }

  get #connected() {
    if (!this.#functions) throw new Error(`${this.node.path}: nothing publishes its rows yet: call publishTo`);
    return this.#functions;
  }

  /** What a function needs to commit messages: putting rows, nothing else. */
  grantCommit(sender: ServiceFunction): void {
    sender.allow(['dynamodb:PutItem'], this.table.tableArn);
  }

  /** Makes publisher and relay, which send to these consumers. @throws Error that names each consumer of the topology that is missing, or that it lacks */
  publishTo<Publisher extends FunctionDefinition, Relay extends FunctionDefinition>(to: Publication<Publisher, Relay>): void {
    assertConsumers(to.topology, to.consumers);
    const queues = Object.fromEntries(to.consumers.map(({ name, queue }) => [name, queue]));
    const publisher = this.#function('Publisher', to.publisher, queues);
    const relay = this.#function('Relay', to.relay, queues);
    this.#functions = { publisher, relay };
    this.#feed(publisher);
    relay.allow(['dynamodb:Query'], this.#attentionArn);
    everyMinute(this, 'EveryMinute', relay);
  }

  #function<Definition extends FunctionDefinition>(
    id: string,
    part: OutboxFunction<Definition>,
    queues: Readonly<Record<string, Queue>>,
  ): ServiceFunction {
    const urls = Object.fromEntries(Object.entries(queues).map(([name, queue]) => [name, queue.queueUrl]));
    const target = new ServiceFunction<Definition>(this, id, {
      ...this.#props,
      ...part,
      environment: {
        ...part.environment,
        OUTBOX_TABLE: this.table.tableName,
        QUEUE_URLS: Stack.of(this).toJsonString(urls),
      } as unknown as EnvironmentOf<Definition>,
    });
    target.allow(['dynamodb:UpdateItem'], this.table.tableArn);
    target.allow(['sqs:SendMessage'], ...Object.values(queues).map((queue) => queue.queueArn));
    return target;
  }

  #feed(publisher: ServiceFunction): void {
    const { batchSize = 100, parallelizationFactor = 4, retryAttempts = 20, maxRecordAgeSeconds = 43_200 } = this.#props;
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
      batchSize,
      parallelizationFactor,
      // Marking a row emits MODIFY, its expiry REMOVE: only what was committed is sent.
      filters: [FilterCriteria.filter({ eventName: FilterRule.isEqual('INSERT') })],
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      retryAttempts,
      maxRecordAge: Duration.seconds(maxRecordAgeSeconds),
      onFailure: new SqsDlq(this.streamFailures),
    }).node.addDependency(publisher.role!);
  }
}

function assertConsumers(topology: Topology, consumers: readonly Consumer[]): void {
  const made = consumers.map(({ name }) => name);
  const named = Object.keys(topology.consumers);
  const problems = [
    ...named
      .filter((name) => !made.includes(name))
      .map((name) => `consumer ${name}: messages are routed to it, and there is no Consumer of this name`),
    ...made
      .filter((name) => !named.includes(name))
      .map((name) => `consumer ${name}: it is not in the topology, so no message would ever reach it`),
  ];
  if (problems.length > 0) throw new Error(`the outbox cannot publish:\n  ${problems.join('\n  ')}`);
}
