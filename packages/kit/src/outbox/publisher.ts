import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { DynamoDBBatchResponse, DynamoDBRecord } from 'aws-lambda';
import type { Delivery, OutboxRow } from './row.ts';
import type { OutboxContext } from './row-store.ts';
import { deliver, record, type PublishContext } from './deliver.ts';

/**
 * Publishes the rows that a stream batch inserted.
 *
 * Neither one bad row nor one dead queue blocks the shard: what a queue refuses or does not take goes to the relay with the consumers that
 * it owes, and what can never be sent is DEAD. Only when no queue answers at all does the batch go back to the stream's own bounded retry,
 * from the first row that was touched by it.
 */
export async function publishRecords(
  records: readonly DynamoDBRecord[],
  outbox: OutboxContext,
  publish: PublishContext,
): Promise<DynamoDBBatchResponse> {
  const inserted = records.flatMap(({ eventName, dynamodb }) => {
    const image = dynamodb?.NewImage;
    const sequence = dynamodb?.SequenceNumber;
    // Marking a row emits MODIFY and its expiry emits REMOVE; the event source filters them, this line is the second guard.
    if (eventName !== 'INSERT' || !image || !sequence) return [];
    return [{ sequence, row: unmarshall(image as Record<string, AttributeValue>) as OutboxRow }];
  });
  const { rows: deliveries, answered } = await deliver(
    publish,
    inserted.map(({ row }) => row),
  );
  // SQS as a whole is out: the stream waits better than a hundred rows one by one.
  const goesBack = ({ outcome }: Delivery): boolean => !answered && outcome === 'unavailable';
  await Promise.all(
    inserted.map(async ({ row }, i) => {
      if (!goesBack(deliveries[i]!)) await record({ outbox, publish }, row, deliveries[i]!);
    }),
  );
  const first = deliveries.findIndex(goesBack);
  if (first < 0) return { batchItemFailures: [] };
  outbox.telemetry.warn('no queue answers', { rows: deliveries.filter(goesBack).length, ...deliveries[first] });
  return { batchItemFailures: [{ itemIdentifier: inserted[first]!.sequence }] };
}
