import { rmSync } from 'node:fs';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  type Message,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startSqs } from '../../local/emulators/sqs.ts';
import { Processes } from '../../local/processes.ts';
import { MemoryQueues, queuePort } from '../simulation/memory/queues.ts';
import { temporaryFolder } from '../support/runtime.ts';

// The queues of the simulation's memory stand for SQS only as far as this holds for both.
let client: SQSClient;
let create: (name: string, redrive?: { to: string; after: number }) => Promise<string>;
let stop: () => Promise<void> = () => Promise.resolve();
let queue: string;
let deadLetters: string;
let count = 0;

beforeAll(async () => {
  if (process.env['TEST_TABLES'] === 'memory') {
    const memory = new MemoryQueues(() => Date.now());
    client = queuePort((call) => new Promise((resolve) => resolve(memory.execute(call))));
    create = (name, redrive) => {
      memory.create(name, { visibilitySeconds: 30, retentionSeconds: 60, ...(redrive ? { redrive } : {}) });
      return Promise.resolve(name);
    };
    return;
  }
  const folder = temporaryFolder();
  const processes = new Processes(folder);
  const { endpoint } = await startSqs(folder, processes);
  client = new SQSClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'TEST', secretAccessKey: 'test' },
    useQueueUrlAsEndpoint: false,
  });
  const arnOf = async (QueueUrl: string): Promise<string | undefined> =>
    (await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }))).Attributes?.['QueueArn'];
  create = async (QueueName, redrive) => {
    const policy = redrive && JSON.stringify({ deadLetterTargetArn: await arnOf(redrive.to), maxReceiveCount: redrive.after });
    const Attributes = { VisibilityTimeout: '30', ...(policy ? { RedrivePolicy: policy } : {}) };
    return (await client.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl!;
  };
  stop = async () => {
    client.destroy();
    await processes.killAll();
    rmSync(folder, { recursive: true, force: true });
  };
});
afterAll(() => stop());
beforeEach(async () => {
  deadLetters = await create(`dead-${++count}`);
  queue = await create(`queue-${count}`, { to: deadLetters, after: 3 });
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

describe('a queue', () => {
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
      { Id: 'bad', MessageBody: 'b\uFFFF' },
    ];
    const answer = await client.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries }));
    expect(answer.Successful?.map(({ Id }) => Id)).toEqual(['good']);
    expect(answer.Failed).toMatchObject([{ Id: 'bad', SenderFault: true }]);
    expect((await receive()).map(({ Body }) => Body)).toEqual(['a']);
  });

  it.each([
    ['an empty batch', []],
    ['more than ten', Array.from({ length: 11 }, (_, i) => ({ Id: String(i), MessageBody: 'x' }))],
    ['one id twice', [1, 2].map(() => ({ Id: 'same', MessageBody: 'x' }))],
    ['more than 1 MiB', [1, 2].map((i) => ({ Id: String(i), MessageBody: 'x'.repeat(600_000) }))],
  ])('refuses %s as a whole', async (_what, Entries) => {
    await expect(client.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries }))).rejects.toBeInstanceOf(Error);
    expect(await receive()).toEqual([]);
  });
});
