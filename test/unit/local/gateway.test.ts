import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Invocation } from '@outbox-saga/local/functions/environment';
import type { Authorize } from '@outbox-saga/local/gateway/authorizers';
import type { GatewayRoute } from '@outbox-saga/local/gateway/routes';
import { startGateway, type GatewayOptions } from '@outbox-saga/local/gateway/server';
import { requestText, sendBytes } from '../../support/raw.ts';

const shop = 'https://shop.example';

/** A gateway before one function, whose invocations are counted. */
async function setUp(options: Partial<GatewayOptions> = {}, authorize?: Authorize) {
  const invoke = vi.fn<() => Promise<Invocation>>(() => Promise.resolve({ ok: true, payload: { statusCode: 200, body: '"done"' } }));
  const pages = vi.fn<GatewayOptions['pages']>(() => Promise.resolve({ status: 200, body: {} }));
  const problems: string[] = [];
  const gateway = await startGateway({
    port: 0,
    routes: [
      { key: 'POST /orders/{id}/cancel', pool: { fn: { name: 'order-cancel' }, invoke }, permitted: true, authorize },
    ] as unknown as GatewayRoute[],
    pages,
    cors: { AllowOrigins: [shop] },
    hosts: [],
    onProblem: (what) => problems.push(what),
    ...options,
  });
  onTestFinished(() => gateway.stop());
  const url = gateway.url.replace('localhost', '127.0.0.1');
  const { host } = new URL(gateway.url);
  const cancel = (headers: Record<string, string> = {}, body = '') =>
    sendBytes(url, requestText('POST /orders/o1/cancel HTTP/1.1', { host, ...headers }, body));
  const page = (headers: Record<string, string>) =>
    sendBytes(url, requestText('PUT /_local/faults HTTP/1.1', { host, 'content-type': 'text/plain', ...headers }, '{}'));
  return { url, host, invoke, pages, problems, cancel, page };
}

describe('the API answers', () => {
  it('programs of this machine, its own pages, and pages of the configured origins', async () => {
    const { host, cancel, invoke } = await setUp();
    expect(await cancel()).toMatchObject({ status: 200 });
    expect(await cancel({ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).toMatchObject({ status: 200 });
    expect(await cancel({ origin: shop, 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 200 });
    expect(invoke).toHaveBeenCalledTimes(3);
  });

  it('a host that --allow-host names', async () => {
    const { cancel, page } = await setUp({ hosts: ['host.docker.internal'] });
    expect(await cancel({ host: 'Host.Docker.Internal:3000' })).toMatchObject({ status: 200 });
    expect(await page({ host: 'host.docker.internal:3000' })).toMatchObject({ status: 200 });
  });

  it.each<[string, Record<string, string>, string]>([
    ['a host that a name server led here', { host: 'evil.example' }, 'evil.example'],
    ['a form of another site', { origin: 'https://evil.example', 'content-type': 'text/plain' }, 'https://evil.example'],
    ['a configured origin under another scheme', { origin: 'http://shop.example' }, 'http://shop.example'],
    ['a page without an origin', { origin: 'null' }, 'null'],
    ['another site that hides its origin', { 'sec-fetch-site': 'cross-site' }, 'other sites'],
  ])('not %s, and says why', async (_, headers, why) => {
    const { cancel, invoke } = await setUp();
    const { status, text } = await cancel(headers);
    expect([status, text]).toEqual([403, expect.stringContaining(why)]);
    expect(text).not.toContain('access-control-allow-origin');
    expect(invoke).not.toHaveBeenCalled();
  });

  it.each<Record<string, string>>([
    { origin: shop },
    { origin: 'https://evil.example' },
    { host: 'evil.example' },
    { 'sec-fetch-site': 'cross-site' },
  ])('no web page where its own pages are: %j', async (headers) => {
    const { page, pages } = await setUp();
    expect(await page({})).toMatchObject({ status: 200 });
    expect(await page(headers)).toMatchObject({ status: 403 });
    expect(pages).toHaveBeenCalledTimes(1);
  });
});

describe('the gateway', () => {
  it.each([
    'GET',
    'GET / HTTP/9.9\r\n\r\n',
    '\u0000\u0001\u0002\r\n\r\n',
    'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n',
  ])('answers %j, and those after it', async (bytes) => {
    const { url, cancel } = await setUp({ timeouts: { headersMs: 40, requestMs: 80 } });
    expect([400, 408]).toContain((await sendBytes(url, bytes)).status);
    expect(await cancel()).toMatchObject({ status: 200 });
  });

  it.each(['/_local', '/_local/faults', '/orders', '/%', '//', '*', '/a%00b'])(
    'answers a request for %s that ends in the middle',
    async (path) => {
      const { url, cancel } = await setUp();
      await sendBytes(url, `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{`, { end: true });
      expect(await cancel()).toMatchObject({ status: 200 });
    },
  );

  it('tells a caller whose headers or body take too long', async () => {
    const { url, invoke } = await setUp({ timeouts: { headersMs: 40, requestMs: 80 } });
    const head = 'POST /orders/o1/cancel HTTP/1.1\r\nhost: localhost\r\n';
    expect(await sendBytes(url, head)).toMatchObject({ status: 408, text: expect.stringContaining('{"message":"Request Timeout"}') });
    expect(await sendBytes(url, `${head}content-length: 10\r\n\r\n{`)).toMatchObject({ status: 408 });
    expect(invoke).not.toHaveBeenCalled();
  });

  it('waits 10 s for headers and 30 s for a request', async () => {
    // Not waited for here: what Node is told is what it does, as the test above shows.
    const { usualTimeouts } = await import('@outbox-saga/emulator/http-server');
    expect(usualTimeouts).toEqual({ headersMs: 10_000, requestMs: 30_000 });
  });

  it('refuses who may not pass before it reads what they send', async () => {
    const authorize: Authorize = () => Promise.resolve({ refusal: { status: 401, message: 'Unauthorized', when: '' } });
    const { url, host } = await setUp({}, authorize);
    // The body never comes.
    const head = `POST /orders/o1/cancel HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\ncontent-length: 9000000\r\n\r\n`;
    expect(await sendBytes(url, head, { patienceMs: 3000 })).toMatchObject({ status: 401 });
  });

  it('refuses a body of more than 10 MB, and lives', async () => {
    const { url, cancel, invoke } = await setUp();
    expect(await cancel({}, 'x'.repeat(10 * 1024 * 1024 + 1))).toMatchObject({ status: 413 });
    const chunk = `${(1024 * 1024).toString(16)}\r\n${'x'.repeat(1024 * 1024)}\r\n`;
    const head = 'POST /orders/o1/cancel HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n';
    expect(await sendBytes(url, `${head}${chunk.repeat(11)}0\r\n\r\n`)).toMatchObject({ status: 413 });
    expect(invoke).not.toHaveBeenCalled();
    expect(await cancel()).toMatchObject({ status: 200 });
  });

  it('prints what a caller is not told: which function crashed on what, and how', async () => {
    const { cancel, invoke, problems } = await setUp();
    invoke.mockResolvedValue({ ok: false, errorType: 'TypeError', errorMessage: 'x is not a function\n    at handler' });
    expect(await cancel({ 'x-correlation-id': 'c-7' })).toMatchObject({
      status: 500,
      text: expect.stringContaining('{"message":"Internal Server Error"}'),
    });
    expect(await cancel()).toMatchObject({ status: 500 });
    expect(problems).toEqual([
      'order-cancel failed on POST /orders/{id}/cancel, correlation id c-7: TypeError: x is not a function',
      'order-cancel failed on POST /orders/{id}/cancel: TypeError: x is not a function',
    ]);
  });
});
