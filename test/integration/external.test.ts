import { rmSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { callService } from '@outbox-saga/emulator/call';
import { startEngine } from '../../packages/emulator/test/support/engine.ts';
import { startFauxqs } from '../../packages/emulator/test/support/fauxqs.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { startRuntime } from '../support/runtime.ts';
import { localSystem, settled } from '../support/system.ts';

/** A DynamoDB and an SQS that the runtime did not start. */
async function ownEmulators(): Promise<{ dynamoDb: string; sqs: string }> {
  const [dynamoDb, sqs] = await Promise.all([startEngine(), startFauxqs()]);
  onTestFinished(async () => {
    await dynamoDb.stop();
    await sqs.stop();
  });
  return { dynamoDb: dynamoDb.endpoint, sqs: sqs.endpoint };
}

it('emulators of the user’s own are used, and --fresh empties them', async () => {
  const { dynamoDb, sqs } = await ownEmulators();
  const dataDir = temporaryFolder();
  const start = async (...args: string[]) => {
    const env = { AWS_ENDPOINT_URL_DYNAMODB: dynamoDb, AWS_ENDPOINT_URL_SQS: sqs };
    const runtime = await startRuntime({ dataDir, env, args: ['--stage', 'test', ...args] });
    onTestFinished(() => runtime.end('SIGKILL').then(() => undefined));
    return { runtime, system: await localSystem(runtime.url) };
  };
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const order = { items: [{ sku: 'tea', qty: 1, price: 100 }] };
  const first = await start();
  const { orderId } = (await first.system.api.place(order)).body;
  await settled(first.system, orderId);
  await first.runtime.end();
  // Into a queue that nobody reads.
  const { QueueUrls } = (await callService(sqs, 'AmazonSQS.ListQueues', {})) as { QueueUrls: string[] };
  const QueueUrl = QueueUrls.find((url) => /dead/i.test(url));
  await callService(sqs, 'AmazonSQS.SendMessage', { QueueUrl, MessageBody: 'left from before' });

  const fresh = await start('--fresh');
  expect((await fresh.system.api.order(orderId)).status).toBe(404);
  expect((await callService(sqs, 'AmazonSQS.ReceiveMessage', { QueueUrl }))['Messages'] ?? []).toEqual([]);
  const later = (await fresh.system.api.place(order)).body.orderId;
  expect((await settled(fresh.system, later)).status).toBe('FAILED');
}, 180_000);
