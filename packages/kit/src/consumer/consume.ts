import { ChangeMessageVisibilityCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import middy from '@middy/core';
import type { Context, SQSBatchItemFailure, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Durations } from '../messages/durations.ts';
import type { Envelope } from '../messages/envelope.ts';
import { failureAttribute, type DeadLetterReason } from './dead-letters.ts';
import { classify, describeError, fingerprint, TransientError, type TransientReason } from '../errors.ts';
import { coreMetrics } from '../telemetry/metrics.ts';
import { backoffSeconds, isExhausted } from '../messages/retry-policy.ts';
import { decodeMessage, typesFor, type DataOf, type MessagesTo, type Topology, type TypesTo } from '../messages/topology.ts';
import type { Queues } from '../aws/clients.ts';
import type { CountFailure, Failures } from './failures.ts';
import type { InjectedFaults } from '../function/faults.ts';
import type { RunOnce } from './idempotency.ts';
import { flushTelemetry, type Fields, type Telemetry } from '../telemetry/telemetry.ts';
import type { World } from '../function/world.ts';

/**
 * Handles one message type. Returns a word for the log line: what became of it ("reserved", "duplicate").
 * Business answers, refusals among them, are returned; what is thrown is retried or dead-lettered by its class.
 */
export type MessageHandler<Message extends Envelope = Envelope> = (message: Message, delivery: Delivery) => Promise<string>;

/** What is known of how a message came. */
export interface Delivery {
  /** 1 for the first receive. */
  readonly attempt: number;
}

/** One handler for each type that the routes send to a consumer, or one for all of them. A missing or superfluous one does not compile. */
export type MessageHandlers<T extends Topology, Consumer extends string> =
  | { readonly [Type in TypesTo<T, Consumer>]: MessageHandler<Envelope<Type, DataOf<T['messages'], Type>>> }
  | MessageHandler<MessagesTo<T, Consumer>>;

/** What a consumer subscribes with. */
export interface Subscription<T extends Topology, Consumer extends string> {
  /** Name of the consumer in the topology. */
  readonly consumer: Consumer;
  readonly topology: T;
  readonly durations: Durations;
  readonly handlers: MessageHandlers<T, Consumer>;
}

export interface ConsumerOptions<T extends Topology = Topology, Consumer extends string = string> extends Subscription<T, Consumer> {
  /** Wraps each record where the consumer's policy asks for it. */
  readonly runOnce?: RunOnce;
  readonly countFailure: CountFailure;
  readonly queues: Queues;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly telemetry: Telemetry;
  readonly world: World;
  readonly faults: InjectedFaults;
}

/** A Lambda handler for one consumer's queue, with every decision about failing messages in one place. */
export function createConsumer<T extends Topology, Consumer extends string>(
  given: ConsumerOptions<T, Consumer>,
): (event: SQSEvent, context: Context) => Promise<SQSBatchResponse> {
  const options = { ...given, handlers: byType(given) };
  const missing = typesFor(options.topology, options.consumer).filter((type) => !options.handlers.get(type));
  if (missing.length > 0) throw new Error(`consumer ${options.consumer} has no handler for ${missing.join(', ')}`);
  if (options.topology.consumers[options.consumer]?.idempotent !== (options.runOnce !== undefined)) {
    throw new Error(`consumer ${options.consumer}: its policy and its idempotency wrapper disagree`);
  }

  return middy<SQSEvent, SQSBatchResponse, Error, Context>()
    .use(flushTelemetry(options.telemetry))
    .handler(async (event, context) => {
      // Each record succeeds or fails by itself; a bad one costs its batch mates nothing.
      const failures = await Promise.all(event.Records.map((record) => consumeRecord(options, record, context)));
      return { batchItemFailures: failures.filter((failure) => failure !== undefined) };
    });
}

/** A message's type is known at run time only. */
type RunningConsumer = Omit<ConsumerOptions, 'handlers'> & { readonly handlers: ReadonlyMap<string, MessageHandler> };

/** The handler of each type that this code consumes. */
function byType<T extends Topology, Consumer extends string>({ handlers, topology, consumer }: Subscription<T, Consumer>) {
  const all = typeof handlers === 'function' ? typesFor(topology, consumer).map((type) => [type, handlers]) : Object.entries(handlers);
  return new Map(all as [string, MessageHandler][]);
}

/** @returns the failure that keeps the record in its queue; undefined when SQS may delete it */
async function consumeRecord(options: RunningConsumer, record: SQSRecord, context: Context): Promise<SQSBatchItemFailure | undefined> {
  const { telemetry, world } = options;
  const attempt = Number(record.attributes.ApproximateReceiveCount);
  let message: Envelope | undefined;
  try {
    message = decodeMessage(options.topology, record.body);
    await options.faults.before();
    const outcome = await handleMessage(options, message, { attempt }, context);
    options.faults.after();
    telemetry.info('message', { ...fieldsOf(options, message), attempt, outcome });
    telemetry.measure(coreMetrics.handled, 1);
    telemetry.measure(coreMetrics.criticalTime, world.now() - message.occurredAt);
    return undefined;
  } catch (error) {
    return failRecord(options, record, error, { message, attempt });
  }
}

async function handleMessage(options: RunningConsumer, message: Envelope, delivery: Delivery, context: Context): Promise<string> {
  const handler = options.handlers.get(message.type);
  // As an unknown type: routes may be ahead of this code while a deployment is under way.
  if (!handler) throw new TransientError('newer', `${options.consumer} does not consume ${message.type}`);
  if (!options.runOnce) return handler(message, delivery);
  return options.runOnce(message.messageId, context, () => handler(message, delivery));
}

/** Retries what may succeed within the window; moves everything else to the dead-letter queue, with its reason. */
async function failRecord(
  options: RunningConsumer,
  record: SQSRecord,
  error: unknown,
  { message, attempt }: { readonly message: Envelope | undefined; readonly attempt: number },
): Promise<SQSBatchItemFailure | undefined> {
  const fields = { ...fieldsOf(options, message), sqsMessageId: record.messageId, attempt };
  const { telemetry, world, durations } = options;
  const now = world.now();
  const verdict = classify(error);
  const keep: SQSBatchItemFailure = { itemIdentifier: record.messageId };
  const failures = verdict.class === 'transient' ? await failuresOf(options, record, verdict.reason, attempt) : { count: 1, firstAt: now };

  if (verdict.class === 'transient' && !isExhausted(durations.retry, failures, now)) {
    const delaySeconds = backoffSeconds(durations.retry, failures.count, world.random());
    telemetry.warn('message', {
      ...fields,
      outcome: 'retry',
      reason: verdict.reason,
      failures: failures.count,
      delaySeconds,
      error: describeError(error),
    });
    telemetry.measure(coreMetrics.retries, 1);
    await changeVisibility(options, record, delaySeconds, fields);
    return keep;
  }

  const reason: DeadLetterReason = {
    class: verdict.class === 'permanent' ? 'permanent' : 'exhausted',
    consumer: options.consumer,
    error: describeError(error),
    fingerprint: fingerprint(error),
    attempts: failures.count,
    firstFailedAt: failures.firstAt,
    lastFailedAt: now,
    receives: attempt,
    ...(message ? { correlationId: message.correlationId } : {}),
  };
  try {
    await deadLetter(options, record, reason);
  } catch (moveError) {
    // The message stays where it is and is tried again; SQS's own redrive is behind it.
    telemetry.error('message', { ...fields, outcome: 'dead-letter failed', error: describeError(moveError) });
    return keep;
  }
  telemetry.error('message', {
    ...fields,
    outcome: 'dead-lettered',
    class: reason.class,
    fingerprint: reason.fingerprint,
    error: reason.error,
  });
  telemetry.measure(coreMetrics.deadLetters, 1);
  return undefined;
}

/** What the consumer itself has counted; where it cannot count, because the very table is in trouble, what SQS knows. */
async function failuresOf(
  { countFailure, telemetry }: RunningConsumer,
  record: SQSRecord,
  reason: TransientReason,
  attempt: number,
): Promise<Failures> {
  try {
    return await countFailure(record.messageId, reason);
  } catch (error) {
    telemetry.warn('failure not counted', { sqsMessageId: record.messageId, error: describeError(error) });
    return { count: attempt, firstAt: Number(record.attributes.ApproximateFirstReceiveTimestamp) };
  }
}

/** Without it a failed message waits for the whole visibility timeout; failing here only means waiting that long. */
async function changeVisibility(options: RunningConsumer, record: SQSRecord, delaySeconds: number, fields: Fields): Promise<void> {
  try {
    await options.queues.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: options.queueUrl,
        ReceiptHandle: record.receiptHandle,
        VisibilityTimeout: delaySeconds,
      }),
    );
  } catch (error) {
    options.telemetry.warn('visibility not changed', { ...fields, error: describeError(error) });
  }
}

/** Sends a copy with its reason; the caller lets SQS delete the original. Dying between the two leaves two copies with one message id. */
async function deadLetter(options: RunningConsumer, record: SQSRecord, reason: DeadLetterReason): Promise<void> {
  const kept = Object.entries(record.messageAttributes)
    .filter(([name, attribute]) => name !== failureAttribute && attribute.dataType === 'String' && attribute.stringValue)
    .slice(0, 9)
    .map(([name, attribute]) => [name, { DataType: 'String', StringValue: attribute.stringValue }] as const);
  await options.queues.send(
    new SendMessageCommand({
      QueueUrl: options.deadLetterQueueUrl,
      MessageBody: record.body,
      MessageAttributes: {
        ...Object.fromEntries(kept),
        [failureAttribute]: { DataType: 'String', StringValue: JSON.stringify(reason).replaceAll(/[^\x20-\x7e]/g, '?') },
      },
    }),
  );
}

function fieldsOf(options: RunningConsumer, message: Envelope | undefined): Fields {
  return {
    consumer: options.consumer,
    correlationId: message?.correlationId,
    aggregateId: message?.aggregateId,
    messageId: message?.messageId,
    type: message?.type,
    sequence: message?.sequence,
  };
}
