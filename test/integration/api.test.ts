import { gzipSync } from 'node:zlib';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runningSystem } from '../support/running-system.ts';
import { itemsOf, queueDepth, settled, unique } from '../support/system.ts';

const system = runningSystem();

const line = { sku: 'coffee', qty: 1, price: 500 };
const json = { 'content-type': 'application/json' };
const post = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
  system.api.request('POST', '/orders', { body, headers: { ...json, 'idempotency-key': randomUUID(), ...headers } });

describe('placing an order', () => {
  it('answers the curl line of the README in the form of the API, and the order settles', async () => {
    await system.api.setStock('coffee', 1);
    const headers = { ...json, 'idempotency-key': 'demo-001' };
    const body = '{"items":[{"sku":"coffee","qty":1,"price":500}]}';
    const answer = await system.api.request('POST', '/orders', { body, headers });
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ orderId: expect.stringMatching(/^ord_[0-9A-Z]{26}$/), status: 'PENDING' });
    expect(answer.headers.get('location')).toBe(`/orders/${answer.body.orderId}`);
    expect(answer.headers.get('idempotency-replayed')).toBeNull();
    expect(await settled(system, answer.body.orderId)).toMatchObject({ customerId: 'guest', status: 'CONFIRMED' });
    const replay = await system.api.request('POST', '/orders', { body, headers });
    expect({ status: replay.status, body: replay.body }).toEqual({ status: 202, body: answer.body });
    expect(replay.headers.get('idempotency-replayed')).toBe('true');
  });

  it('returns the correlation id that it was given, or makes one', async () => {
    const given = await system.api.place({ items: [line] }, randomUUID(), { 'x-correlation-id': 'my-id~!' });
    expect(given.headers.get('x-correlation-id')).toBe('my-id~!');
    const { body } = await system.api.get(`/orders/${given.body.orderId}/timeline`);
    expect(body.entries[0]).toMatchObject({ type: 'OrderPlaced', sequence: 1, source: 'place-order' });
    expect((await system.api.place({ items: [line] })).headers.get('x-correlation-id')).toMatch(/^[0-9A-Z]{26}$/);
  });

  it('merges repeated SKUs and carries large orders and names of any script through', async () => {
    const sku = unique('sku');
    await system.api.setStock(sku, 100);
    const { body } = await system.api.place({
      items: [
        { sku, qty: 1, price: 7 },
        { sku, qty: 2, price: 7 },
      ],
      shipTo: { name: '𠮷野家 🍜', line1: 'ß'.repeat(200) },
    });
    expect(await settled(system, body.orderId)).toMatchObject({ status: 'CONFIRMED', total: 21, items: [{ sku, qty: 3, price: 7 }] });
    const skus = Array.from({ length: 40 }, (_, i) => `${sku}-${i}-${'x'.repeat(40)}`);
    await Promise.all(skus.map((name) => system.api.setStock(name, 1)));
    const large = await system.api.place({ items: skus.map((name) => ({ sku: name, qty: 1, price: 1 })) });
    expect(await settled(system, large.body.orderId)).toMatchObject({ status: 'CONFIRMED', total: 40 });
  });
});

describe('bad input is refused with a problem that names the field', () => {
  const order = (changes: object): string => JSON.stringify({ items: [line], ...changes });
  it.each<[string, string | Uint8Array, Record<string, string>, number, string]>([
    ['malformed JSON', '{"items":[', {}, 400, 'body'],
    ['no body', '', {}, 400, 'body'],
    ['not UTF-8', new Uint8Array([0x22, 0xff, 0xfe, 0x22]), {}, 400, 'body'],
    ['an array', '[]', {}, 400, 'body'],
    ['a body over 64 KB', order({ note: 'x'.repeat(65 * 1024) }), {}, 413, 'body'],
    ['another content type', order({}), { 'content-type': 'text/plain' }, 415, 'header:content-type'],
    ['a body of 1 MB', order({ note: 'x'.repeat(1024 * 1024) }), {}, 413, 'body'],
    ['nesting 30,000 deep', `{"items":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, {}, 400, 'items.0'],
    ['a key that is there twice', '{"items":[{"sku":"a","qty":1,"price":1}],"items":[]}', {}, 400, 'body'],
    ['a key that is there twice, once in disguise', '{"items":[{"sku":"a","s\\u006bu":"b","qty":1,"price":1}]}', {}, 400, 'body'],
    ['a key that changes prototypes', '{"__proto__":{"items":[]},"items":[{"sku":"a","qty":1,"price":1}]}', {}, 400, '__proto__'],
    ['a constructor', order({ constructor: { prototype: {} } }), {}, 400, 'constructor'],
    ['a compressed body', gzipSync(order({})), { 'content-encoding': 'gzip' }, 415, 'header:content-encoding'],
    ['an unknown field', order({ shipto: {} }), {}, 400, 'shipto'],
    ['an unknown field in a line', order({ items: [{ ...line, discount: 1 }] }), {}, 400, 'items.0.discount'],
    ['a quantity of zero', order({ items: [{ ...line, qty: 0 }] }), {}, 400, 'items.0.qty'],
    ['a fraction', order({ items: [{ ...line, price: 1.5 }] }), {}, 400, 'items.0.price'],
    ['a number beyond 2^53', '{"items":[{"sku":"a","qty":9007199254740993,"price":1}]}', {}, 400, 'items.0.qty'],
    ['an infinite number', '{"items":[{"sku":"a","qty":1e999,"price":1}]}', {}, 400, 'items.0.qty'],
    ['an overflowing total', order({ items: [{ sku: 'a', qty: 2, price: Number.MAX_SAFE_INTEGER }] }), {}, 400, 'items'],
    ['one SKU at two prices', order({ items: [line, { ...line, price: 1 }] }), {}, 400, 'items.1.price'],
    ['41 lines', order({ items: Array.from({ length: 41 }, () => line) }), {}, 400, 'items'],
    ['an emoji as SKU', order({ items: [{ ...line, sku: '☕🍵' }] }), {}, 400, 'items.0.sku'],
    ['a lone surrogate', '{"items":[{"sku":"a","qty":1,"price":1}],"shipTo":{"name":"a\\ud800b"}}', {}, 400, 'shipTo.name'],
    ['a noncharacter', order({ shipTo: { city: 'a\uFFFFb' } }), {}, 400, 'shipTo.city'],
    ['a control character', order({ shipTo: { city: 'a\u0000b' } }), {}, 400, 'shipTo.city'],
    ['an odd customer', order({ customerId: 'a b' }), {}, 400, 'customerId'],
    ['an e-mail address that is none', order({ email: 'x' }), {}, 400, 'email'],
    ['a token with a space', order({ payment: { token: 'a b' } }), {}, 400, 'payment.token'],
    ['an over-long idempotency key', order({}), { 'idempotency-key': 'k'.repeat(256) }, 400, 'header:idempotency-key'],
    ['an idempotency key with a space', order({}), { 'idempotency-key': 'a b' }, 400, 'header:idempotency-key'],
    ['an over-long correlation id', order({}), { 'x-correlation-id': 'c'.repeat(129) }, 400, 'header:x-correlation-id'],
  ])('%s', async (_, body, headers, status, field) => {
    const before = (await itemsOf(system, 'OrdersTableName')).length;
    const answer = await post(body, headers);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.body).toMatchObject({
      status,
      type: expect.stringMatching(/^urn:problem:/),
      correlationId: answer.headers.get('x-correlation-id'),
    });
    expect(answer.status).toBe(status);
    expect(answer.body.errors.map((error: { field: string }) => error.field)).toContain(field);
    expect(await itemsOf(system, 'OrdersTableName')).toHaveLength(before);
  });

  it('no idempotency key at all', async () => {
    expect(await system.api.send('POST', '/orders', { items: [line] })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'header:idempotency-key' }] },
    });
  });

  it.each([
    ['GET', '/orders', 'query:customerId'],
    ['GET', '/orders?customerId=c&limit=0', 'query:limit'],
    ['GET', '/orders?customerId=c&limit=ten', 'query:limit'],
    ['GET', '/orders?customerId=c&status=LOST', 'query:status'],
    ['GET', '/orders?customerId=c&page=2', 'query:page'],
    ['GET', '/orders?customerId=c&cursor=zzz', 'query:cursor'],
    ['GET', '/admin/stock/a%20b', 'path:sku'],
  ])('%s %s', async (method, path, field) => {
    expect(await system.api.request(method, path)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
  });

  it.each([
    [{ available: -1 }, {}, 'available'],
    [{ available: 1, reserved: 1 }, {}, 'reserved'],
    [{ available: 1 }, { 'if-match': 'W/"1"' }, 'header:if-match'],
  ])('PUT stock %j %j', async (body, headers, field) => {
    expect(await system.api.send('PUT', '/admin/stock/coffee', body, headers as Record<string, string>)).toMatchObject({
      status: 400,
      body: { errors: [{ field }] },
    });
  });
});

describe('what the gateway itself refuses looks as it does on AWS', () => {
  it.each([
    ['headers beyond 10,240 bytes', () => system.api.request('GET', '/health', { headers: { 'x-long': 'x'.repeat(11_000) } }), 431],
    ['a body beyond 10 MB', () => post('x'.repeat(10 * 1024 * 1024 + 1)), 413],
    ['broken percent-encoding', () => system.api.get('/orders/%zz'), 400],
  ])('%s', async (_, ask, status) => {
    const answer = await ask();
    expect({ status: answer.status, body: answer.body }).toEqual({ status, body: { message: expect.any(String) } });
  });
});

describe('the runtime’s own pages', () => {
  it('show metrics as CloudWatch would have them', async () => {
    await settled(system, (await system.api.place({ items: [line] })).body.orderId);
    const { body } = await system.api.get('/_local/metrics');
    const names = new Set(body.metrics.map(({ name }: { name: string }) => name));
    for (const name of ['PublishLag', 'CriticalTime', 'SettleTime', 'OrdersAccepted', 'OrdersFailed']) expect(names).toContain(name);
    const failed = body.metrics.filter(({ name }: { name: string }) => name === 'OrdersFailed');
    const ofFunction = { service: 'order-saga', stage: 'test' };
    expect(failed.map(({ dimensions }: { dimensions: unknown }) => dimensions)).toEqual(
      expect.arrayContaining([ofFunction, { ...ofFunction, code: 'OUT_OF_STOCK' }]),
    );
  });

  it('run the relay on demand, which reports its gauges', async () => {
    expect(await system.api.send('POST', '/_local/functions/outbox-relay', {})).toMatchObject({
      body: { ok: true, payload: { relayed: 0 } },
    });
    const { body } = await system.api.get('/_local/metrics');
    const names = new Set(body.metrics.map(({ name }: { name: string }) => name));
    for (const name of ['OverdueUnsentRows', 'SendingRows', 'FailedRows', 'DeadRows', 'OldestUnsentAge', 'OpenOrders'])
      expect(names).toContain(name);
  });

  it('answer no web page, as no port of the runtime does but DynamoDB’s', async () => {
    const headers = { origin: 'https://evil.example' };
    expect(await system.api.request('GET', '/_local/resources', { headers })).toMatchObject({ status: 403 });
    expect(await system.api.request('POST', '/orders/o/cancel', { headers })).toMatchObject({ status: 403 });
    const { body } = await system.api.get('/_local/resources');
    expect(await fetch(body.endpoint, { method: 'POST', headers })).toMatchObject({ status: 403 });
    expect(await system.api.get('/_local/nothing')).toMatchObject({ status: 404 });
  });
});

describe('the sample events', () => {
  const folder = join(import.meta.dirname, '../../events');
  it.each(readdirSync(folder))('%s is what its function understands', async (file) => {
    const event = readFileSync(join(folder, file), 'utf8');
    const { body } = await system.api.request('POST', `/_local/functions/${file.replace('.json', '')}`, { body: event });
    expect(body).toMatchObject({ ok: true });
    const { statusCode = 200, batchItemFailures = [] } = body.payload as { statusCode?: number; batchItemFailures?: unknown[] };
    expect(statusCode).toBeLessThan(300);
    expect(batchItemFailures).toEqual([]);
  });

  it('leave nothing dead behind', async () => {
    expect(await queueDepth(system, 'InventoryDeadLetterQueueUrl')).toBe(0);
    expect(await queueDepth(system, 'OrderViewDeadLetterQueueUrl')).toBe(0);
  });
});

describe('the demo', () => {
  it('tells its story to the end: the books balance', () => {
    const output = execFileSync(process.execPath, [join(import.meta.dirname, '../../demo/main.ts')], {
      encoding: 'utf8',
      env: { ...process.env, ORDER_SAGA_URL: system.url },
    });
    expect(output).toContain('Do stock and money add up?');
    expect(output).not.toContain('✗');
  });

  it('says how to start a system when there is none', () => {
    const attempt = spawnSync(process.execPath, [join(import.meta.dirname, '../../demo/main.ts')], {
      encoding: 'utf8',
      env: { ...process.env, ORDER_SAGA_URL: 'http://127.0.0.1:1' },
    });
    expect(attempt).toMatchObject({ status: 1, stderr: expect.stringContaining('Start one in another terminal: npm start') });
  });
});
