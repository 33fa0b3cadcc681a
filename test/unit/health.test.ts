import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { createHandler } from '../../lambdas/health/handler.ts';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import { testTelemetry, testWorld } from '../support/builders.ts';

const world = testWorld();
const handler = createHandler({ STAGE: 'test' }, { telemetry: testTelemetry(), world, faults: injectedFaults(world, {}) });

/** Asks for what no route of the template matches. */
const elsewhere = (method: string, path: string) =>
  handler(
    {
      routeKey: '$default',
      rawPath: path,
      headers: {},
      requestContext: { http: { method, path } },
      isBase64Encoded: false,
    } as unknown as APIGatewayProxyEventV2,
    {} as Context,
  );

describe('what no route matches', () => {
  it.each([
    ['DELETE', '/orders', 'GET, POST'],
    ['PATCH', '/orders/ord_00000000000000000000000000', 'GET'],
    ['GET', '/orders/ord_00000000000000000000000000/cancel', 'POST'],
    ['POST', '/admin/stock/tea', 'GET, PUT'],
    ['POST', '/openapi.json', 'GET'],
  ])('%s %s is a 405 that names the methods: %s', async (method, path, allow) => {
    const { statusCode, headers, body } = await elsewhere(method, path);
    expect({ statusCode, allow: headers?.['allow'] }).toEqual({ statusCode: 405, allow });
    expect(JSON.parse(body!)).toMatchObject({ type: 'urn:problem:method-not-allowed', detail: expect.stringContaining(allow) });
  });

  it.each([['/'], ['/orders/'], ['/openapixjson'], ['/orders/a/b']])('%s is a 404', async (path) => {
    expect(await elsewhere('GET', path)).toMatchObject({ statusCode: 404 });
  });
});
