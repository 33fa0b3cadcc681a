import { rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { callerOf } from '@outbox-saga/emulator/call';
import { AwsCalls, type AwsCallsOptions } from '@outbox-saga/local/aws/calls';
import { startAwsServer, type AwsServer, type AwsServerOptions } from '@outbox-saga/local/aws/server';
import { FaultBoard } from '@outbox-saga/local/faults';
import { Identities } from '@outbox-saga/local/identities';
import { signWith } from '../../support/client.ts';
import { requestText, sendBytes } from '../../support/raw.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

const target = 'DynamoDB_20120810.ListTables';

/** A server before an emulator that answers `{}` and remembers what it was asked. */
async function setUp(options: Partial<AwsCallsOptions & AwsServerOptions> = {}, emulatorAnswer = '{}') {
  const asked: { headers: IncomingHttpHeaders; body: string }[] = [];
  const emulator = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      asked.push({ headers: request.headers, body });
      response.end(emulatorAnswer);
    });
  });
  await new Promise<void>((resolve) => emulator.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(emulator.address() as AddressInfo).port}`;
  const dataDir = temporaryFolder();
  const identities = new Identities(dataDir);
  const problems: string[] = [];
  identities.functions.set('FUNCTIONF', { name: 'f', secret: 'known only here' });
  const calls = new AwsCalls({ dynamoDb: callerOf(endpoint), sqs: callerOf(endpoint), faults: new FaultBoard({}), ...options });
  const server = await startAwsServer({
    calls,
    identities,
    hosts: [],
    onProblem: (what) => problems.push(what),
    ...options,
  });
  onTestFinished(async () => {
    await server.stop();
    emulator.close();
    emulator.closeAllConnections();
    rmSync(dataDir, { recursive: true });
  });
  return { calls, server, asked, problems };
}

const authority = (server: AwsServer): string => new URL(server.url).host;
const post = (server: AwsServer, headers: Record<string, string>, body = '{}', line = 'POST / HTTP/1.1') =>
  sendBytes(server.url, requestText(line, { host: authority(server), 'x-amz-target': target, ...headers }, body));

/** A call that a function signed. */
async function signed(server: AwsServer, operation: string, body: string, host = authority(server)) {
  const url = new URL(`http://${host}/`);
  const sign = signWith({ accessKeyId: 'FUNCTIONF', secretAccessKey: 'known only here' }, { service: 'dynamodb' });
  const headers = await sign({ method: 'POST', url, headers: { 'x-amz-target': operation }, body });
  return sendBytes(server.url, requestText('POST / HTTP/1.1', { ...headers, 'x-amz-target': operation }, body));
}

describe('the AWS server answers', () => {
  it.each(['localhost', '127.0.0.1', '[::1]', 'LOCALHOST:1'])('the host %s', async (host) => {
    const { server, asked } = await setUp();
    expect(await post(server, { host })).toMatchObject({ status: 200 });
    expect(asked).toHaveLength(1);
  });

  it.each<[string, Record<string, string>]>([
    ['a host that a name server led here', { host: 'evil.example' }],
    ['a host that only begins like ours', { host: 'localhost.evil.example' }],
    ['a host that only ends like ours', { host: 'evil.localhost' }],
    ['all interfaces', { host: '0.0.0.0' }],
    ['no host', { host: '' }],
    ['the container’s host, unless it is named', { host: 'host.docker.internal' }],
    ['a web page', { origin: 'https://evil.example' }],
    ['a web page on another port of this machine', { origin: 'http://localhost:1' }],
    ['a page without an origin', { origin: 'null' }],
    ['an image of another site', { 'sec-fetch-site': 'cross-site' }],
    ['an image of another port', { 'sec-fetch-site': 'same-site' }],
  ])('not %s', async (_, headers) => {
    const { server, asked } = await setUp();
    const { status, text } = await post(server, headers);
    expect([status, text]).toEqual([403, expect.stringContaining('the local runtime does not answer')]);
    expect(text).toContain('AccessDeniedException');
    expect(asked).toEqual([]);
  });

  it('a host that --allow-host names, as containers of sam local invoke use it', async () => {
    const { server, asked } = await setUp({ hosts: ['host.docker.internal'] });
    const host = `host.docker.internal:${new URL(server.url).port}`;
    expect(await signed(server, target, '{}', host)).toMatchObject({ status: 200 });
    expect(await post(server, { host })).toMatchObject({ status: 200 });
    expect(await post(server, { host: 'evil.example' })).toMatchObject({ status: 403 });
    expect(asked).toHaveLength(2);
  });
});

describe('whatever a caller sends, the AWS server answers and lives', () => {
  const claim = `AWS4-HMAC-SHA256 Credential=FUNCTIONF/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=${'0'.repeat(64)}`;
  const now = (): string => new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');

  it.each<[string, (server: AwsServer) => ReturnType<typeof sendBytes>, string]>([
    ['a target that is no path', (p) => post(p, { authorization: claim, 'x-amz-date': now() }, '{}', 'POST *:99999 HTTP/1.1'), ''],
    ['another path', (p) => post(p, {}, '{}', 'POST //x HTTP/1.1'), 'the services are called at /'],
    ['a body that is not JSON', (p) => post(p, {}, 'garbage'), 'SerializationException'],
    ['no body', (p) => post(p, {}, ''), 'SerializationException'],
    ['a body that is no object', (p) => post(p, {}, '[]'), 'SerializationException'],
    ['null', (p) => post(p, {}, 'null'), 'SerializationException'],
    [
      'a transaction that is no list',
      (p) => signed(p, 'DynamoDB_20120810.TransactWriteItems', '{"TransactItems":{"length":1}}'),
      'TransactItems',
    ],
    ['a transaction of nothing', (p) => signed(p, 'DynamoDB_20120810.TransactWriteItems', '{"TransactItems":[null]}'), 'TransactItems'],
    ['a part without a table', (p) => signed(p, 'DynamoDB_20120810.TransactGetItems', '{"TransactItems":[{"Get":{}}]}'), 'TransactItems'],
    ['entries that are none', (p) => signed(p, 'AmazonSQS.SendMessageBatch', '{"Entries":5}'), 'Entries'],
    ['a table that is no name', (p) => post(p, {}, '{"TableName":{}}'), 'TableName'],
    ['a body without a bottom', (p) => signed(p, target, `${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`), 'SerializationException'],
    ['another method', (p) => post(p, {}, '{}', 'PUT / HTTP/1.1'), 'UnknownOperationException'],
    ['no operation', (p) => post(p, { 'x-amz-target': 'DynamoDB_20120810.' }), 'UnknownOperationException'],
    ['a service that is not here', (p) => post(p, { 'x-amz-target': 'Kinesis_20131202.PutRecord' }), 'UnknownOperationException'],
    ['a wrong signature', (p) => post(p, { authorization: claim, 'x-amz-date': now() }), 'InvalidSignatureException'],
    ['a request line that is none', (p) => sendBytes(p.url, 'HELLO\r\n\r\n'), 'Bad Request'],
    [
      'two lengths',
      (p) => sendBytes(p.url, 'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}'),
      'Bad Request',
    ],
  ])('%s', async (_, send, says) => {
    const { calls, server, problems } = await setUp();
    calls.usage.metering = true;
    const { status, text } = await send(server);
    expect([status, text]).toEqual([400, expect.stringContaining(says)]);
    expect(await signed(server, target, '{}')).toMatchObject({ status: 200 });
    expect(problems).toEqual([]);
  });

  it('an answer of the emulator that is not JSON', async () => {
    const { server } = await setUp({}, '<html>');
    expect(await signed(server, target, '{}')).toMatchObject({ status: 500, text: expect.stringContaining('UnreadableAnswer') });
  });

  it('an emulator that is away', async () => {
    const { server } = await setUp({ dynamoDb: callerOf('http://127.0.0.1:1') });
    expect(await signed(server, target, '{}')).toMatchObject({ status: 503, text: expect.stringContaining('ServiceUnavailable') });
  });
});

describe('the AWS server', () => {
  it('calls the services in its own words, whatever a caller’s headers say', async () => {
    const { server, asked } = await setUp();
    await post(server, { 'accept-encoding': 'gzip', te: 'trailers', expect: '100-continue', 'x-amz-date': 'd', cookie: 'c' });
    expect(Object.keys(asked[0]!.headers).toSorted()).toEqual([
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'x-amz-date',
      'x-amz-target',
    ]);
  });

  it('does not remember operations that there are not', async () => {
    const { calls, server } = await setUp({ dynamoDb: callerOf('http://127.0.0.1:1') });
    for (const operation of ['A', 'B', 'C']) await post(server, { 'x-amz-target': `DynamoDB_20120810.${operation}` });
    expect(calls.usage.all.size).toBe(0);
  });

  it('tells a caller who takes too long', async () => {
    const { server, asked } = await setUp({ timeouts: { headersMs: 40, requestMs: 80 } });
    const head = `POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: ${target}\r\n`;
    expect(await sendBytes(server.url, head)).toMatchObject({ status: 408 });
    expect(await sendBytes(server.url, `${head}content-length: 10\r\n\r\n{`)).toMatchObject({ status: 408 });
    expect(await signed(server, target, '{}')).toMatchObject({ status: 200 });
    expect(asked).toHaveLength(1);
  });
});
