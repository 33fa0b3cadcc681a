import type { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { topology } from '../../lambdas/contract/routes.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import type { Queues } from '@outbox-saga/kit/aws/clients';
import type { PublishContext } from '@outbox-saga/kit/outbox/deliver';

/** `fault`: SQS takes the call and could not store this entry, by its own fault. `down`: the whole call fails. */
export type QueueAnswer = 'take' | 'refuse' | 'fault' | 'down';

/** SQS as the publisher sees it, with faults by consumer. */
export function queuesThat(answer: (consumer: string, id: string) => QueueAnswer) {
  const sent: { consumer: string; body: string; entry: NonNullable<SendMessageBatchCommand['input']['Entries']>[number] }[] = [];
  const calls: { consumer: string; entries: number }[] = [];
  const send = (command: SendMessageBatchCommand): Promise<unknown> => {
    const consumer = command.input.QueueUrl!.split('/').at(-1)!;
    const entries = command.input.Entries!;
    calls.push({ consumer, entries: entries.length });
    const answers = entries.map((entry) => answer(consumer, entry.Id!));
    if (answers.includes('down')) return Promise.reject(new Error('SQS does not answer'));
    const failed = entries.flatMap(({ Id }, i) => {
      if (answers[i] === 'take') return [];
      return [{ Id, Code: 'InvalidMessageContents', Message: 'no', SenderFault: answers[i] === 'refuse' }];
    });
    entries.forEach((entry, i) => {
      if (answers[i] === 'take') sent.push({ consumer, body: entry.MessageBody!, entry });
    });
    return Promise.resolve({ Failed: failed });
  };
  return { queues: { send } as unknown as Queues, sent, calls };
}

export function publishTo(queues: Queues): PublishContext {
  const queueUrls = Object.fromEntries(Object.keys(topology.consumers).map((name) => [name, `http://sqs/0/${name}`]));
  return { topology, queues, queueUrls, holdSeconds: durations.prod.retry.windowSeconds };
}

let records = 0;

/** What the stream tells of a row. */
export function recordOf(row: object, eventName: 'INSERT' | 'MODIFY' = 'INSERT'): DynamoDBRecord {
  return { eventName, dynamodb: { SequenceNumber: String(++records), NewImage: marshall(row, { removeUndefinedValues: true }) as never } };
}
