import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { callAws } from '@outbox-saga/kit/aws/signed-call';
import { secretReader } from '@outbox-saga/kit/effects/provider';
import { httpGateway } from '../../lambdas/payment/http-gateway.ts';
import { httpCarrier } from '../../lambdas/shipping/http-carrier.ts';
import { testWorld } from '../support/builders.ts';
import { startProviderServer, type ProviderServer, type Reply } from '../support/provider-server.ts';

let server: ProviderServer;
const before = { ...process.env };
beforeAll(async () => {
  server = await startProviderServer();
  process.env['AWS_REGION'] = 'eu-north-1';
  process.env['AWS_ACCESS_KEY_ID'] = 'TEST';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  process.env['AWS_ENDPOINT_URL'] = server.url;
});
afterAll(() => {
  process.env = before;
  server.stop();
});
beforeEach(() => server.reset());

const failure = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable(),
    (error: unknown) => error as Error,
  );

describe('a call to an AWS service', () => {
  const call = (options = {}) => callAws({ service: 'ses', path: '/v2/email', headers: {}, body: { To: 'ada@example.com' }, ...options });
  const says = (__type: string, message = 'why') => ({ body: { __type, message } });

  it.each<[string, Reply]>([
    ['a request that is wrong', { status: 400, ...says('BadRequestException') }],
    ['a type in the header', { status: 400, headers: { 'x-amzn-errortype': 'MessageRejected:http://internal.amazon.com/' } }],
    ['something that is not there', { status: 404, ...says('com.amazonaws.ses#NotFoundException') }],
    ['a body that is no JSON', { status: 413, raw: '<html>too large</html>' }],
    ['an unknown type', { status: 422, body: { message: 'no' } }],
    ['a JSON body that is no object', { status: 400, raw: 'null' }],
  ])('is permanently refused with %s', async (_, reply) => {
    server.replies = [reply];
    expect(await failure(call())).toMatchObject({ name: 'PermanentError' });
    expect(server.seen).toHaveLength(1);
  });

  it.each<[string, Reply]>([
    ['429', { status: 429, ...says('TooManyRequestsException') }],
    ['ThrottlingException', { status: 400, ...says('com.amazon.coral.service#ThrottlingException') }],
    ['LimitExceededException', { status: 400, headers: { 'x-amzn-errortype': 'LimitExceededException' } }],
  ])('is tried again later when it is throttled: %s', async (_, reply) => {
    server.replies = [reply];
    expect(await failure(call())).toMatchObject({ name: 'TransientError', reason: 'throttled' });
  });

  it.each<[string, Reply]>([
    ['an operator grants the permission', { status: 400, ...says('AccessDeniedException') }],
    ['an operator grants the permission (403)', { status: 403, ...says('AccessDenied') }],
    ['an operator mends the credentials', { status: 400, ...says('UnrecognizedClientException') }],
    ['credentials are renewed', { status: 400, ...says('ExpiredTokenException') }],
    ['the clock is set', { status: 400, ...says('InvalidSignatureException') }],
    ['an operator verifies the domain', { status: 400, ...says('MailFromDomainNotVerifiedException') }],
    ['an operator resumes sending', { status: 400, ...says('SendingPausedException') }],
    ['401', { status: 401 }],
    ['408', { status: 408 }],
    ['500', { status: 500, raw: 'oops' }],
    ['503', { status: 503, ...says('ServiceUnavailableException') }],
    ['a redirect is not followed', { status: 307, headers: { location: '/elsewhere' } }],
    ['the connection is closed', { drop: true }],
  ])('is tried again later: %s', async (_, reply) => {
    server.replies = [reply];
    expect(await failure(call())).toMatchObject({ name: 'TransientError', reason: 'unavailable' });
    expect(server.seen).toHaveLength(1);
  });

  it('says status, type and reason, and does not quote what is personal', async () => {
    server.replies = [{ status: 400, ...says('BadRequestException', 'Domain of Ada@example.com, <ada@example.com> is invalid') }];
    expect((await failure(call({ personal: ['ada@example.com'] }))).message).toBe(
      'ses answered 400 BadRequestException: Domain of …, <…> is invalid',
    );
  });

  it('is sent once more at once when its connection fails and it only reads', async () => {
    server.replies = [{ drop: true }, { body: { ok: true } }];
    expect(await call({ repeatable: true })).toEqual({ ok: true });
    server.replies = [{ drop: true }, { drop: true }];
    expect(await failure(call({ repeatable: true }))).toMatchObject({ name: 'TransientError', reason: 'unavailable' });
    expect(server.seen).toHaveLength(4);
  });
});

describe('a provider’s secret', () => {
  it('is read again after five minutes', async () => {
    const world = testWorld();
    const read = secretReader('shop/payment', () => world.now());
    server.replies = [{ body: { SecretString: 'one' } }, { body: { SecretString: 'two' } }];
    expect(await read()).toBe('one');
    world.advance(299_999);
    expect(await read()).toBe('one');
    world.advance(1);
    expect(await read()).toBe('two');
  });

  it.each<[string, Reply]>([
    ['is not there', { status: 400, body: { __type: 'ResourceNotFoundException' } }],
    ['is empty', { body: { SecretString: '' } }],
    ['is denied', { status: 400, body: { __type: 'AccessDeniedException' } }],
  ])('that %s is mended by an operator: no message is given up for it', async (_, reply) => {
    server.replies = [reply];
    const read = secretReader('shop/payment', () => 0);
    expect(await failure(read())).toMatchObject({ name: 'TransientError', reason: 'unavailable' });
  });

  it('is none where none is configured', async () => {
    expect(await secretReader(undefined, () => 0)()).toBeUndefined();
    expect(server.seen).toEqual([]);
  });
});

describe('a provider’s connection', () => {
  const charge = { orderId: 'ord_1', amount: 5, currency: 'JPY', token: 't' };
  const gateway = (url = server.url, timeoutMs = 5000) => httpGateway({ url, secret: () => Promise.resolve(undefined), timeoutMs });
  const captured = { outcome: 'captured', reference: 'r' };
  const done = { outcome: 'done', reference: 'r' };

  it('that fails is replaced at once: the same call under the same key', async () => {
    server.replies = [{ drop: true }, { body: captured }, { drop: true }, { body: captured }];
    expect(await gateway().perform(charge, 'do-1')).toEqual(done);
    expect(await gateway().find('ord_1')).toEqual(done);
    expect(server.seen.map(({ method, headers, body }) => [method, headers['idempotency-key'], body && JSON.parse(body)])).toEqual([
      ['POST', 'do-1', charge],
      ['POST', 'do-1', charge],
      ['GET', undefined, ''],
      ['GET', undefined, ''],
    ]);
  });

  it('that fails twice is "may have happened"', async () => {
    server.replies = [{ drop: true }, { drop: true }, { body: captured }];
    expect(await failure(gateway().perform(charge, 'do-1'))).toMatchObject({ name: 'TransientError', reason: 'unavailable' });
    expect(server.seen).toHaveLength(2);
  });

  it.each<[string, Reply]>([
    ['an answer', { status: 503 }],
    ['the time is used up', { hang: true }],
  ])('is not tried again at once after %s', async (_, reply) => {
    server.replies = [reply, { body: captured }];
    const tries = vi.spyOn(globalThis, 'fetch');
    expect(await failure(gateway(server.url, 200).perform(charge, 'do-1'))).toMatchObject({ name: 'TransientError' });
    expect(tries).toHaveBeenCalledTimes(1);
    tries.mockRestore();
  });

  it('has the time of one call for both tries', async () => {
    server.replies = [{ drop: true }, { hang: true }, { body: captured }];
    expect(await failure(gateway(server.url, 200).perform(charge, 'do-1'))).toMatchObject({ name: 'TransientError' });
    expect(server.seen).toHaveLength(2);
  });

  it('that died while it was not used costs no try', async () => {
    server.forgetsConnections = true;
    server.answer = () => ({ body: captured });
    // Several connections are kept, and all of them are dead.
    await Promise.all([1, 2, 3].map(() => gateway().perform(charge, 'do-1')));
    for (let i = 0; i < 5; i++) expect(await gateway().perform(charge, 'do-1')).toEqual(done);
  });

  it('is never led elsewhere: a redirect is no outcome', async () => {
    server.answer = ({ url }) => (url.startsWith('/elsewhere') ? { body: captured } : { status: 302, headers: { location: '/elsewhere' } });
    expect(await failure(gateway().perform(charge, 'do-1'))).toMatchObject({ name: 'TransientError' });
    expect(await failure(gateway().find('ord_1'))).toMatchObject({ name: 'TransientError' });
    const carrier = httpCarrier({ url: server.url, secret: () => Promise.resolve(undefined), timeoutMs: 5000 });
    expect(await failure(carrier.perform({ orderId: 'ord_1', items: [] }, 'do-1'))).toMatchObject({ name: 'TransientError' });
    expect(server.seen.map(({ url }) => url)).toEqual(['/captures', '/captures/ord_1', '/shipments']);
  });
});
