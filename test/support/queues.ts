import { randomUUID } from 'node:crypto';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { memoryOnly } from '@outbox-saga/emulator/sqs/storage';
import { queuePort } from '@outbox-saga/testing/simulation/ports';
import { openEngine } from '../../packages/emulator/test/support/sqs.ts';
import { startEngine } from '../../packages/emulator/test/support/engine.ts';

/** Queues for contract tests: of the embedded emulator, of an SQS that TEST_SQS_ENDPOINT names, or of the simulation's memory. */
export interface TestQueues {
  readonly client: SQSClient;
  /** Its name is made unique: the SQS may be another run's too. @returns the queue's URL */
  create(name: string, redrive?: Redrive): Promise<string>;
  stop(): Promise<void>;
}

interface Redrive {
  readonly to: string;
  readonly after: number;
}

async function createQueue(client: SQSClient, name: string, redrive?: Redrive): Promise<string> {
  const QueueName = `${name}-${randomUUID().slice(0, 8)}`;
  const arnOf = async (QueueUrl: string): Promise<string | undefined> =>
    (await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }))).Attributes?.['QueueArn'];
  const policy = redrive && JSON.stringify({ deadLetterTargetArn: await arnOf(redrive.to), maxReceiveCount: redrive.after });
  const Attributes = { VisibilityTimeout: '30', ...(policy ? { RedrivePolicy: policy } : {}) };
  return (await client.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl!;
}

export async function startQueues(): Promise<TestQueues> {
  return process.env['TEST_TABLES'] === 'memory' ? memoryQueues() : emulatedQueues();
}

function memoryQueues(): TestQueues {
  const engine = openEngine(memoryOnly);
  const client = queuePort(({ operation, input }) => engine.call(operation, input));
  return { client, create: (name, redrive) => createQueue(client, name, redrive), stop: () => Promise.resolve(engine.stop()) };
}

async function emulatedQueues(): Promise<TestQueues> {
  const named = process.env['TEST_SQS_ENDPOINT'];
  const { endpoint, stop } = named === undefined ? await startEngine() : { endpoint: named, stop: () => Promise.resolve() };
  const client = new SQSClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'TEST', secretAccessKey: 'test' },
    useQueueUrlAsEndpoint: false,
  });
  return {
    client,
    create: (name, redrive) => createQueue(client, name, redrive),
    stop: async () => {
      client.destroy();
      await stop();
    },
  };
}
