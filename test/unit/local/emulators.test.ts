import { rmSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { callService } from '../../../local/emulators/call.ts';
import { startSqs } from '../../../local/emulators/sqs.ts';
import { Processes } from '../../../local/processes.ts';
import { requestText, sendBytes } from '../../support/raw.ts';
import { temporaryFolder } from '../../support/runtime.ts';

it('the queues answer programs of this machine, and neither foreign hosts nor web pages', async () => {
  const dataDir = temporaryFolder();
  const processes = new Processes(dataDir);
  onTestFinished(async () => {
    await processes.killAll();
    rmSync(dataDir, { recursive: true });
  });
  const { endpoint } = await startSqs(dataDir, processes);
  expect(await callService(endpoint, 'AmazonSQS.ListQueues', {})).toBeDefined();
  const { host } = new URL(endpoint);
  const list = (headers: Record<string, string>) =>
    sendBytes(endpoint, requestText('POST / HTTP/1.1', { host, 'x-amz-target': 'AmazonSQS.ListQueues', ...headers }, '{}'));
  expect(await list({ host: 'evil.example' })).toMatchObject({ status: 403 });
  expect(await list({ origin: 'https://evil.example' })).toMatchObject({ status: 403 });
  expect(await list({ 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
}, 20_000);
