import { expect, it, onTestFinished } from 'vitest';
import { callService } from '../src/call.ts';
import { requestText, sendBytes } from '../../../test/support/raw.ts';
import { startEngine } from './support/engine.ts';

it('the engine’s own server answers programs of this machine, and neither foreign hosts nor web pages', async () => {
  const { endpoint, stop } = await startEngine();
  onTestFinished(stop);
  expect(await callService(endpoint, 'AmazonSQS.ListQueues', {})).toBeDefined();
  const { host } = new URL(endpoint);
  const list = (headers: Record<string, string>) =>
    sendBytes(endpoint, requestText('POST / HTTP/1.1', { host, 'x-amz-target': 'AmazonSQS.ListQueues', ...headers }, '{}'));
  expect(await list({ host: 'evil.example' })).toMatchObject({ status: 403 });
  expect(await list({ origin: 'https://evil.example' })).toMatchObject({ status: 403 });
  expect(await list({ 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
});
