import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRuntime, type StartedRuntime } from '../support/runtime.ts';
import { eventually, localSystem, settled, type System } from '../support/system.ts';

let runtime: StartedRuntime;
let system: System;
beforeAll(async () => {
  // Every log line of every function is printed.
  runtime = await startRuntime({ args: ['--stage', 'test', '--verbose'] });
  system = await localSystem(runtime.url);
});
afterAll(() => runtime.remove());

const secrets = {
  name: 'Ada SECRETNAME',
  line1: '1 SECRETSTREET',
  city: 'SECRETCITY',
  phone: '+81 90 7777 7777',
  email: 'secretmail@example.com',
  token: 'tok_SECRETTOKEN',
};
const marks = /SECRET|secretmail|7777 7777/g;
const order = (changes: object = {}) => ({
  customerId: 'ada',
  items: [{ sku: 'tea', qty: 1, price: 100 }],
  email: secrets.email,
  shipTo: { name: secrets.name, line1: secrets.line1, city: secrets.city, phone: secrets.phone, postalCode: '1000001' },
  ...changes,
});
const post = (body: unknown) =>
  system.api.request('POST', '/orders', {
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

it('no log line shows who a customer is, where they live, or how they pay, whatever goes wrong', async () => {
  await system.api.setStock('tea', 100);
  const accepted: string[] = [];
  for (const changes of [
    {},
    { payment: { token: secrets.token } },
    { shipTo: { ...order().shipTo, postalCode: '00000' } },
    { items: [{ sku: 'tea', qty: 1000, price: 1 }] },
  ]) {
    const { status, body } = await post(order(changes));
    expect(status).toBe(202);
    accepted.push(body.orderId as string);
    await system.api.send('POST', `/orders/${body.orderId}/cancel`, undefined);
  }
  for (const orderId of accepted) await settled(system, orderId);

  // What is refused is not echoed either.
  const refused = await Promise.all([
    post(order({ email: 'SECRETMAIL is no address' })),
    post(order({ shipTo: { name: 'SECRETNAME\u0007' } })),
    post(order({ shipTo: { phone: 'SECRETPHONE' } })),
    post(order({ payment: { token: 'SECRET TOKEN with spaces' } })),
    post(`{"email": "SECRETMAIL`),
    post('SECRETS'),
  ]);
  expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 400));
  for (const { text } of refused) expect(text).not.toMatch(marks);

  // Messages that cannot be read hold whatever they hold.
  for (const MessageBody of ['SECRETNAME', '{"name":"SECRETNAME"', '{"messageId":"SECRETNAME"}', '{"type":"SECRETNAME"}']) {
    await system.queues.send(new SendMessageCommand({ QueueUrl: system.outputs['PaymentQueueUrl'], MessageBody }));
  }
  await eventually(async () => {
    const lines = runtime.output().split('\n');
    expect(lines.filter((line) => line.includes('dead-lettered') && line.includes('payment'))).toHaveLength(4);
    return Promise.resolve();
  });
  expect(runtime.output().split('\n').length).toBeGreaterThan(100);
  expect(
    runtime
      .output()
      .split('\n')
      .filter((line) => line.match(marks)),
  ).toEqual([]);
});
