import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TokenVerifier } from '@outbox-saga/local/gateway/tokens';

/** An issuer of somebody's own: two keys, the second of a kind that API Gateway does not take. */
let server: Server;
let issuer: string;
let away = false;
let keys: Record<'rsa' | 'ec', CryptoKey>;
const asked: string[] = [];

beforeAll(async () => {
  const [rsa, ec] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('ES256')]);
  keys = { rsa: rsa.privateKey, ec: ec.privateKey };
  const published = [
    { ...(await exportJWK(rsa.publicKey)), kid: 'rsa' },
    { ...(await exportJWK(ec.publicKey)), kid: 'ec' },
  ];
  server = createServer((request, response) => {
    asked.push(request.url!);
    if (away) return void response.writeHead(503).end();
    const configuration = { jwks_uri: issuer.replace('/shop', '/keys') };
    response.end(JSON.stringify(request.url === '/keys' ? { keys: published } : configuration));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/shop`;
});
afterAll(() => void server.close());

const token = (key: CryptoKey, header: { alg: string; kid?: string }, claims: object = {}) =>
  new SignJWT({ iss: issuer, aud: 'a', scp: 'x y', exp: Math.floor(Date.now() / 1000) + 60, ...claims })
    .setProtectedHeader(header)
    .sign(key);
const verifier = () => new TokenVerifier({ issuer, audience: ['a'] });

it('keys are fetched from the issuer by discovery and kept, and an issuer that was away is asked again', async () => {
  const good = await token(keys.rsa, { alg: 'RS256', kid: 'rsa' });
  const tokens = verifier();
  away = true;
  expect(await tokens.verify(good)).toEqual({ holds: false, why: "the issuer's configuration cannot be read: 503" });
  away = false;
  expect(await tokens.verify(good)).toMatchObject({ holds: true, scopes: ['x', 'y'] });
  expect(await tokens.verify(good)).toMatchObject({ holds: true });
  const configuration = '/shop/.well-known/openid-configuration';
  expect(asked).toEqual([configuration, configuration, '/keys']);
});

it('only RSA signatures are taken, and only with the name of their key', async () => {
  const tokens = verifier();
  expect(await tokens.verify(await token(keys.rsa, { alg: 'RS256', kid: 'rsa' }))).toMatchObject({ holds: true });
  expect(await tokens.verify(await token(keys.ec, { alg: 'ES256', kid: 'ec' }))).toMatchObject({ holds: false });
  expect(await tokens.verify(await token(keys.rsa, { alg: 'RS256' }))).toEqual({ holds: false, why: 'the token names no key' });
});

it('a token that held is not asked about again, until it expires', async () => {
  const tokens = verifier();
  const good = await token(keys.rsa, { alg: 'RS256', kid: 'rsa' });
  expect(await tokens.verify(good)).toMatchObject({ holds: true });
  away = true;
  expect(await tokens.verify(good)).toMatchObject({ holds: true });
  expect(await tokens.verify(good, new Date(Date.now() + 61_000))).toMatchObject({ holds: false });
  away = false;
  // Only that very token: one that differs in its last letter is another.
  expect(await tokens.verify(`${good.slice(0, -2)}${good.at(-2) === 'A' ? 'B' : 'A'}${good.at(-1)}`)).toMatchObject({ holds: false });
});

it.each([
  ['sub', null],
  ['sub', 7],
  ['sub', ['c1']],
  ['sub', { id: 'c1' }],
  ['scope', [['orders/read']]],
  ['scope', { 'orders/read': true }],
  ['scope', null],
  ['scp', [null]],
  ['scp', 7],
  ['aud', ['a', 7]],
  ['client_id', ['a']],
])('a token whose %s is %j is refused by the name of the claim', async (claim, value) => {
  const strange = await token(keys.rsa, { alg: 'RS256', kid: 'rsa' }, { [claim]: value });
  expect(await verifier().verify(strange)).toEqual({ holds: false, why: `the token's claim ${claim} is of a type that it cannot have` });
});

it('scopes are a list or text, and one goes before the other', async () => {
  const scopesOf = async (claims: object) => verifier().verify(await token(keys.rsa, { alg: 'RS256', kid: 'rsa' }, claims));
  expect(await scopesOf({ scp: ['x', 'y'] })).toMatchObject({ holds: true, scopes: ['x', 'y'] });
  expect(await scopesOf({ scope: 'z' })).toMatchObject({ holds: true, scopes: ['z'] });
  expect(await scopesOf({ scope: [] })).toMatchObject({ holds: true, scopes: [] });
});
