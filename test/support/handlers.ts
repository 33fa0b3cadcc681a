import type { Context } from 'aws-lambda';
import type { Connections } from '@outbox-saga/kit/function/wiring';
import type { World } from '@outbox-saga/kit/function/world';
import { testTelemetry } from './builders.ts';
import type { TestTables } from './tables.ts';

/** What a handler is connected to in a test: its tables, its clock, no faults. */
export function testConnections(name: string, { client, database }: TestTables, world: World, telemetry = testTelemetry()): Connections {
  return { name, client, database, world, telemetry, faults: { before: () => Promise.resolve(), after: () => undefined } };
}

/** An invocation's context with so many milliseconds left. */
export function testContext(remaining: () => number = () => 10_000): Context {
  return { awsRequestId: 'request-1', getRemainingTimeInMillis: remaining } as Context;
}

interface HttpResult {
  readonly statusCode: number;
  readonly body: Record<string, unknown>;
}

/** Sends one request to a function behind the API, as the gateway would. */
export async function request(
  handler: (event: never, context: never) => Promise<unknown>,
  routeKey: string,
  { id, headers, body }: { id?: string; headers?: Readonly<Record<string, string>>; body?: unknown } = {},
): Promise<HttpResult> {
  const [method, route = ''] = routeKey.split(' ');
  const rawPath = route.replace('{id}', id ?? '');
  const event = {
    routeKey,
    rawPath,
    rawQueryString: '',
    headers: { 'content-type': 'application/json', ...headers },
    pathParameters: id === undefined ? undefined : { id },
    requestContext: { http: { method, path: rawPath } },
    body: body === undefined ? undefined : JSON.stringify(body),
    isBase64Encoded: false,
  };
  const answer = (await handler(event as never, testContext() as never)) as { statusCode: number; body?: string };
  return { statusCode: answer.statusCode, body: JSON.parse(answer.body ?? '{}') as Record<string, unknown> };
}

/** All values of a generator. */
export async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const collected: Value[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}
