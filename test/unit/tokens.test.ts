import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, it } from 'vitest';
import { TokenVerifier } from '../../local/gateway/tokens.ts';

it('keys are fetched from the issuer by discovery, and an issuer that was away is asked again', async () => {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const asked: string[] = [];
  let away = true;
  const server = createServer((request, response) => {
    asked.push(request.url!);
    if (away) return void response.writeHead(503).end();
    const path = request.url === '/shop/.well-known/openid-configuration';
    void (async () => {
      const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }];
      response.end(JSON.stringify(path ? { jwks_uri: `${base}/keys` } : { keys }));
    })();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const issuer = `${base}/shop`;
    const token = await new SignJWT({ iss: issuer, aud: 'a', scp: 'x y', exp: Math.floor(Date.now() / 1000) + 60 })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(privateKey);
    const verifier = new TokenVerifier({ issuer, audience: ['a'] });
    expect(await verifier.verify(token)).toEqual({ holds: false, why: "the issuer's configuration cannot be read: 503" });
    away = false;
    expect(await verifier.verify(token)).toMatchObject({ holds: true, scopes: ['x', 'y'] });
    expect(await verifier.verify(token)).toMatchObject({ holds: true });
    // Once they are there they are kept.
    const configuration = '/shop/.well-known/openid-configuration';
    expect(asked).toEqual([configuration, configuration, '/keys']);
  } finally {
    server.close();
  }
});
