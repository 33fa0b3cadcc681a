import { SendMessageBatchCommand, type SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs';
import { decodeEnvelope, type Envelope } from '../messages/envelope.ts';
import { classify, describeError } from '../errors.ts';
import { coreMetrics } from '../telemetry/metrics.ts';
import { onlyListeners, routeFor, type Topology } from '../messages/topology.ts';
import type { Queues } from '../aws/clients.ts';
import { decide, type Delivery, type OutboxRow, type RowTerms } from './row.ts';
import { saveRow, type OutboxContext } from './row-store.ts';

/** SQS: ten entries and 1 MiB a call, attributes counted. */
const maxEntries = 10;
const maxBytes = 1_048_576;

export interface PublishContext extends Pick<RowTerms, 'holdSeconds'> {
  readonly topology: Topology;
  readonly queues: Queues;
  /** Consumer → queue URL. */
  readonly queueUrls: Readonly<Record<string, string>>;
}

export interface Deliveries {
  /** One per row, in the order of the rows. */
  readonly rows: readonly Delivery[];
  /** Whether any call was answered. If none was, SQS as a whole may be out. */
  readonly answered: boolean;
}

/** Consumers whose queue failed a whole call, with its error. */
export type QueuesDown = Map<string, string>;

interface Entry {
  readonly row: number;
  readonly consumer: string;
  readonly request: SendMessageBatchRequestEntry;
  readonly bytes: number;
}

/**
 * Sends each row to the queues of all consumers that its route names (or that it still owes). Only the envelope is read: what a
 * payload holds is between sender and consumer.
 * Queues are fed in parallel, each in the order of the rows, so that one aggregate's messages keep their order per queue.
 *
 * @param down queues that are not called any more; those whose call fails as a whole are added
 */
export async function deliver(context: PublishContext, rows: readonly OutboxRow[], down: QueuesDown = new Map()): Promise<Deliveries> {
  const failures: Failed[][] = rows.map(() => []);
  const unsendable = new Map<number, Delivery>();
  const byConsumer = new Map<string, Entry[]>();
  rows.forEach((row, index) => {
    try {
      const envelope = decodeEnvelope(row.body);
      const { consumers } = routeFor(context.topology, envelope);
      for (const consumer of row.owed?.length ? row.owed : consumers) {
        const entries = byConsumer.get(consumer) ?? [];
        entries.push(entryOf(index, consumer, row, envelope));
        byConsumer.set(consumer, entries);
      }
    } catch (error) {
      unsendable.set(index, {
        outcome: classify(error).class === 'permanent' ? 'unroutable' : 'newer',
        error: describeError(error),
      });
    }
  });

  let answered = false;
  await Promise.all(
    [...byConsumer].map(async ([consumer, entries]) => {
      const queueUrl = context.queueUrls[consumer];
      if (queueUrl === undefined) {
        const error = 'no queue URL is configured for this consumer';
        for (const { row } of entries) failures[row]!.push({ row, consumer, error, counts: true });
        return;
      }
      for (const batch of batchesOf(entries)) {
        // After a call that failed as a whole the rest is not tried: a later message must not overtake an earlier one.
        if (!down.has(consumer)) {
          try {
            for (const failed of await sendBatch(context, queueUrl, batch)) failures[failed.row]!.push(failed);
            answered = true;
          } catch (error) {
            down.set(consumer, describeError(error));
          }
        }
        const error = down.get(consumer);
        if (error !== undefined) for (const { row } of batch) failures[row]!.push({ row, consumer, error, counts: false });
      }
    }),
  );

  return { rows: rows.map((_, index) => unsendable.get(index) ?? deliveryOf(context.topology, failures[index]!)), answered };
}

function deliveryOf(topology: Topology, failed: readonly Failed[]): Delivery {
  if (failed.length === 0) return { outcome: 'sent' };
  const owed = failed.map(({ consumer }) => consumer);
  return {
    // As long as one queue may still take it, the others' refusals must not make it DEAD.
    outcome: failed.every(({ counts }) => counts) ? 'refused' : 'unavailable',
    owed,
    error: failed.map(({ consumer, error }) => `${consumer}: ${error}`).join('; '),
    handed: onlyListeners(topology, owed),
  };
}

/**
 * Writes down what became of a row. It never fails: what was sent stays sent, so a row whose mark fails keeps its status, and whoever
 * watches its aggregate (or the relay, where pending rows are indexed) sends it again.
 *
 * @param owner the relay that holds the row; undefined at the publisher
 */
export async function record(
  { outbox, publish }: { readonly outbox: OutboxContext; readonly publish: PublishContext },
  row: OutboxRow,
  delivery: Delivery,
  owner?: string,
): Promise<void> {
  const { telemetry, world, relay } = outbox;
  const now = world.now();
  const event = decide(row, delivery, now, { relay, holdSeconds: publish.holdSeconds });
  try {
    if (event.type === 'Sent') {
      telemetry.measure(coreMetrics.publishLag, now - row.committedAt);
      telemetry.measure(coreMetrics.rowsSent, 1);
    }
    await saveRow(outbox, row, event, owner);
    if (event.type === 'GivenUp') telemetry.measure(coreMetrics.rowsDead, 1);
    if (event.type === 'Failed') telemetry.measure(coreMetrics.rowsFailed, 1);
  } catch (error) {
    const { aggregateId, messageId } = row;
    telemetry.warn('outbox row not marked', { aggregateId, messageId, outcome: delivery.outcome, error: describeError(error) });
    telemetry.measure(coreMetrics.marksFailed, 1);
  }
}

function entryOf(row: number, consumer: string, outboxRow: OutboxRow, envelope: Envelope): Entry {
  const attributes: Record<string, string> = { type: envelope.type, correlationId: envelope.correlationId };
  if (envelope.traceparent !== undefined) attributes['traceparent'] = envelope.traceparent;
  const request: SendMessageBatchRequestEntry = {
    Id: String(row),
    MessageBody: outboxRow.body,
    // On a standard queue the group id gives fairness between customers, not order.
    MessageGroupId: envelope.groupId,
    MessageAttributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
    ),
  };
  // The body is ASCII; a name, its data type and a value count each.
  const bytes = Object.entries(attributes).reduce(
    (sum, [name, value]) => sum + name.length + 'String'.length + value.length,
    outboxRow.body.length,
  );
  return { row, consumer, request, bytes };
}

/** Cuts entries into calls without changing their order. */
export function batchesOf<Sized extends { readonly bytes: number }>(entries: readonly Sized[]): Sized[][] {
  const batches: Sized[][] = [];
  let current: Sized[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (current.length === maxEntries || (current.length > 0 && bytes + entry.bytes > maxBytes)) {
      batches.push(current);
      current = [];
      bytes = 0;
    }
    current.push(entry);
    bytes += entry.bytes;
  }
  if (current.length > 0) batches.push(current);
  return batches;
}

/** An entry that did not arrive. `counts`: SQS refused this very message. */
interface Failed {
  readonly row: number;
  readonly consumer: string;
  readonly error: string;
  readonly counts: boolean;
}

/** One call; returns the entries that did not arrive. SQS answers 200 even when it refused some: `Failed` tells which. */
async function sendBatch({ queues }: PublishContext, queueUrl: string, batch: readonly Entry[]): Promise<Failed[]> {
  const { Failed: failed = [] } = await queues.send(
    new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: batch.map(({ request }) => request) }),
  );
  return failed.map(({ Id, Code = 'refused', Message = 'no message', SenderFault }) => ({
    row: Number(Id),
    consumer: batch[0]!.consumer,
    error: `${Code}: ${Message}`,
    // SQS says so when the fault is its own.
    counts: SenderFault !== false,
  }));
}
