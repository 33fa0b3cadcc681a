import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { findAccess } from '../../../load/access.ts';
import type { LoadOptions } from '../../../load/options.ts';

/** What a server says of itself where a load is to be put on it. */
async function refusalOf(listener: RequestListener, changes: Partial<LoadOptions> = {}): Promise<unknown> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { url, local: true, clients: 2, wait: true, token: undefined, dataDir: '/no/such/folder', ...changes } as LoadOptions;
  return findAccess(options, new AbortController().signal).then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
}

const healthy =
  (stage: string, status = 200): RequestListener =>
  ({ url }, response) => {
    if (url === '/health') response.end(JSON.stringify({ status: 'ok', stage }));
    else response.writeHead(status).end('{"orders":[]}');
  };

it.each([
  ['is stage prod', healthy('prod'), {}, /is stage prod, which takes real money/],
  ['is no Order Saga', (_request, response) => response.writeHead(404).end('nothing here'), {}, /answers, but is no Order Saga/],
  ['says nothing that can be read', (_request, response) => response.end('<html>'), {}, /answers, but is no Order Saga/],
  ['hangs up', ({ socket }) => socket.destroy(), {}, /nothing answers at http:\/\/127.0.0.1:\d+ \(.+\).*npm start/],
  ['lists no orders', healthy('dev', 500), {}, /does not list orders: 500/],
  ['is elsewhere and asks for a token', healthy('dev', 401), { local: false }, /asks for a customer's token: --token <jwt>/],
  ['asks for a token, and the folder is none of a runtime', healthy('dev', 401), {}, /\/no\/such\/folder knows no identities: --data-dir/],
  ['asks for a signature, and the folder is none of a runtime', healthy('dev', 403), {}, /\/no\/such\/folder knows no identities/],
  ['does not take our token', healthy('dev', 401), { token: 'a.b.c' }, /does not take who we say we are: 401/],
] as [string, RequestListener, Partial<LoadOptions>, RegExp][])(
  'no load is put on a system that %s',
  async (_what, listener, changes, why) => {
    expect(await refusalOf(listener, changes)).toMatch(why);
  },
);

it('a system elsewhere that asks for a signature is not asked without credentials', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await refusalOf(healthy('dev', 403), { local: false })).toMatch(
    /^AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be in the environment$/,
  );
});

it('a token that may not read is taken where nobody waits for settlement', async () => {
  expect(await refusalOf(healthy('dev', 401), { token: 'a.b.c', wait: false })).toBeUndefined();
});

it('a system that asks for nothing is taken', async () => {
  expect(await refusalOf(healthy('dev'))).toBeUndefined();
});
