import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type Message,
  type SendMessageBatchRequestEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startQueues, type TestQueues } from '../support/queues.ts';

// The queues of the simulation's memory stand for SQS only as far as this holds for both.
let queues: TestQueues;
let client: SQSClient;
let queue: string;
let deadLetters: string;

beforeAll(async () => {
  queues = await startQueues();
  ({ client } = queues);
});
afterAll(() => queues.stop());
beforeEach(async () => {
  deadLetters = await queues.create('dead');
  queue = await queues.create('queue', { to: deadLetters, after: 3 });
});

const send = (MessageBody: string, more = {}) => client.send(new SendMessageCommand({ QueueUrl: queue, MessageBody, ...more }));
const receive = async (QueueUrl = queue): Promise<Message[]> => {
  const input = { QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All' as const], MessageAttributeNames: ['All'] };
  return (await client.send(new ReceiveMessageCommand(input))).Messages ?? [];
};
/** Waits until a message can be received. */
const receiveOne = (): Promise<Message> =>
  vi.waitFor(
    async () => {
      const [message] = await receive();
      if (!message) throw new Error('nothing is visible');
      return message;
    },
    { timeout: 10_000, interval: 50 },
  );
/** Lets a message be seen again in a second. */
const show = ({ ReceiptHandle }: Message) =>
  client.send(new ChangeMessageVisibilityCommand({ QueueUrl: queue, ReceiptHandle, VisibilityTimeout: 1 }));

/** Messages that SQS counts: visible, in flight and delayed. */
const counts = async (): Promise<Record<string, string | undefined>> => {
  const AttributeNames = ['ApproximateNumberOfMessages' as const, 'ApproximateNumberOfMessagesNotVisible' as const];
  return (await client.send(new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames }))).Attributes ?? {};
};

const refuses = async (Entries: SendMessageBatchRequestEntry[]): Promise<void> => {
  await expect(client.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries }))).rejects.toBeInstanceOf(Error);
  expect(await receive()).toEqual([]);
};

describe('a queue', () => {
  it('hides a message for as long as its receiver asks for, and counts what is visible and what is not', async () => {
    await send('one');
    await send('two');
    expect(await counts()).toEqual({ ApproximateNumberOfMessages: '2', ApproximateNumberOfMessagesNotVisible: '0' });
    const ask = { QueueUrl: queue, MaxNumberOfMessages: 1, VisibilityTimeout: 1 };
    const { Messages: [taken] = [] } = await client.send(new ReceiveMessageCommand(ask));
    expect(await counts()).toEqual({ ApproximateNumberOfMessages: '1', ApproximateNumberOfMessagesNotVisible: '1' });
    const other = await receiveOne();
    expect(other.MessageId).not.toBe(taken!.MessageId);
    expect((await receiveOne()).MessageId).toBe(taken!.MessageId);
  });

  it('gives a message with its attributes, hides it while it is in flight, and counts its receives', async () => {
    await send('hello', { MessageAttributes: { type: { DataType: 'String', StringValue: 'Greeting' } } });
    const [first] = await receive();
    expect(first).toMatchObject({ Body: 'hello', MessageAttributes: { type: { StringValue: 'Greeting' } } });
    expect(first!.Attributes?.['ApproximateReceiveCount']).toBe('1');
    expect(await receive()).toEqual([]);
    await show(first!);
    const second = await receiveOne();
    expect(second.Attributes).toMatchObject({
      ApproximateReceiveCount: '2',
      ApproximateFirstReceiveTimestamp: first!.Attributes!['ApproximateFirstReceiveTimestamp'],
    });
    await client.send(new DeleteMessageCommand({ QueueUrl: queue, ReceiptHandle: second.ReceiptHandle }));
    await show(second).catch(() => undefined);
    expect(await receive()).toEqual([]);
  });

  it('moves a message that was received too often to its dead-letter queue, as it is', async () => {
    await send('poison', { MessageAttributes: { type: { DataType: 'String', StringValue: 'x' } } });
    for (let i = 0; i < 3; i++) await show(await receiveOne());
    const [dead] = await vi.waitFor(
      async () => {
        expect(await receive()).toEqual([]);
        const found = await receive(deadLetters);
        expect(found).toHaveLength(1);
        return found;
      },
      { timeout: 10_000, interval: 50 },
    );
    expect(dead).toMatchObject({ Body: 'poison', MessageAttributes: { type: { StringValue: 'x' } } });
  });

  it('takes the good entries of a batch and names the bad ones', async () => {
    const Entries = [
      { Id: 'good', MessageBody: 'a' },
      { Id: 'bad', MessageBody: 'b\u0001' },
    ];
    const answer = await client.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries }));
    expect(answer.Successful?.map(({ Id }) => Id)).toEqual(['good']);
    expect(answer.Failed).toMatchObject([{ Id: 'bad', SenderFault: true }]);
    expect((await receive()).map(({ Body }) => Body)).toEqual(['a']);
  });

  it.each([
    ['more than ten', Array.from({ length: 11 }, (_, i) => ({ Id: String(i), MessageBody: 'x' }))],
    ['one id twice', [1, 2].map(() => ({ Id: 'same', MessageBody: 'x' }))],
    ['more than 1 MiB', [1, 2].map((i) => ({ Id: String(i), MessageBody: 'x'.repeat(600_000) }))],
  ])('refuses %s as a whole', async (_what, Entries) => {
    await refuses(Entries);
  });

  // ElasticMQ, which `npm run fidelity` names, takes it; SQS answers EmptyBatchRequest.
  it.skipIf(process.env['TEST_SQS_ENDPOINT'] !== undefined)('refuses an empty batch', () => refuses([]));
});
