import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { startSqs } from '../../local/emulators/sqs.ts';
import { Processes } from '../../local/processes.ts';
import { MemoryQueues, queuePort } from '../simulation/memory/queues.ts';
import { temporaryFolder } from './runtime.ts';

/** Queues for contract tests: of the embedded emulator, of an SQS that TEST_SQS_ENDPOINT names, or of the simulation's memory. */
export interface TestQueues {
  readonly client: SQSClient;
  /** Its name is made unique: the SQS may be another run's too. @returns the queue's URL */
  create(name: string, redrive?: { readonly to: string; readonly after: number }): Promise<string>;
  stop(): Promise<void>;
}

const visibilitySeconds = 30;
const uniqueName = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`;

export async function startQueues(): Promise<TestQueues> {
  return process.env['TEST_TABLES'] === 'memory' ? memoryQueues() : emulatedQueues();
}

function memoryQueues(): TestQueues {
  const memory = new MemoryQueues(() => Date.now());
  return {
    client: queuePort((call) => new Promise((resolve) => resolve(memory.execute(call)))),
    create: (name, redrive) => {
      const url = uniqueName(name);
      memory.create(url, { visibilitySeconds, retentionSeconds: 60, ...(redrive ? { redrive } : {}) });
      return Promise.resolve(url);
    },
    stop: () => Promise.resolve(),
  };
}

async function emulatedQueues(): Promise<TestQueues> {
  const folder = temporaryFolder();
  const processes = new Processes(folder);
  const endpoint = process.env['TEST_SQS_ENDPOINT'] ?? (await startSqs(folder, processes)).endpoint;
  const client = new SQSClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'TEST', secretAccessKey: 'test' },
    useQueueUrlAsEndpoint: false,
  });
  const arnOf = async (QueueUrl: string): Promise<string | undefined> =>
    (await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }))).Attributes?.['QueueArn'];
  return {
    client,
    create: async (name, redrive) => {
      const QueueName = uniqueName(name);
      const policy = redrive && JSON.stringify({ deadLetterTargetArn: await arnOf(redrive.to), maxReceiveCount: redrive.after });
      const Attributes = { VisibilityTimeout: String(visibilitySeconds), ...(policy ? { RedrivePolicy: policy } : {}) };
      return (await client.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl!;
    },
    stop: async () => {
      client.destroy();
      await processes.killAll();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
