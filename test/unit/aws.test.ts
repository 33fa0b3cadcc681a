import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, it } from 'vitest';
import { longestPauseMs, quickRetries } from '../../lambdas/kit/aws.ts';

let stop: () => void = () => undefined;
afterEach(() => stop());

/** A DynamoDB that always answers the same; counts how often it is asked. */
async function database(status: number, type: string) {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify({ __type: type, message: 'no' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'TEST', secretAccessKey: 'test' },
    retryStrategy: quickRetries(() => 0.01),
  });
  stop = () => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  };
  const failure = await client.send(new GetItemCommand({ TableName: 't', Key: { id: { S: '1' } } })).catch((error: unknown) => error);
  return { asked, failure };
}

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
    const strategy = quickRetries(() => 0.999_999);
    const first = await strategy.acquireInitialRetryToken();
    const second = await strategy.refreshRetryTokenForRetry(first, { errorType: 'THROTTLING' });
    const third = await strategy.refreshRetryTokenForRetry(second, { errorType: 'TRANSIENT' });
    expect([first, second, third].map((token) => token.getRetryDelay())).toEqual([0, 99, 199]);
    expect(third.getRetryDelay()).toBeLessThan(longestPauseMs);
    await expect(strategy.refreshRetryTokenForRetry(third, { errorType: 'THROTTLING' })).rejects.toThrow('no further try');
    await expect(strategy.refreshRetryTokenForRetry(first, { errorType: 'CLIENT_ERROR' })).rejects.toThrow('no further try');
  });
});
