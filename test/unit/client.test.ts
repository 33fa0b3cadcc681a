import { describe, expect, it } from 'vitest';
import { ApiProblem, type ClientOptions } from '../../client/http.ts';
import { OrderSagaClient } from '../../client/order-saga.ts';

interface Sent {
  readonly url: string;
  readonly init: RequestInit & { headers: Record<string, string> };
}

/** A client whose requests are answered in turn: by a status, by a whole answer, or by the network's failure. */
function clientAnswered(answers: readonly (number | Response | Error)[], options: Partial<ClientOptions> = {}) {
  const sent: Sent[] = [];
  const pauses: number[] = [];
  const client = new OrderSagaClient({
    baseUrl: 'https://api.example/base/',
    fetch: (url, init) => {
      sent.push({ url: String(url), init: init as Sent['init'] });
      const answer = answers[sent.length - 1] ?? 200;
      if (answer instanceof Error) return Promise.reject(answer);
      return Promise.resolve(answer instanceof Response ? answer : new Response('{}', { status: answer }));
    },
    pause: (milliseconds) => {
      pauses.push(milliseconds);
      return Promise.resolve();
    },
    ...options,
  });
  return { client, sent, pauses };
}
const problem = (status: number, slug: string, headers: Record<string, string> = {}): Response =>
  new Response(
    JSON.stringify({
      type: `urn:problem:${slug}`,
      title: 't',
      status,
      detail: 'd',
      correlationId: 'c',
      errors: [{ field: 'f', message: 'm' }],
    }),
    {
      status,
      headers: { 'content-type': 'application/problem+json', ...headers },
    },
  );
const order = { items: [{ sku: 'coffee', qty: 1, price: 500 }] };

describe('the client', () => {
  it('sends what the operation says, below a base URL that has a path', async () => {
    const { client, sent } = clientAnswered([200], {
      authorize: ({ method, url }) => ({ authorization: `Bearer ${method} ${url.pathname}` }),
    });
    await client.listOrders({ customerId: 'a|b', limit: 5 }, { correlationId: 'mine' });
    expect(sent[0]!.url).toBe('https://api.example/base/orders?customerId=a%7Cb&limit=5');
    expect(sent[0]!.init.headers).toEqual({ 'x-correlation-id': 'mine', authorization: 'Bearer GET /base/orders' });
    await client.getStock('a/../b');
    expect(sent[1]!.url).toBe('https://api.example/base/admin/stock/a%2F..%2Fb');
  });

  it.each([[429], [500], [503], [new TypeError('connection reset')], [new DOMException('too slow', 'TimeoutError')]])(
    'places an order again after %s, under the same key',
    async (failure) => {
      const { client, sent, pauses } = clientAnswered([
        failure,
        failure,
        new Response('{"orderId":"x","status":"PENDING"}', { status: 202 }),
      ]);
      expect(await client.placeOrder(order, { idempotencyKey: 'mine' })).toMatchObject({ status: 202, body: { orderId: 'x' } });
      const keys = sent.map(({ init }) => init.headers['idempotency-key']);
      expect(keys).toEqual(['mine', 'mine', 'mine']);
      expect(new Set(sent.map(({ init }) => init.body)).size).toBe(1);
      expect(pauses).toHaveLength(2);
      expect(pauses[0]).toBeLessThanOrEqual(200);
      expect(pauses[1]).toBeLessThanOrEqual(400);
    },
  );

  it('asks for its proof again at each try: a signature may be too old by then', async () => {
    let proofs = 0;
    const { client, sent } = clientAnswered([503, 202], { authorize: () => ({ authorization: `proof ${++proofs}` }) });
    await client.placeOrder(order, { idempotencyKey: 'mine' });
    expect(sent.map(({ init }) => init.headers['authorization'])).toEqual(['proof 1', 'proof 2']);
    expect(sent.map(({ init }) => init.headers['idempotency-key'])).toEqual(['mine', 'mine']);
  });

  it('makes up no key for an order: after a restart it would be another one, and a second order', async () => {
    type Arguments = Parameters<OrderSagaClient['placeOrder']>;
    // These two compile only if no order can be placed without a key.
    const howMany = (given: Arguments['length']): 2 => given;
    const keyOf = (options: Arguments[1]): string => options.idempotencyKey;
    expect([howMany(2), keyOf({ idempotencyKey: 'mine' })]).toEqual([2, 'mine']);
    const { client, sent } = clientAnswered([problem(400, 'invalid-request')]);
    await expect(client.placeOrder(order, {} as never)).rejects.toThrow(ApiProblem);
    expect(sent.flatMap(({ init }) => init.headers['idempotency-key'] ?? [])).toEqual([]);
  });

  it('waits as long as Retry-After says', async () => {
    const { client, pauses } = clientAnswered([problem(503, 'try-again', { 'retry-after': '3' })]);
    await client.getHealth();
    expect(pauses[0]).toBe(3000);
  });

  it('gives up after its attempts, with the last failure', async () => {
    const { client, sent } = clientAnswered(Array(9).fill(503), { attempts: 3 });
    await expect(client.getHealth()).rejects.toMatchObject({ name: 'ApiProblem', status: 503, type: undefined });
    expect(sent).toHaveLength(3);
    const broken = clientAnswered([new TypeError('a'), new TypeError('no route to host')], { attempts: 2 });
    await expect(broken.client.getHealth()).rejects.toThrow('no route to host');
    expect(broken.sent).toHaveLength(2);
  });

  it.each([[400], [401], [403], [404], [409], [412], [422]])('does not repeat what was refused with %d, and says why', async (status) => {
    const { client, sent } = clientAnswered([problem(status, 'some-kind')]);
    const refusal = await client.placeOrder(order, { idempotencyKey: 'mine' }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ApiProblem);
    expect(refusal).toMatchObject({ status, type: 'urn:problem:some-kind', correlationId: 'c', errors: [{ field: 'f', message: 'm' }] });
    expect((refusal as Error).message).toBe(`${status}: d`);
    expect(sent).toHaveLength(1);
  });

  it('repeats a change of stock under one key: a repetition is recognised, also with If-Match', async () => {
    const { client, sent } = clientAnswered([new TypeError('reset'), 500, 429, 200]);
    expect(await client.putStock('tea', { available: 1 }, { ifMatch: '"1"' })).toMatchObject({ status: 200 });
    expect(sent).toHaveLength(4);
    expect(new Set(sent.map(({ init }) => init.headers['idempotency-key'])).size).toBe(1);
    expect(sent[0]!.init.headers).toMatchObject({ 'idempotency-key': expect.stringMatching(/./), 'if-match': '"1"' });
  });

  it('takes a 304 as an answer without a body', async () => {
    const { client, sent } = clientAnswered([new Response(null, { status: 304, headers: { etag: '"3"' } })]);
    expect(await client.getOrder('ord_x', { ifNoneMatch: '"3"' })).toMatchObject({ status: 304, body: undefined });
    expect(sent[0]!.init.headers['if-none-match']).toBe('"3"');
  });

  it('survives answers that are no JSON, of whatever is between', async () => {
    const { client } = clientAnswered([new Response('<html>bad gateway</html>', { status: 502 })], { attempts: 1 });
    await expect(client.getHealth()).rejects.toMatchObject({ status: 502, message: '502: no explanation' });
  });
});
