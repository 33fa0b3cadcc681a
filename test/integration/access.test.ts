import { spawnSync } from 'node:child_process';
import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT, type JWTPayload } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { Identities, localAudience } from '@outbox-saga/local/identities';
import { signWith, typedClient, type Authorize } from '../support/client.ts';
import { runningSystem } from '../support/running-system.ts';
import { settled } from '../support/system.ts';

/** What stands where in the matrix: everyone who may come along. */
const roles = ['nobody', 'placer', 'reader', 'canceller', 'owner', 'stranger', 'operator', 'function', 'impostor'] as const;
type Role = (typeof roles)[number];

const now = () => Math.floor(Date.now() / 1000);
const bearer =
  (token: string): Authorize =>
  () =>
    Promise.resolve({ authorization: `Bearer ${token}` });
const everything = 'orders/place orders/read orders/cancel';

/** Everyone who may come along to a running system. */
async function authorizations(dataDir: string, functionKey: string): Promise<Record<Role, Authorize | undefined>> {
  const identities = new Identities(dataDir);
  const token = async (sub: string, scope: string) => bearer(identities.issuer ? await identities.subjectToken(sub, scope) : 'a.b.c');
  const { operator } = identities;
  return {
    nobody: undefined,
    placer: await token('c1', 'orders/place'),
    reader: await token('c1', 'orders/read'),
    canceller: await token('c1', 'orders/cancel'),
    owner: await token('c1', everything),
    stranger: await token('c2', everything),
    operator: signWith(operator),
    function: signWith({ accessKeyId: functionKey, secretAccessKey: identities.secretOfFunction(functionKey) }),
    impostor: signWith({ ...operator, secretAccessKey: 'guessed' }),
  };
}

/** A settled order of c1, on which every route can be asked without changing anything for the next one. */
async function prepared(system: ReturnType<typeof runningSystem>, customer: Authorize | undefined, operator: Authorize | undefined) {
  const admin = system.api.as(operator);
  expect((await admin.setStock('tea', 100)).status).toBe(200);
  const placed = await system.api.as(customer).place({ customerId: 'c1', items: [{ sku: 'tea', qty: 1, price: 100 }] });
  expect(placed.status).toBe(202);
  const orderId = placed.body.orderId as string;
  await settled({ ...system, client: typedClient(system.url, customer) }, orderId);
  return orderId;
}

const requests: Record<string, (orderId: string) => { method: string; path: string; body?: string; headers?: Record<string, string> }> = {
  'POST /orders': () => ({
    method: 'POST',
    path: '/orders',
    body: '{"items":[{"sku":"tea","qty":1,"price":100}],"customerId":"c1"}',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'matrix' },
  }),
  'GET /orders': () => ({ method: 'GET', path: '/orders?customerId=c1' }),
  'GET /orders/{id}': (id) => ({ method: 'GET', path: `/orders/${id}` }),
  'GET /orders/{id}/timeline': (id) => ({ method: 'GET', path: `/orders/${id}/timeline` }),
  'POST /orders/{id}/cancel': (id) => ({ method: 'POST', path: `/orders/${id}/cancel` }),
  'GET /admin/orders/{id}': (id) => ({ method: 'GET', path: `/admin/orders/${id}` }),
  'GET /admin/orders/{id}/timeline': (id) => ({ method: 'GET', path: `/admin/orders/${id}/timeline` }),
  'POST /admin/orders/{id}/cancel': (id) => ({ method: 'POST', path: `/admin/orders/${id}/cancel` }),
  'GET /admin/stock/{sku}': () => ({ method: 'GET', path: '/admin/stock/tea' }),
  'PUT /admin/stock/{sku}': () => ({
    method: 'PUT',
    path: '/admin/stock/tea',
    body: '{"available":100}',
    headers: { 'content-type': 'application/json' },
  }),
  'GET /health': () => ({ method: 'GET', path: '/health' }),
  'GET /openapi.json': () => ({ method: 'GET', path: '/openapi.json' }),
  'DELETE /orders': () => ({ method: 'DELETE', path: '/orders' }),
};

async function matrixOf(system: ReturnType<typeof runningSystem>, people: Record<Role, Authorize | undefined>, orderId: string) {
  const found: Record<string, number[]> = {};
  for (const [route, request] of Object.entries(requests)) {
    const { method, path, ...options } = request(orderId);
    found[route] = await Promise.all(roles.map(async (role) => (await system.api.as(people[role]).request(method, path, options)).status));
  }
  return found;
}

const functionKeyOf = async (system: ReturnType<typeof runningSystem>) =>
  (await system.api.get('/_local/functions')).body['query-orders'].identity as string;

describe('with an issuer', () => {
  const system = runningSystem({ args: ['--stage', 'test', '--auth', '--context', 'corsOrigins=https://shop.example'] });
  let people: Record<Role, Authorize | undefined>;
  let identities: Identities;
  let orderId: string;
  beforeAll(async () => {
    identities = new Identities(system.dataDir);
    people = await authorizations(system.dataDir, await functionKeyOf(system));
    orderId = await prepared(system, people.owner, people.operator);
  });

  it('everyone gets where they belong, and nowhere else', async () => {
    expect(await matrixOf(system, people, orderId)).toEqual({
      //                           nobody placer reader cancel owner stranger operator function impostor
      'POST /orders': [/*       */ 401, 202, 403, 403, 202, 403, 401, 401, 401],
      'GET /orders': [/*        */ 401, 403, 200, 403, 200, 403, 401, 401, 401],
      'GET /orders/{id}': [/*   */ 401, 403, 200, 403, 200, 404, 401, 401, 401],
      'GET /orders/{id}/timeline': [401, 403, 200, 403, 200, 404, 401, 401, 401],
      'POST /orders/{id}/cancel': [401, 403, 403, 409, 409, 404, 401, 401, 401],
      'GET /admin/orders/{id}': [/**/ 403, 403, 403, 403, 403, 403, 200, 403, 403],
      'GET /admin/orders/{id}/timeline': [403, 403, 403, 403, 403, 403, 200, 403, 403],
      'POST /admin/orders/{id}/cancel': [/**/ 403, 403, 403, 403, 403, 403, 409, 403, 403],
      'GET /admin/stock/{sku}': [/**/ 403, 403, 403, 403, 403, 403, 200, 403, 403],
      'PUT /admin/stock/{sku}': [/**/ 403, 403, 403, 403, 403, 403, 200, 403, 403],
      'GET /health': [/*        */ 200, 200, 200, 200, 200, 200, 200, 200, 200],
      'GET /openapi.json': [/*  */ 200, 200, 200, 200, 200, 200, 200, 200, 200],
      'DELETE /orders': [/*     */ 403, 403, 403, 403, 403, 403, 405, 403, 403],
    });
  });

  it('the customer is the token’s subject, whoever the request names', async () => {
    const stranger = system.api.as(people.stranger);
    const items = [{ sku: 'tea', qty: 1, price: 100 }];
    expect(await stranger.place({ customerId: 'c1', items })).toMatchObject({ status: 403, body: { type: 'urn:problem:other-customer' } });
    expect(await stranger.get('/orders?customerId=c1')).toMatchObject({ status: 403, body: { type: 'urn:problem:other-customer' } });
    expect((await stranger.get('/orders')).body).toEqual({ orders: [] });
    // What is another's is as what is not there: no difference tells that it exists.
    const nothing = 'ord_00000000000000000000000000';
    for (const [method, rest] of [
      ['GET', ''],
      ['GET', '/timeline'],
      ['POST', '/cancel'],
    ] as const) {
      const [theirs, none] = await Promise.all([orderId, nothing].map((id) => stranger.request(method, `/orders/${id}${rest}`)));
      expect(theirs!.status).toBe(404);
      expect({ ...theirs!.body, correlationId: '' }).toEqual({ ...none!.body, correlationId: '' });
    }
    const own = await stranger.place({ items });
    expect((await stranger.order(own.body.orderId)).body.customerId).toBe('c2');
    // One key of two customers is two orders.
    const [mine, yours] = await Promise.all([people.owner, people.stranger].map((who) => system.api.as(who).place({ items }, 'one-key')));
    expect(mine!.body.orderId).not.toBe(yours!.body.orderId);
  });

  describe('a token', () => {
    const good = (): JWTPayload => ({ sub: 'c1', scope: everything, aud: localAudience, exp: now() + 600 });
    const issued = (claims: JWTPayload) => identities.token({ ...good(), ...claims });
    const ask = (token: string) => system.api.request('GET', '/orders', { headers: { authorization: `Bearer ${token}` } });
    const parts = async () => (await issued({})).split('.') as [string, string, string];
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const decoded = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
    const publicPem = () =>
      createPublicKey({ key: identities.issuer!.jwks.keys[0] as JsonWebKey, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    /** Signed by somebody else under the issuer's key id. */
    const forged = async (
      alg: string,
      key: Parameters<SignJWT['sign']>[0],
      kid: string | undefined = identities.issuer!.jwks.keys[0]!.kid,
    ) =>
      new SignJWT({ ...good(), iss: identities.issuer!.url }).setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) }).sign(key);
    const hmacForged = async (secret: string | Buffer) => {
      const [header, payload] = await parts();
      const signed = `${encoded({ ...decoded(header), alg: 'HS256' })}.${payload}`;
      return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    };
    const otherKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

    it.each<[string, () => string | Promise<string>]>([
      ['that is expired', () => issued({ exp: now() - 1 })],
      ['that never expires', () => issued({ exp: undefined })],
      ['that is not yet valid', () => issued({ nbf: now() + 60 })],
      ['that was issued in the future', () => issued({ iat: now() + 60 })],
      ['of another issuer', () => issued({ iss: 'https://issuer.example' })],
      ['without an issuer', () => issued({ iss: undefined })],
      ['for another audience', () => issued({ aud: 'another-shop' })],
      ['for other audiences', () => issued({ aud: ['a', 'b'] })],
      ['for nobody', () => issued({ aud: undefined })],
      ['for another client', () => issued({ aud: undefined, client_id: 'another-shop' })],
      ['for this client, but another audience', () => issued({ aud: 'another-shop', client_id: localAudience })],
      [
        'with the algorithm none',
        async () => `${encoded({ alg: 'none', kid: decoded((await parts())[0])['kid'] })}.${(await parts())[1]}.`,
      ],
      ['with the algorithm none and a signature', async () => `${encoded({ alg: 'none' })}.${(await parts()).slice(1).join('.')}`],
      ['signed with the public key as a secret', () => hmacForged(publicPem())],
      ['signed with the public JWK as a secret', () => hmacForged(JSON.stringify(identities.issuer!.jwks.keys[0]))],
      ['signed with nothing as a secret', () => hmacForged('')],
      ['signed with another key', () => forged('RS256', otherKey())],
      ['signed with an elliptic curve', () => forged('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)],
      ['of a key that nobody knows', () => forged('RS256', otherKey(), 'unknown')],
      [
        'that brings its own key',
        async () => {
          const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
          return new SignJWT({ ...good(), iss: identities.issuer!.url })
            .setProtectedHeader({
              alg: 'RS256',
              kid: 'mine',
              jwk: publicKey.export({ format: 'jwk' }) as { kty: string },
              jku: 'http://127.0.0.1:1/jwks',
            })
            .sign(privateKey);
        },
      ],
      ['whose header names no key', async () => `${encoded({ alg: 'RS256' })}.${(await parts()).slice(1).join('.')}`],
      [
        'whose subject was exchanged',
        async () => {
          const [header, payload, signature] = await parts();
          return [header, encoded({ ...decoded(payload), sub: 'c2' }), signature].join('.');
        },
      ],
      [
        'whose scope was widened',
        async () => {
          const [header, payload, signature] = (await issued({ scope: 'orders/none' })).split('.') as [string, string, string];
          return [header, encoded({ ...decoded(payload), scope: everything }), signature].join('.');
        },
      ],
      [
        'whose signature was changed',
        async () => {
          const [header, payload, signature] = await parts();
          return [header, payload, (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)].join('.');
        },
      ],
      ['whose signature is missing', async () => `${(await parts()).slice(0, 2).join('.')}.`],
      ['that is cut off', async () => (await issued({})).slice(0, -40)],
      ['that is no token', () => 'x'],
      ['of three dots', () => '...'],
    ])('%s is refused', async (_, make) => {
      const { status, headers, body } = await ask(await make());
      expect({ status, body }).toEqual({ status: 401, body: { message: 'Unauthorized' } });
      expect(headers.get('www-authenticate')).toMatch(/^Bearer scope="orders\/read" error="invalid_token" error_description="[^"]+"$/);
    });

    it.each<[string, JWTPayload]>([
      ['for several audiences', { aud: ['another-shop', localAudience] }],
      ['of a client without an audience, as Cognito makes it', { aud: undefined, client_id: localAudience }],
      ['with its scopes in scp', { scope: undefined, scp: ['orders/read'] }],
      ['valid since just now', { nbf: now() }],
    ])('%s is taken', async (_, claims) => {
      expect((await ask(await issued(claims))).status).toBe(200);
    });

    it('may stand without its prefix, and must stand somewhere', async () => {
      expect((await system.api.request('GET', '/orders', { headers: { authorization: await issued({}) } })).status).toBe(200);
      const none = await system.api.get('/orders');
      expect({ status: none.status, challenge: none.headers.get('www-authenticate') }).toEqual({ status: 401, challenge: 'Bearer' });
      expect((await system.api.get(`/orders?access_token=${await issued({})}`)).status).toBe(401);
    });

    it.each([[undefined], ['orders'], ['orders/placexx'], ['orders/readorders/place'], [['orders/place', 'admin']]])(
      'with the scope %j is not enough',
      async (scope) => {
        const { status, headers } = await ask(await issued({ scope }));
        expect(status).toBe(403);
        expect(headers.get('www-authenticate')).toContain('error="insufficient_scope"');
      },
    );

    it.each([[undefined], [''], ['a b'], ['-'], ['x'.repeat(129)]])('with the subject %j is nobody’s', async (sub) => {
      expect(await ask(await issued({ sub }))).toMatchObject({ status: 403, body: { type: 'urn:problem:unusable-subject' } });
    });
  });

  describe('a signature', () => {
    const get = { method: 'GET', url: '/admin/stock/tea', headers: {}, body: undefined as string | undefined };
    type Signed = { method: string; url: string; headers: Record<string, string>; body: string | undefined };
    /** Signs a request, lets somebody change it on its way, and sends it. */
    const send = async (
      change: (signed: Signed) => Partial<Signed> = () => ({}),
      request: Signed = get,
      options?: Parameters<typeof signWith>[1],
    ): Promise<number> => {
      const proof = await signWith(identities.operator, options)({ ...request, url: new URL(system.url + request.url) });
      const signed = { ...request, headers: { ...request.headers, ...proof } };
      const { method, url, headers, body } = { ...signed, ...change(signed) };
      const { host: _host, ...rest } = headers;
      return (await system.api.as(undefined).request(method, url, { headers: rest, ...(body === undefined ? {} : { body }) })).status;
    };
    const put: Signed = {
      method: 'PUT',
      url: '/admin/stock/tea',
      headers: { 'content-type': 'application/json' },
      body: '{"available":100}',
    };
    const withHeader = (name: string, value: string) => (signed: Signed) => ({ headers: { ...signed.headers, [name]: value } });
    const authorization = (change: (text: string) => string) => (signed: Signed) => ({
      headers: { ...signed.headers, authorization: change(signed.headers['authorization']!) },
    });
    const minutes = (count: number) => ({ signingDate: new Date(Date.now() + count * 60_000) });

    it('that holds is taken', async () => {
      expect(await send()).toBe(200);
      expect(await send(undefined, put)).toBe(200);
      expect(await send(undefined, { ...get, url: '/admin/stock/tea?b=2&a=1%2F&a=0' })).not.toBe(500);
      expect(await send(undefined, get, minutes(-4))).toBe(200);
      expect(await send(undefined, get, minutes(4))).toBe(200);
    });

    it.each<[string, () => Promise<number>]>([
      ['that is too old', () => send(undefined, get, minutes(-6))],
      ['of the future', () => send(undefined, get, minutes(6))],
      ['for another region', () => send(undefined, get, { region: 'eu-west-1' })],
      ['for another service', () => send(undefined, get, { service: 'sqs' })],
      ['for another path', () => send(() => ({ url: '/admin/stock/coffee' }))],
      ['for another method', () => send(() => ({ method: 'PUT', body: '{"available":100}' }))],
      ['for another query', () => send(() => ({ url: '/admin/stock/tea?x=1' }))],
      ['for another body', () => send(() => ({ body: '{"available":999}' }), put)],
      ['for another body whose hash was exchanged too', () => send(withHeader('x-amz-content-sha256', 'a'.repeat(64)), put)],
      [
        'for a body that it does not cover',
        () => send((signed) => ({ ...withHeader('x-amz-content-sha256', 'UNSIGNED-PAYLOAD')(signed), body: '{}' }), put),
      ],
      ['for the old hash with a new body', () => send((signed) => ({ headers: signed.headers, body: '{"available":1}' }), put)],
      [
        'for another date',
        () =>
          send(
            withHeader(
              'x-amz-date',
              new Date()
                .toISOString()
                .replaceAll(/[-:]|\.\d+/g, '')
                .replace(/\d{2}Z$/, '59Z'),
            ),
            get,
            minutes(-1),
          ),
      ],
      ['without a date', () => send(({ headers: { 'x-amz-date': _date, ...headers } }) => ({ headers }))],
      ['with a date that is none', () => send(withHeader('x-amz-date', '20261399T999999Z'))],
      ['for other headers', () => send(withHeader('content-type', 'text/plain'), put)],
      ['with an x-amz header that it does not cover', () => send(withHeader('x-amz-extra', 'x'))],
      ['that does not cover the host', () => send(undefined, get, { leaveOut: ['host'] })],
      ['of zeros', () => send(authorization((text) => text.replace(/Signature=.*/, `Signature=${'0'.repeat(64)}`)))],
      ['that is missing', () => send(authorization((text) => text.replace(/, ?Signature=.*/, '')))],
      ['of a key that nobody has', () => send(authorization((text) => text.replace('LOCALOPERATOR', 'AKIAUNKNOWN')))],
      ['of another algorithm', () => send(authorization((text) => text.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1')))],
      [
        'in the query',
        () =>
          send((signed) => ({
            headers: {},
            url: `/admin/stock/tea?X-Amz-Signature=${'0'.repeat(64)}&X-Amz-Credential=${signed.headers['authorization']!.slice(30, 60)}`,
          })),
      ],
    ])('%s is refused', async (_, attempt) => {
      expect(await attempt()).toBe(403);
    });
  });

  describe('npm run token', () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [join(import.meta.dirname, '../../bin/token.mjs'), ...args, '--data-dir', system.dataDir], {
        encoding: 'utf8',
      });

    it('prints a token that is good for what was asked', async () => {
      const reader = system.api.as(bearer(run('--customer', 'c9', '--scopes', 'orders/read').stdout.trim()));
      expect(await reader.get('/orders')).toMatchObject({ status: 200, body: { orders: [] } });
      expect((await reader.place({ items: [] })).status).toBe(403);
      expect((await system.api.as(bearer(run('--customer', 'c9', '--expires', '0').stdout.trim())).get('/orders')).status).toBe(401);
    });

    it('prints the operator’s credentials for a shell', async () => {
      const [, accessKeyId = '', secretAccessKey = ''] =
        /^export AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+) /.exec(run('--operator').stdout) ?? [];
      expect((await system.api.as(signWith({ accessKeyId, secretAccessKey })).stock('tea')).status).toBe(200);
    });

    it('says what is wrong', () => {
      expect(run()).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('--customer <id>') });
      expect(run('--customer', 'c1', '--expires', 'soon')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('--expires <seconds>'),
      });
      expect(
        spawnSync(process.execPath, [join(import.meta.dirname, '../../bin/token.mjs'), '--customer', 'c1', '--data-dir', '/nowhere'], {
          encoding: 'utf8',
        }),
      ).toMatchObject({ status: 1, stderr: expect.stringContaining('/nowhere knows no identities: npm start -- --auth makes them') });
    });

    it('leaves the keys readable by their owner only', () => {
      expect(statSync(join(system.dataDir, 'identities.json')).mode & 0o777).toBe(0o600);
    });
  });

  it('pages of the named origin may call, and of no other', async () => {
    const preflight = (origin: string) =>
      system.api.request('OPTIONS', '/orders', { headers: { origin, 'access-control-request-method': 'POST' } });
    const allowed = await preflight('https://shop.example');
    expect(allowed).toMatchObject({ status: 204, text: '' });
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://shop.example');
    expect(allowed.headers.get('access-control-allow-headers')).toContain('idempotency-key');
    // The local runtime does not even answer another one; on AWS the gateway answers without the headers that its browser wants.
    const other = await preflight('https://evil.example');
    expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    // A refusal can be read too, or a page could not tell its user to log in again.
    const refused = await system.api.request('GET', '/orders', { headers: { origin: 'https://shop.example' } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, 'https://shop.example']);
  });
});

describe('without an issuer', () => {
  const system = runningSystem({ args: ['--stage', 'test', '--auth=iam'] });

  it('every route demands IAM, and its caller names the customer', async () => {
    const people = await authorizations(system.dataDir, await functionKeyOf(system));
    const orderId = await prepared(system, people.operator, people.operator);
    const refused = [403, 403, 403, 403, 403, 403];
    expect(await matrixOf(system, people, orderId)).toEqual({
      'POST /orders': [...refused, 202, 403, 403],
      'GET /orders': [...refused, 200, 403, 403],
      'GET /orders/{id}': [...refused, 200, 403, 403],
      'GET /orders/{id}/timeline': [...refused, 200, 403, 403],
      'POST /orders/{id}/cancel': [...refused, 409, 403, 403],
      'GET /admin/orders/{id}': [...refused, 200, 403, 403],
      'GET /admin/orders/{id}/timeline': [...refused, 200, 403, 403],
      'POST /admin/orders/{id}/cancel': [...refused, 409, 403, 403],
      'GET /admin/stock/{sku}': [...refused, 200, 403, 403],
      'PUT /admin/stock/{sku}': [...refused, 200, 403, 403],
      'GET /health': Array(9).fill(200),
      'GET /openapi.json': Array(9).fill(200),
      'DELETE /orders': [...refused, 405, 403, 403],
    });
    // Nobody is a guest where somebody asks who they are.
    expect(await system.api.as(people.operator).place({ items: [{ sku: 'tea', qty: 1, price: 100 }] })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'customerId' }] },
    });
  });
});
