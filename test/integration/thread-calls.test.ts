import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { AwsCalls } from '@outbox-saga/local/aws/calls';
import type { Caller } from '@outbox-saga/emulator/call';
import { AwsError } from '@outbox-saga/emulator/aws-error';
import { FaultBoard } from '@outbox-saga/local/faults';
import { FunctionPool } from '@outbox-saga/local/functions/pool';
import { inThreads } from '@outbox-saga/local/functions/thread-sandbox';
import { projectRoot } from '../../lib/project.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));

/** Calls AWS as the product does: by the SDK, over an endpoint from the environment. */
const code = `
import { createRequire } from 'node:module';
const require = createRequire(${JSON.stringify(join(projectRoot, 'package.json'))});
const { DynamoDBClient, GetItemCommand, PutItemCommand } = require('@aws-sdk/client-dynamodb');
const { SQSClient, SendMessageCommand } = require('@aws-sdk/client-sqs');
const http = require('node:http');
const requestHandler = { requestTimeout: 200, throwOnRequestTimeout: true };
const table = new DynamoDBClient({ maxAttempts: 1, requestHandler });
const queue = new SQSClient({ maxAttempts: 1, requestHandler });
const Key = { id: { S: '1' } };
const steps = {
  get: () => table.send(new GetItemCommand({ TableName: 'Orders', Key })).then(({ Item }) => Item),
  put: () => table.send(new PutItemCommand({ TableName: 'Orders', Item: Key })),
  send: ({ url }) => queue.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'ä€😀' })).then(({ MessageId }) => MessageId),
  plain: ({ url }) => new Promise((resolve, reject) => {
    http.request(url, { method: 'PUT' }, (response) => response.on('data', (data) => resolve(String(data)))).on('error', reject).end('plain');
  }),
  raw: ({ path, target }) => new Promise((resolve, reject) => {
    const { hostname: host, port } = new URL(process.env.AWS_ENDPOINT_URL_DYNAMODB);
    const request = http.request({ host, port, path, method: 'POST', headers: { 'X-Amz-Target': target } }, (response) => {
      response.on('data', (data) => resolve({ status: response.statusCode, body: JSON.parse(data) }));
    });
    request.on('error', reject);
    request.write(Buffer.from('{'));
    request.end('}');
  }),
};
export const handler = (event) => steps[event.do](event);
`;

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** A thread whose calls of both services are answered by the test. */
function setUp() {
  const made = join(folder, crypto.randomUUID());
  mkdirSync(made);
  writeFileSync(join(made, 'index.mjs'), code);
  const dynamoDb = vi.fn<Caller>(() => Promise.resolve({}));
  const sqs = vi.fn<Caller>(() => Promise.resolve({ MessageId: 'm-1', MD5OfMessageBody: md5('ä€😀') }));
  const problems: string[] = [];
  const calls = new AwsCalls({ dynamoDb, sqs, faults: new FaultBoard({}) });
  const awsEndpoint = 'http://127.0.0.1:1';
  const start = inThreads({ calls, awsEndpoint, onProblem: (what) => problems.push(what) });
  const fn = {
    name: 'subject',
    logicalId: 'Subject',
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:Subject',
    code: made,
    handler: 'index.handler',
    memoryMb: 128,
    timeoutSeconds: 30,
    variables: {},
    identity: 'LOCALSUBJECT',
    priority: 0,
    secret: 'secret',
  };
  const pool = new FunctionPool(fn, start, { onLine: () => undefined, onInit: () => undefined, variables: () => ({}) });
  onTestFinished(() => pool.stop());
  return { pool, calls, dynamoDb, sqs, problems, awsEndpoint };
}

/** A service that answers when the test says so, and the signal that its last caller gave. */
function held() {
  const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
  let signal: AbortSignal | undefined;
  const service: Caller = (_, _input, given) => {
    signal = given;
    return promise;
  };
  return { service, resolve, abandoned: () => vi.waitFor(() => expect(signal?.aborted).toBe(true), { timeout: 60_000 }) };
}

describe('what a function in a thread asks of AWS', () => {
  it('reaches the service and comes back without a socket, under the function’s name', async () => {
    const { pool, calls, dynamoDb, sqs, awsEndpoint } = setUp();
    dynamoDb.mockResolvedValueOnce({ Item: { note: { S: 'ä€😀' } } });
    expect(await pool.invoke({ do: 'get' })).toEqual({ ok: true, payload: { note: { S: 'ä€😀' } } });
    expect(dynamoDb.mock.lastCall?.slice(0, 2)).toEqual(['DynamoDB_20120810.GetItem', { TableName: 'Orders', Key: { id: { S: '1' } } }]);
    expect(await pool.invoke({ do: 'send', url: `${awsEndpoint}/000000000000/q` })).toEqual({ ok: true, payload: 'm-1' });
    expect(sqs.mock.lastCall?.[1]).toMatchObject({ MessageBody: 'ä€😀' });
    expect([...calls.usage.all.keys()]).toEqual(['subject GetItem ', 'subject SendMessage ']);
  });

  it('fails with the service’s error as the SDK knows it', async () => {
    const { pool, dynamoDb } = setUp();
    dynamoDb.mockRejectedValue(new AwsError('ConditionalCheckFailedException', 'The conditional request failed'));
    expect(await pool.invoke({ do: 'put' })).toMatchObject({
      errorType: 'ConditionalCheckFailedException',
      errorMessage: 'The conditional request failed',
    });
  });

  it('is refused where the function’s policies do not allow it', async () => {
    const { pool, calls, dynamoDb } = setUp();
    const refusal = vi.fn(() => 'User: subject is not authorized');
    calls.iam = { tableArns: new Map(), refusal } as unknown as NonNullable<typeof calls.iam>;
    expect(await pool.invoke({ do: 'put' })).toMatchObject({
      errorType: 'AccessDeniedException',
      errorMessage: 'User: subject is not authorized',
    });
    expect(refusal).toHaveBeenCalledWith('subject', [expect.objectContaining({ action: 'dynamodb:PutItem' })]);
    expect(dynamoDb).not.toHaveBeenCalled();
  });

  it('is answered by name where there is no such call', async () => {
    const { pool } = setUp();
    const raw = (path: string, target: string) => pool.invoke({ do: 'raw', path, target });
    expect(await raw('/', 'Kinesis_20131202.PutRecord')).toMatchObject({
      payload: { status: 400, body: { __type: expect.stringContaining('UnknownOperationException') } },
    });
    expect(await raw('/other', 'DynamoDB_20120810.GetItem')).toMatchObject({ payload: { status: 400 } });
    expect(await raw('/', 'DynamoDB_20120810.GetItem')).toMatchObject({ payload: { status: 200, body: {} } });
  });

  it('that breaks the runtime’s own code is a problem that is told, and a server’s error', async () => {
    const { pool, calls, problems } = setUp();
    calls.iam = { tableArns: new Map(), refusal: () => JSON.parse('no') as string } as unknown as NonNullable<typeof calls.iam>;
    expect(await pool.invoke({ do: 'put' })).toMatchObject({ ok: false, errorType: 'InternalFailure' });
    expect(problems).toEqual([expect.stringContaining('subject, DynamoDB_20120810.PutItem: SyntaxError')]);
  });

  it('is given up when it takes longer than the SDK waits', async () => {
    const { pool, dynamoDb } = setUp();
    const service = held();
    dynamoDb.mockImplementation(service.service);
    expect(await pool.invoke({ do: 'get' })).toMatchObject({ ok: false, errorType: 'TimeoutError' });
    await service.abandoned();
    service.resolve({});
    dynamoDb.mockResolvedValue({ Item: {} });
    expect(await pool.invoke({ do: 'get' })).toEqual({ ok: true, payload: {} });
  });

  it('is given up when the thread ends', async () => {
    const { pool, dynamoDb } = setUp();
    const service = held();
    dynamoDb.mockImplementation(service.service);
    const invocation = pool.invoke({ do: 'get' });
    await vi.waitFor(() => expect(dynamoDb).toHaveBeenCalled(), { timeout: 60_000 });
    pool.stop();
    expect(await invocation).toMatchObject({ ok: false, errorType: 'Runtime.ExitError' });
    await service.abandoned();
  });

  it('leaves as it is when it is for somebody else', async () => {
    const { pool, dynamoDb } = setUp();
    const server = createServer((request, response) => {
      request.on('data', (data: Buffer) => response.end(`${request.method} ${String(data)}`));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pay`;
    expect(await pool.invoke({ do: 'plain', url })).toEqual({ ok: true, payload: 'PUT plain' });
    expect(dynamoDb).not.toHaveBeenCalled();
  });
});
