import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditBooks } from '../support/audit.ts';
import { startRuntime, type StartedRuntime } from '../support/runtime.ts';
import { eventually, itemsOf, localSystem, settled, type System } from '../support/system.ts';

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
const marks = /SECRET|secretmail|7777 7777/;
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

describe('erasing a customer', () => {
  const erase = (customer: string) =>
    spawnSync(process.execPath, [join(import.meta.dirname, '../../bin/ops.ts'), 'erase', '--customer', customer, '--url', runtime.url], {
      encoding: 'utf8',
    });
  const orders = () => itemsOf<Record<string, unknown>>(system, 'OrdersTableName');
  /** Tables that hold something for good; what the outbox holds expires. */
  const kept = ['Orders', 'Inventory', 'Payments', 'Shipments', 'Notifications', 'OrderView', 'Idempotency', 'Ledger'];

  it('takes out what is personal, keeps the books, and leaves open orders and other customers alone', async () => {
    const key = crypto.randomUUID();
    const place = (customerId: string, idempotencyKey: string, changes: object = {}) =>
      system.client.placeOrder({ ...order(changes), customerId }, { idempotencyKey });
    const { body: grace } = await place('grace', crypto.randomUUID());
    const { body: replayed } = await place('ada', key);
    await Promise.all([grace, replayed].map(({ orderId }) => settled(system, orderId)));
    await eventually(async () => {
      await system.api.send('POST', '/_local/functions/order-sweep', {});
      expect((await orders()).filter(({ openShard }) => openShard !== undefined)).toEqual([]);
    });
    // One that still has to be delivered.
    await system.api.send('PUT', '/_local/faults', { shipping: { outage: true } });
    const { body: open } = await place('ada', crypto.randomUUID());
    await eventually(async () => expect((await system.client.getOrder(open.orderId)).body?.step).toBe('ARRANGING_SHIPMENT'));

    const books = (items: Record<string, unknown>[]) =>
      items
        .map(({ shipTo: _s, email: _e, paymentToken: _p, erasedAt: _a, ...rest }) => rest)
        .toSorted((a, b) => (String(a['orderId']) < String(b['orderId']) ? -1 : 1));
    const before = await orders();
    const mine = before.filter(({ customerId, orderId }) => customerId === 'ada' && orderId !== open.orderId);
    const first = erase('ada');
    expect(first).toMatchObject({
      status: 2,
      stdout: expect.stringContaining(`${mine.length} erased, 0 were erased before, 1 are still open`),
    });
    const after = await orders();
    expect(books(after)).toEqual(books(before));
    const found = (items: Record<string, unknown>[]) =>
      items.filter((item) => marks.test(JSON.stringify(item))).map(({ orderId }) => orderId);
    expect(found(after).toSorted()).toEqual([grace.orderId, open.orderId].toSorted());

    // The open one goes on to its address; then it is erased too.
    await system.api.send('DELETE', '/_local/faults', {});
    expect(await settled(system, open.orderId)).toMatchObject({ status: 'CONFIRMED' });
    await eventually(async () => {
      await system.api.send('POST', '/_local/functions/order-sweep', {});
      expect(erase('ada')).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(`${mine.length + 1} were erased before, 0 are still open`),
      });
    });

    // The guarantees hold: the same request meets its order, another one under its key does not.
    const again = await place('ada', key);
    expect([again.body.orderId, again.headers.get('idempotency-replayed')]).toEqual([replayed.orderId, 'true']);
    await expect(place('ada', key, { email: 'other@example.com' })).rejects.toMatchObject({ status: 422 });
    await auditBooks(system, new Map());
    for (const table of kept) {
      const items = (await itemsOf<Record<string, unknown>>(system, `${table}TableName`)).filter(
        ({ orderId }) => orderId !== grace.orderId,
      );
      expect({ table, marked: items.filter((item) => marks.test(JSON.stringify(item))) }).toEqual({
        table,
        marked: [],
      });
    }
  });

  it('says what it cannot do', () => {
    expect(erase('nobody')).toMatchObject({ status: 0, stdout: '0 erased, 0 were erased before, 0 are still open\n' });
    expect(erase('a b')).toMatchObject({ status: 1, stderr: expect.stringContaining('--customer a b: is no customer') });
    const lost = spawnSync(
      process.execPath,
      [join(import.meta.dirname, '../../bin/ops.ts'), 'erase', '--customer', 'c1', '--url', 'http://127.0.0.1:1'],
      { encoding: 'utf8' },
    );
    expect(lost).toMatchObject({ status: 1, stderr: expect.stringContaining('no local system answers at http://127.0.0.1:1') });
  });
});
