import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { classify } from '@outbox-saga/kit/errors';
import { callLimits, callSettings, connectDatabase, connectQueues, longestPauseMs, quickRetries } from '@outbox-saga/kit/aws/clients';

const stops: (() => void)[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const stop of stops.splice(0)) stop();
});

/** An AWS service on a free port. @returns its URL */
async function service(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const world = { random: () => 0.01, now: () => 0 };
const credentials = { accessKeyId: 'TEST', secretAccessKey: 'test' };
/** A fraction of what functions have: only that a limit is kept is of interest here. */
const hurry = { ...callLimits, requestTimeout: 50, socketTimeout: 0 };

async function read(endpoint: string, limits: Parameters<typeof callSettings>[0] = callLimits): Promise<unknown> {
  const client = new DynamoDBClient({ ...callSettings(limits, world), endpoint, region: 'us-east-1', credentials });
  stops.push(() => client.destroy());
  return client.send(new GetItemCommand({ TableName: 't', Key: { id: { S: '1' } } })).catch((error: unknown) => error);
}

async function send(endpoint: string, limits = hurry): Promise<unknown> {
  const client = new SQSClient({ ...callSettings(limits, world), endpoint, region: 'us-east-1', credentials });
  stops.push(() => client.destroy());
  const Entries = [{ Id: '0', MessageBody: 'x' }];
  return client.send(new SendMessageBatchCommand({ QueueUrl: `${endpoint}/0/q`, Entries })).catch((error: unknown) => error);
}

/** A DynamoDB that always answers the same; counts how often it is asked. */
async function database(status: number, type: string) {
  let asked = 0;
  const endpoint = await service((_request, response) => {
    asked++;
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify({ __type: type, message: 'no' }));
  });
  const failure = await read(endpoint);
  return { asked, failure };
}

describe('a call that hangs', () => {
  it.each([
    ['DynamoDB', read],
    ['SQS', send],
  ])('is given up when %s takes it and never answers', async (_, call) => {
    const failure = await call(await service(() => undefined), hurry);
    expect(failure).toMatchObject({ name: 'TimeoutError', $metadata: { attempts: 3 } });
    expect(classify(failure)).toEqual({ class: 'transient', reason: 'unavailable' });
  });

  it('is given up when the answer stops in the middle', async () => {
    const endpoint = await service((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0', 'content-length': '100' });
      response.write('{"Item":');
    });
    const failure = await read(endpoint, { ...callLimits, socketTimeout: 50 });
    expect(classify(failure)).toEqual({ class: 'transient', reason: 'unavailable' });
  });

  it('is limited in every client of a function', async () => {
    const endpoint = await service((_request, response) => void response.writeHead(400).end('{}'));
    vi.stubEnv('AWS_ENDPOINT_URL', endpoint);
    vi.stubEnv('AWS_REGION', 'us-east-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'TEST');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
    // The plain client is the one that Powertools gets.
    const [{ client }, queues] = [connectDatabase(), connectQueues()];
    stops.push(
      () => client.destroy(),
      () => queues.destroy(),
    );
    await client.send(new GetItemCommand({ TableName: 't', Key: { id: { S: '1' } } })).catch(() => undefined);
    await queues.send(new SendMessageBatchCommand({ QueueUrl: `${endpoint}/0/q`, Entries: [] })).catch(() => undefined);
    for (const { config } of [client, queues]) {
      const handler = config.requestHandler as unknown as { httpHandlerConfigs(): object };
      expect(handler.httpHandlerConfigs()).toMatchObject({ ...callLimits, throwOnRequestTimeout: true });
    }
  });
});

describe('retries inside the SDK', () => {
  it.each([
    [400, 'ProvisionedThroughputExceededException', 3],
    [500, 'InternalServerError', 3],
    [400, 'ConditionalCheckFailedException', 1],
    [400, 'AccessDeniedException', 1],
  ])('a %s %s is asked %s times', async (status, type, times) => {
    const { asked, failure } = await database(status, type);
    expect(asked).toBe(times);
    expect(failure).toMatchObject({ name: type, $metadata: { attempts: times } });
  });

  it('never wait longer than a function may', async () => {
    const strategy = quickRetries({ random: () => 0.999_999, now: () => 0 });
    const first = await strategy.acquireInitialRetryToken();
    const second = await strategy.refreshRetryTokenForRetry(first, { errorType: 'THROTTLING' });
    const third = await strategy.refreshRetryTokenForRetry(second, { errorType: 'TRANSIENT' });
    expect([first, second, third].map((token) => token.getRetryDelay())).toEqual([0, 99, 199]);
    expect(third.getRetryDelay()).toBeLessThan(longestPauseMs);
    await expect(strategy.refreshRetryTokenForRetry(third, { errorType: 'THROTTLING' })).rejects.toThrow('no further try');
    await expect(strategy.refreshRetryTokenForRetry(first, { errorType: 'CLIENT_ERROR' })).rejects.toThrow('no further try');
  });

  it('begin while a function still has time, however long the first try hung', async () => {
    let now = 0;
    const strategy = quickRetries({ random: () => 0, now: () => now });
    const first = await strategy.acquireInitialRetryToken();
    now = callLimits.requestTimeout;
    const second = await strategy.refreshRetryTokenForRetry(first, { errorType: 'TRANSIENT' });
    now = 2 * callLimits.requestTimeout;
    await expect(strategy.refreshRetryTokenForRetry(second, { errorType: 'TRANSIENT' })).rejects.toThrow('no further try');
  });
});
