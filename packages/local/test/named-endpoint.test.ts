import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { namedEndpoint } from '@outbox-saga/local/emulators/named';
import { freePort } from '@outbox-saga/emulator/ports';
import { StartProblem } from '@outbox-saga/local/problem';

const variable = 'AWS_ENDPOINT_URL_DYNAMODB';
const connect = (endpoint: string, fresh = false) => {
  vi.stubEnv(variable, endpoint);
  return namedEndpoint(variable, 'DynamoDB_20120810.ListTables', fresh);
};
async function listening(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
afterEach(() => void vi.unstubAllEnvs());

describe('an endpoint that the user names', () => {
  it('is taken when its service answers', async () => {
    const endpoint = await listening((_, response) => response.end('{"TableNames":[]}'));
    expect(await connect(endpoint)).toBe(endpoint);
    expect(await connect('')).toBeUndefined();
  });

  it.each([
    ['dynamodb', false, 'is not a URL'],
    ['https://localhost:8000', false, 'must begin with http:// because'],
    ['ftp://localhost', false, 'must begin with http:// because'],
    ['http://db.invalid:8000', false, 'its host is not known'],
    ['https://dynamodb.us-east-1.amazonaws.com', true, '--fresh: it deletes data only on this machine'],
  ])('%s is refused by the name of its variable (fresh: %s)', async (endpoint, fresh, why) => {
    const problem = await connect(endpoint, fresh).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(StartProblem);
    expect((problem as Error).message).toContain(`${variable}=${endpoint}: ${why}`);
  });

  it('is refused when nobody listens there', async () => {
    await expect(connect(`http://127.0.0.1:${await freePort()}`)).rejects.toThrow('the connection is refused. Is the emulator running?');
  });

  it('is refused when something else answers', async () => {
    await expect(connect(await listening((_, response) => response.end('<html>')))).rejects.toThrow('not as the service does');
    await expect(connect(await listening((_, response) => response.writeHead(404).end('{}')))).rejects.toThrow('not as the service does');
  });

  it('is refused when nothing answers', async () => {
    // As if five seconds were over.
    vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => AbortSignal.abort());
    onTestFinished(() => void vi.restoreAllMocks());
    await expect(connect(await listening(() => undefined))).rejects.toThrow('there is no answer within 5 s');
  });
});
