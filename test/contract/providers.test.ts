import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { TransientError } from '@outbox-saga/kit/errors';
import type { Database } from '@outbox-saga/kit/aws/clients';
import type { ProviderOptions } from '@outbox-saga/kit/effects/provider';
import { httpGateway } from '../../lambdas/payment/http-gateway.ts';
import { httpCarrier } from '../../lambdas/shipping/http-carrier.ts';
import { aMessage, anOrder, orderKeys, testWorld } from '../support/builders.ts';
import { paymentsAt, shipmentsAt } from '../support/effects.ts';
import { startProviderServer, type ProviderServer, type Reply } from '../support/provider-server.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
let server: ProviderServer;
let options: ProviderOptions;
let world: ReturnType<typeof testWorld>;
let orderId: string;
beforeAll(async () => {
  tables = await startTables();
  server = await startProviderServer();
  options = { url: `${server.url}/v1/`, secret: () => Promise.resolve('s3cret'), timeoutMs: 300 };
});
afterAll(async () => {
  server.stop();
  await tables.stop();
});
beforeEach(async () => {
  await tables.clear('outbox');
  server.reset();
  world = testWorld();
  orderId = anOrder().orderId;
});

const said = async (): Promise<unknown[]> =>
  (await tables.all('outbox')).map(({ body }) => {
    const { type, data } = JSON.parse(body as string) as { type: string; data: unknown };
    return [type, data];
  });
const asked = () => server.seen.map(({ method, url }) => `${method} ${url.replaceAll(orderId, '{id}')}`);
const charge = { orderId: 'ord_1', amount: 5, currency: 'JPY', token: 't' };
const consignment = { orderId: 'ord_1', items: [{ sku: 'a', qty: 1 }] };
const captured = { outcome: 'captured', reference: 'r1' };
const lost: readonly Reply[] = [{ drop: true }, { drop: true }];
const money = { amount: 500, currency: 'JPY' };

const capture = (database: Database = tables.database) =>
  paymentsAt({ database, world }, httpGateway(options)).do(
    aMessage('PaymentRequested', { ...orderKeys, ...money, token: 'tok' }, { aggregateId: orderId }),
  );
const refund = () =>
  paymentsAt({ database: tables.database, world }, httpGateway(options)).undo(
    aMessage('RefundRequested', { ...orderKeys, ...money }, { aggregateId: orderId }),
  );
const shipTo = { name: 'Ada', postalCode: '1', country: 'JP', city: 'Tokyo' };
const arrange = (database: Database = tables.database) =>
  shipmentsAt({ database, world }, httpCarrier(options)).do(
    aMessage('ShipmentRequested', { ...orderKeys, items: [{ sku: 'a', qty: 1 }], shipTo }, { aggregateId: orderId }),
  );
const callOff = () =>
  shipmentsAt({ database: tables.database, world }, httpCarrier(options)).undo(
    aMessage('ShipmentCancelRequested', orderKeys, { aggregateId: orderId }),
  );
const status = async (table: 'payments' | 'shipments' = 'payments') => (await tables.get(table, { orderId }))?.['status'];

describe('a provider behind HTTP', () => {
  it('gets the contract’s request: path, key, secret and body', async () => {
    server.replies = [{ body: captured }, { body: { outcome: 'refunded' } }, { status: 404 }];
    const gateway = httpGateway(options);
    expect(await gateway.perform(charge, 'do-ord_1')).toEqual({ outcome: 'done', reference: 'r1' });
    expect(await gateway.undo(charge, 'r1', 'undo-ord_1')).toBe('undone');
    expect(await gateway.find('ord_1')).toEqual({ outcome: 'unknown' });
    expect(server.seen).toMatchObject([
      { method: 'POST', url: '/v1/captures', body: '{"amount":5,"currency":"JPY","orderId":"ord_1","token":"t"}' },
      { method: 'POST', url: '/v1/refunds', body: '{"amount":5,"currency":"JPY","orderId":"ord_1","reference":"r1"}' },
      { method: 'GET', url: '/v1/captures/ord_1', body: '' },
    ]);
    expect(server.seen.map(({ headers }) => [headers['idempotency-key'], headers['authorization']])).toEqual([
      ['do-ord_1', 'Bearer s3cret'],
      ['undo-ord_1', 'Bearer s3cret'],
      [undefined, 'Bearer s3cret'],
    ]);
  });

  it.each<[string, Reply]>([
    ['does not answer in time', { hang: true }],
    ...[500, 502, 503, 504].map((code): [string, Reply] => [`answers ${code}`, { status: code, raw: 'oops' }]),
    ...[401, 403].map((code): [string, Reply] => [`answers ${code}: an operator mends the secret`, { status: code }]),
    ['answers 404: an operator mends the URL', { status: 404 }],
    ...[408, 409, 423, 425, 429].map((code): [string, Reply] => [`answers ${code}: later it may be right`, { status: code }]),
    ['redirects', { status: 302, raw: '' }],
    ['answers nonsense', { raw: '<html>' }],
    ['answers an outcome that is not in the contract', { body: { outcome: 'maybe' } }],
    ['answers captured without a reference', { body: { outcome: 'captured' } }],
  ])('that %s is never taken for an outcome', async (_, reply) => {
    server.replies = [reply, reply];
    await expect(httpGateway(options).perform(charge, 'k')).rejects.toMatchObject({ name: 'TransientError', reason: 'unavailable' });
    await expect(httpCarrier(options).perform(consignment, 'k')).rejects.toMatchObject({ name: 'TransientError', reason: 'unavailable' });
  });

  it('declines, or is not sure yet', async () => {
    server.replies = [{ body: { outcome: 'declined', reason: 'no money' } }, { body: { outcome: 'pending' } }];
    expect(await httpGateway(options).perform(charge, 'k')).toEqual({ outcome: 'refused', reason: 'no money' });
    expect(await httpGateway(options).perform(charge, 'k')).toEqual({ outcome: 'pending' });
  });

  it('carries parcels by the same rules', async () => {
    server.replies = [
      { body: { outcome: 'arranged', trackingId: 't1' } },
      { body: { outcome: 'cancelled' } },
      { body: { outcome: 'cancelled', trackingId: 't1' } },
      { body: { outcome: 'rejected', reason: 'too far' } },
      { status: 503, raw: '' },
    ];
    const carrier = httpCarrier(options);
    expect(await carrier.perform(consignment, 'do-ord_1')).toEqual({ outcome: 'done', reference: 't1' });
    expect(await carrier.undo(consignment, 't1', 'undo-ord_1')).toBe('undone');
    expect(await carrier.find('ord_1')).toEqual({ outcome: 'undone', reference: 't1' });
    expect(await carrier.perform(consignment, 'k')).toEqual({ outcome: 'refused', reason: 'too far' });
    await expect(carrier.perform(consignment, 'k')).rejects.toBeInstanceOf(TransientError);
    expect(server.seen.map(({ method, url }) => `${method} ${url}`).slice(0, 3)).toEqual([
      'POST /v1/shipments',
      'POST /v1/shipments/ord_1/cancel',
      'GET /v1/shipments/ord_1',
    ]);
  });

  it('charges an order once through lost answers, end to end', async () => {
    server.replies = [...lost, { body: captured }];
    await expect(capture()).rejects.toBeInstanceOf(TransientError);
    expect(await capture()).toBe('done');
    expect(new Set(server.seen.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set([`do-${orderId}`]));
  });

  /** A table keeps no order of members: it gives them back in another one than they were written in. */
  const reordering: Database = {
    send: (async (command: never) => {
      const answer = (await tables.database.send(command)) as object;
      return (command as object) instanceof GetCommand ? reversed(answer) : answer;
    }) as never,
  };
  function reversed(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(reversed);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([name, member]) => [name, reversed(member)]),
    );
  }

  it.each([
    ['a capture', capture, captured],
    ['a shipment', arrange, { outcome: 'arranged', trackingId: 't' }],
  ])('gets %s byte for byte as before when it is sent again from the record', async (_, perform, body) => {
    server.replies = [{ status: 503 }, { body }];
    await expect(perform()).rejects.toBeInstanceOf(TransientError);
    expect(await perform(reordering)).toBe('done');
    const [first, second] = server.seen;
    expect(second!.body).toBe(first!.body);
  });
});

describe('a request that the provider refuses by status', () => {
  const reason = 'the provider refused the request with status 400';

  it.each([400, 402, 405, 406, 410, 411, 413, 414, 415, 422, 431, 451])(
    'is refused by %d, once the provider has no trace of it',
    async (code) => {
      server.replies = [{ status: code }, { status: 404 }];
      expect(await capture()).toBe('refused');
      expect(await status()).toBe('DECLINED');
      expect(await said()).toEqual([['PaymentDeclined', { reason: `the provider refused the request with status ${code}` }]]);
      expect(asked()).toEqual(['POST /v1/captures', 'GET /v1/captures/{id}']);
    },
  );

  it('has nothing to undo, and is answered again from its record', async () => {
    server.replies = [{ status: 400 }, { status: 404 }];
    await capture();
    expect(await capture()).toBe('answered again: refused');
    expect(await refund()).toBe('answered again: refused');
    expect((await said()).at(-1)).toEqual(['PaymentRefunded', { amount: 0, currency: 'JPY' }]);
    expect(server.seen).toHaveLength(2);
  });

  it('cannot be delivered: the carrier’s refusal is one too', async () => {
    server.replies = [{ status: 400 }, { status: 404 }];
    expect(await arrange()).toBe('refused');
    expect(await said()).toEqual([['ShipmentRejected', { reason }]]);
    expect(await callOff()).toBe('answered again: refused');
  });

  it('is done when its first try was, and only the answer was lost', async () => {
    server.replies = [...lost, { status: 400 }, { body: captured }];
    await expect(capture()).rejects.toBeInstanceOf(TransientError);
    expect(await capture()).toBe('done');
    expect(await said()).toEqual([['PaymentCaptured', { ...money, reference: 'r1' }]]);
    server.replies = [...lost, { status: 422 }, { body: { outcome: 'arranged', trackingId: 't1' } }];
    await expect(arrange()).rejects.toBeInstanceOf(TransientError);
    expect(await arrange()).toBe('done');
  });

  it('keeps the reason that the provider has recorded', async () => {
    server.replies = [...lost, { status: 409 }, { status: 400 }, { body: { outcome: 'declined', reason: 'card expired' } }];
    await expect(capture()).rejects.toBeInstanceOf(TransientError);
    await expect(capture()).rejects.toBeInstanceOf(TransientError);
    expect(await capture()).toBe('refused');
    expect(await said()).toEqual([['PaymentDeclined', { reason: 'card expired' }]]);
  });

  it.each<[string, Reply]>([
    ['does not know yet', { body: { outcome: 'pending' } }],
    ['does not answer', { status: 503 }],
  ])('is not recorded while the look-up %s', async (_, reply) => {
    server.replies = [{ status: 400 }, reply, { status: 400 }, { status: 404 }];
    await expect(capture()).rejects.toBeInstanceOf(TransientError);
    expect([await status(), await said()]).toEqual(['CAPTURING', []]);
    expect(await capture()).toBe('refused');
  });

  it('goes to the dead letters when the look-up is refused as well: nothing is known', async () => {
    server.replies = [{ status: 400 }, { status: 400 }];
    await expect(capture()).rejects.toMatchObject({ name: 'PermanentError' });
    expect([await status(), await said()]).toEqual(['CAPTURING', []]);
  });

  it('has nothing to undo when the undo meets it under way', async () => {
    server.replies = [{ status: 503 }, { status: 400 }, { status: 404 }];
    await expect(capture()).rejects.toBeInstanceOf(TransientError);
    expect(await refund()).toBe('nothing to undo');
    expect(await status()).toBe('DECLINED');
    server.replies = [{ status: 503 }, { status: 400 }, { status: 404 }];
    await expect(arrange()).rejects.toBeInstanceOf(TransientError);
    expect(await callOff()).toBe('nothing to undo');
    expect(asked().filter((call) => call.includes('refund') || call.includes('cancel'))).toEqual([]);
  });

  it('is undone when the undo meets it under way and its first try was done', async () => {
    server.replies = [...lost, { status: 400 }, { body: captured }, { body: { outcome: 'refunded' } }];
    await expect(capture()).rejects.toBeInstanceOf(TransientError);
    expect(await refund()).toBe('undone');
    expect(asked().slice(2)).toEqual(['POST /v1/captures', 'GET /v1/captures/{id}', 'POST /v1/refunds']);
    expect(await said()).toEqual([['PaymentRefunded', money]]);
  });
});

describe('an undo that the provider refuses by status', () => {
  it('stays loud: what was taken is still taken', async () => {
    server.replies = [{ body: captured }, { status: 400 }, { body: captured }];
    await capture();
    await expect(refund()).rejects.toMatchObject({ name: 'PermanentError', message: /POST \/refunds: .* status 400/ });
    expect(await status()).toBe('REFUNDING');
    server.replies = [
      { body: { outcome: 'arranged', trackingId: 't1' } },
      { status: 422 },
      { body: { outcome: 'arranged', trackingId: 't1' } },
    ];
    await arrange();
    await expect(callOff()).rejects.toMatchObject({ name: 'PermanentError' });
    expect(await status('shipments')).toBe('CALLING_OFF');
    expect((await said()).map((message) => (message as string[])[0])).toEqual(['PaymentCaptured', 'ShipmentArranged']);
  });

  it('stays loud when the provider has lost all trace of what it did', async () => {
    server.replies = [{ body: captured }, { status: 400 }, { status: 404 }];
    await capture();
    await expect(refund()).rejects.toMatchObject({ name: 'PermanentError' });
    expect(await status()).toBe('REFUNDING');
  });

  it('is done when its first try was, and only the answer was lost', async () => {
    server.replies = [{ body: captured }, ...lost, { status: 400 }, { body: { outcome: 'refunded', reference: 'r1' } }];
    await capture();
    await expect(refund()).rejects.toBeInstanceOf(TransientError);
    expect(await refund()).toBe('undone');
    expect((await said()).at(-1)).toEqual(['PaymentRefunded', money]);
  });
});
