import { SendMessageBatchCommand, type SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs';
import type { Envelope } from '../contract/core/envelope.ts';
import { describeError } from '../contract/core/errors.ts';
import { decodeMessage, onlyListeners, routeOf, type Topology } from '../contract/core/routing.ts';
import type { Queues } from './aws.ts';
import type { OutboxRow } from './outbox.ts';

/** SQS: ten entries and 1 MiB a call, attributes counted. */
const maxEntries = 10;
const maxBytes = 1_048_576;

export interface PublishContext {
  readonly topology: Topology;
  readonly queues: Queues;
  /** Consumer → queue URL. */
  readonly queueUrls: Readonly<Record<string, string>>;
}

/** What became of one row. `handed`: all actors have it, only listeners lack it. */
export type Delivery =
  | { readonly outcome: 'sent' }
  /** Some queue refused this very message; the others have it. */
  | { readonly outcome: 'refused'; readonly owed: readonly string[]; readonly error: string; readonly handed: boolean }
  /** A whole call failed: not this row's fault. */
  | { readonly outcome: 'unavailable'; readonly owed: readonly string[]; readonly error: string; readonly handed: boolean }
  /** It can never be sent: its type is not registered, or its body is malformed. */
  | { readonly outcome: 'unroutable'; readonly error: string };

interface Entry {
  readonly row: number;
  readonly consumer: string;
  readonly request: SendMessageBatchRequestEntry;
  readonly bytes: number;
}

/**
 * Sends each row to the queues of all consumers that its route names (or that it still owes).
 * Queues are fed in parallel, each in the order of the rows, so that one aggregate's messages keep their order per queue.
 *
 * @returns one delivery per row, in the order of the rows
 */
export async function deliver(context: PublishContext, rows: readonly OutboxRow[]): Promise<Delivery[]> {
  const failures: { consumer: string; error: string; whole: boolean }[][] = rows.map(() => []);
  const unroutable = new Map<number, string>();
  const byConsumer = new Map<string, Entry[]>();
  rows.forEach((row, index) => {
    try {
      const envelope = decodeMessage(context.topology, row.body);
      for (const consumer of row.owed ?? routeOf(context.topology, envelope.type)?.consumers ?? []) {
        const entries = byConsumer.get(consumer) ?? [];
        entries.push(entryOf(index, consumer, row, envelope));
        byConsumer.set(consumer, entries);
      }
    } catch (error) {
      unroutable.set(index, describeError(error));
    }
  });

  await Promise.all(
    [...byConsumer].map(async ([consumer, entries]) => {
      let down: string | undefined;
      for (const batch of batchesOf(entries)) {
        // After a call that failed as a whole the rest is not tried: a later message must not overtake an earlier one.
        const failed: Failed[] =
          down === undefined ? await sendBatch(context, consumer, batch) : batch.map(({ row }) => ({ row, error: down!, whole: true }));
        for (const { row, error, whole } of failed) {
          if (whole) down = error;
          failures[row]!.push({ consumer, error, whole });
        }
      }
    }),
  );

  return rows.map((_, index): Delivery => {
    const reason = unroutable.get(index);
    if (reason !== undefined) return { outcome: 'unroutable', error: reason };
    const failed = failures[index]!;
    if (failed.length === 0) return { outcome: 'sent' };
    const owed = failed.map((failure) => failure.consumer);
    const error = failed.map((failure) => `${failure.consumer}: ${failure.error}`).join('; ');
    return {
      outcome: failed.some((failure) => failure.whole) ? 'unavailable' : 'refused',
      owed,
      error,
      handed: onlyListeners(context.topology, owed),
    };
  });
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

/** An entry that did not arrive. `whole`: its call failed, not it. */
interface Failed {
  readonly row: number;
  readonly error: string;
  readonly whole: boolean;
}

/** One call; returns the entries that did not arrive. SQS answers 200 even when it refused some: `Failed` tells which. */
async function sendBatch(context: PublishContext, consumer: string, batch: readonly Entry[]): Promise<Failed[]> {
  const queueUrl = context.queueUrls[consumer];
  if (queueUrl === undefined) {
    return batch.map(({ row }) => ({ row, error: 'no queue URL is configured for this consumer', whole: false }));
  }
  try {
    const answer = await context.queues.send(
      new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: batch.map((entry) => entry.request) }),
    );
    return (answer.Failed ?? []).map((failed) => ({
      row: Number(failed.Id),
      error: `${failed.Code ?? 'refused'}: ${failed.Message ?? 'no message'}`,
      whole: false,
    }));
  } catch (error) {
    const message = describeError(error);
    return batch.map(({ row }) => ({ row, error: message, whole: true }));
  }
}
