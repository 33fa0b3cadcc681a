import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sesMailer } from '../../lambdas/notification/mailer.ts';

let server: Server;
let answer: { status: number; type?: string; body: unknown };
const received: { headers: IncomingHttpHeaders; body: unknown }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
      response.writeHead(answer.status, {
        'content-type': 'application/json',
        ...(answer.type ? { 'x-amzn-errortype': answer.type } : {}),
      });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('AWS_ENDPOINT_URL_SES', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'TEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
});
afterAll(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
});

const mailer = sesMailer('shop@example.com');
const mail = (): Promise<unknown> => mailer('Ada.Byron+1@example.org', 'Confirmed', 'We took €12.34.').catch((error: unknown) => error);

describe('the mailer', () => {
  it('says that its text is UTF-8: SES would take it for ASCII', async () => {
    answer = { status: 200, body: { MessageId: 'm' } };
    expect(await mail()).toBeUndefined();
    expect(received.at(-1)!.body).toMatchObject({
      FromEmailAddress: 'shop@example.com',
      Destination: { ToAddresses: ['Ada.Byron+1@example.org'] },
      Content: { Simple: { Subject: { Charset: 'UTF-8' }, Body: { Text: { Data: 'We took €12.34.', Charset: 'UTF-8' } } } },
    });
  });

  it('takes an address that SES rejects for refused, and does not quote it', async () => {
    answer = { status: 400, type: 'MessageRejected', body: { message: 'Address ada.byron+1@EXAMPLE.org is not a mailbox' } };
    expect(await mail()).toMatchObject({ name: 'PermanentError', message: 'ses answered 400 MessageRejected: Address … is not a mailbox' });
  });

  it.each([
    ['the sender is not verified', 400, 'MessageRejected', 'Email address is not verified: SHOP shop@example.com'],
    ['sending is paused', 400, 'SendingPausedException', 'Email sending is paused for Ada.Byron+1@example.org'],
    ['SES is overloaded', 429, 'TooManyRequestsException', 'slow down'],
    ['SES fails', 500, 'InternalFailure', 'sorry, Ada.Byron+1@example.org'],
  ])('tries again when %s', async (_, status, type, message) => {
    answer = { status, type, body: { message } };
    const error = (await mail()) as Error;
    expect(error).toMatchObject({ name: 'TransientError' });
    expect(error.message).not.toMatch(/ada/i);
  });
});
