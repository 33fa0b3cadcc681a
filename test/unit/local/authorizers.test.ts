import { rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { authorizersOf, type Verdict } from '@outbox-saga/local/gateway/authorizers';
import type { Iam } from '@outbox-saga/local/iam';
import { Identities } from '@outbox-saga/local/identities';
import type { Template } from '@outbox-saga/local/template';
import { signWith, type Credentials } from '../../support/client.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

const template = {
  Resources: { Route: { Type: 'AWS::ApiGatewayV2::Route', Properties: { RouteKey: 'GET /orders', AuthorizationType: 'AWS_IAM' } } },
} as unknown as Template;

/** What a route with IAM says to a request that some credentials signed. The functions behind it ask again; here it is the gateway's own word. */
async function verdictOn(credentials: (identities: Identities) => Credentials | undefined): Promise<Verdict> {
  const dataDir = temporaryFolder();
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const identities = new Identities(dataDir);
  const authorize = authorizersOf(template, new Map(), { identities, iam: {} as Iam }).get('Route')!;
  const signer = credentials(identities);
  const request = { method: 'GET', url: new URL('http://localhost:3000/orders'), headers: {}, body: undefined };
  const signed = signer ? await signWith(signer)(request) : {};
  const headers = Object.fromEntries(Object.entries(signed).map(([name, value]) => [name.toLowerCase(), value]));
  return authorize({ method: 'GET', url: '/orders', headers } as unknown as IncomingMessage, () => Promise.resolve(Buffer.of()));
}

it('IAM lets the operator in', async () => {
  expect(await verdictOn(({ operator }) => operator)).toMatchObject({
    context: { iam: { userArn: expect.stringContaining('user/operator') } },
  });
});

it.each<[string, (identities: Identities) => Credentials | undefined]>([
  ['nobody', () => undefined],
  ['an access key that nobody has', ({ operator }) => ({ ...operator, accessKeyId: 'NOBODY' })],
  ['the operator’s key with another secret', ({ operator }) => ({ ...operator, secretAccessKey: 'guessed' })],
])('IAM refuses %s', async (_, credentials) => {
  expect(await verdictOn(credentials)).toMatchObject({ refusal: { status: 403 } });
});
