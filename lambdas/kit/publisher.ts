import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { DynamoDBBatchResponse, DynamoDBRecord } from 'aws-lambda';
import { coreMetrics } from '../contract/core/metrics.ts';
import { markDead, markFailed, markSent, type OutboxContext, type OutboxRow } from './outbox.ts';
import { deliver, type PublishContext } from './publish.ts';

/**
 * Publishes the rows that a stream batch inserted.
 *
 * One bad row never blocks its shard: what a queue refuses goes to the relay, what can never be sent is DEAD.
 * Only when a whole call fails does the batch go back to the stream's own bounded retry, from the first row
 * that was touched by it; rows after it that did arrive are then sent again, which consumers absorb.
 */
export async function publishRecords(
  records: readonly DynamoDBRecord[],
  outbox: OutboxContext,
  publish: PublishContext,
): Promise<DynamoDBBatchResponse> {
  const inserted = records.flatMap((record) => {
    const image = record.dynamodb?.NewImage;
    const sequence = record.dynamodb?.SequenceNumber;
    // Marking a row emits MODIFY and its expiry emits REMOVE; the event source filters them, this line is the second guard.
    if (record.eventName !== 'INSERT' || !image || !sequence) return [];
    return [{ sequence, row: unmarshall(image as Record<string, AttributeValue>) as OutboxRow }];
  });
  const deliveries = await deliver(
    publish,
    inserted.map(({ row }) => row),
  );
  const { telemetry, world } = outbox;
  await Promise.all(
    inserted.map(async ({ row }, i) => {
      const delivery = deliveries[i]!;
      switch (delivery.outcome) {
        case 'sent':
          telemetry.count(coreMetrics.publishLag, world.now() - row.committedAt);
          telemetry.count(coreMetrics.rowsSent, 1);
          await markSent(outbox, row);
          break;
        case 'refused':
          telemetry.count(coreMetrics.rowsFailed, 1);
          await markFailed(outbox, row, { ...delivery, counts: true });
          break;
        case 'unroutable':
          telemetry.count(coreMetrics.rowsDead, 1);
          await markDead(outbox, row, delivery.error);
          break;
        case 'unavailable':
          telemetry.warn('outbox row not sent', { aggregateId: row.aggregateId, messageId: row.messageId, lastError: delivery.error });
          break;
      }
    }),
  );
  const firstUnavailable = deliveries.findIndex((delivery) => delivery.outcome === 'unavailable');
  if (firstUnavailable < 0) return { batchItemFailures: [] };
  return { batchItemFailures: [{ itemIdentifier: inserted[firstUnavailable]!.sequence }] };
}
