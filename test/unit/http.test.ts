import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import { duplicateKey } from '@outbox-saga/kit/http/json';
import { createHttpHandler, Problem, readJson, type HttpHandler } from '@outbox-saga/kit/http/http';
import { decodeCursor, encodeCursor } from '../../lambdas/query-orders/cursor.ts';
import { etagOf, isKnown, orderAnswer, timelineAnswer } from '../../lambdas/query-orders/answers.ts';
import { newRow } from '@outbox-saga/kit/outbox/rows';
import { aMessage, anOrder, testTelemetry, testWorld } from '../support/builders.ts';

const world = testWorld();

async function ask(handler: HttpHandler, changes: Partial<APIGatewayProxyEventV2> = {}, variables: Record<string, string> = {}) {
  const telemetry = testTelemetry();
  const event = {
    routeKey: 'POST /x',
    rawPath: '/x',
    headers: {},
    requestContext: { http: { method: 'POST' } },
    isBase64Encoded: false,
    ...changes,
  } as APIGatewayProxyEventV2;
  const answer = await createHttpHandler({
    routes: { everyone: { 'POST /x': handler } },
    callers: { proof: 'none' },
    telemetry,
    world,
    faults: injectedFaults(world, variables),
  })(event, {} as Context);
  return { ...answer, json: JSON.parse(answer.body!) as unknown, line: telemetry.lines[0]! };
}
const failing =
  (error: Error): HttpHandler =>
  () =>
    Promise.reject(error);

describe('an HTTP handler', () => {
  it('answers JSON with the correlation id, and logs one line with the outcome', async () => {
    const answer = await ask(() => Promise.resolve({ status: 200, outcome: 'fine', aggregateId: 'a1', body: { ok: true } }), {
      headers: { 'x-correlation-id': 'c1' },
    });
    expect(answer).toMatchObject({
      statusCode: 200,
      json: { ok: true },
      headers: { 'content-type': 'application/json', 'x-correlation-id': 'c1' },
    });
    expect(answer.line).toMatchObject({
      message: 'request',
      fields: { correlationId: 'c1', aggregateId: 'a1', route: 'POST /x', status: 200, outcome: 'fine' },
    });
  });

  it('never says that nothing was changed when it cannot know', async () => {
    const answer = await ask(failing(Object.assign(new Error('no answer in time'), { name: 'TimeoutError' })));
    expect(answer.json).toMatchObject({
      detail: 'the request may or may not have been carried out; send the same one again, with the same key: it is carried out once',
    });
  });

  it.each([
    [new TransientError('conflict', 'busy'), 503, 'try-again', '1'],
    [Object.assign(new Error('slow'), { name: 'ThrottlingException' }), 503, 'try-again', '1'],
    [Object.assign(new Error('no answer in time'), { name: 'TimeoutError' }), 503, 'try-again', '1'],
    [Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), 503, 'try-again', '1'],
    [Object.assign(new Error('down'), { name: 'InternalServerError', $metadata: { httpStatusCode: 500 } }), 503, 'try-again', '1'],
    [Object.assign(new Error('down'), { name: 'SomethingNew', $metadata: { httpStatusCode: 502 } }), 503, 'try-again', '1'],
    [Object.assign(new Error('no'), { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } }), 500, 'internal', undefined],
    [new PermanentError('invariant broken: x'), 500, 'internal', undefined],
    [new TypeError('a bug'), 500, 'internal', undefined],
    [new Problem({ slug: 'teapot', status: 418, title: 'I am a teapot', meaning: '' }), 418, 'teapot', undefined],
  ])('turns %s into %d %s', async (error, status, slug, retryAfter) => {
    const answer = await ask(failing(error));
    expect(answer).toMatchObject({
      statusCode: status,
      json: { type: `urn:problem:${slug}`, status },
      headers: { 'content-type': 'application/problem+json' },
    });
    expect(answer.headers!['retry-after']).toBe(retryAfter);
    if (status >= 500) expect(answer.line.fields['error']).toContain(error.message);
    // What went wrong inside is for the log, not for the caller.
    if (status === 500) expect(answer.body).not.toContain(error.message);
  });

  it('answers what JSON cannot express with a problem, and logs what it answered', async () => {
    const answer = await ask(() => Promise.resolve({ status: 200, outcome: 'found', body: { available: 9_007_199_254_740_993n } }));
    expect(answer).toMatchObject({ statusCode: 500, json: { type: 'urn:problem:internal' } });
    expect(answer.line.fields).toMatchObject({ status: 500, outcome: 'internal', error: expect.stringContaining('BigInt') });
  });

  it('knows only its own routes', async () => {
    expect(await ask(() => Promise.resolve({ status: 200 }), { routeKey: 'GET /y' })).toMatchObject({ statusCode: 404 });
  });

  it('reads bodies in base 64, and without a content type', async () => {
    const read: HttpHandler = (request) =>
      Promise.resolve({ status: 200, body: readJson(request, z.object({ a: z.string() }), 100).value });
    const body = Buffer.from('{"a":"é"}').toString('base64');
    expect(await ask(read, { body, isBase64Encoded: true })).toMatchObject({ statusCode: 200, json: { a: 'é' } });
    expect(await ask(read, { body: 'x'.repeat(101) })).toMatchObject({ statusCode: 413 });
  });
});

describe('cursors', () => {
  const cursor = { customerId: 'c1', status: 'FAILED', placedOrder: `000001700000000#${anOrder().orderId}` };
  it('lead on in their own list only', () => {
    const text = encodeCursor(cursor);
    expect(decodeCursor(text, 'c1', 'FAILED')).toEqual(cursor);
    expect(decodeCursor(text, 'c2', 'FAILED')).toBeUndefined();
    expect(decodeCursor(text, 'c1', undefined)).toBeUndefined();
    expect(decodeCursor('rubbish', 'c1', 'FAILED')).toBeUndefined();
    expect(decodeCursor(encodeCursor({ ...cursor, placedOrder: '../x' }), 'c1', 'FAILED')).toBeUndefined();
  });
});

describe('a timeline', () => {
  it('says how many of the order’s messages have expired, and shows what cannot be read', () => {
    const row = newRow(
      aMessage('PaymentRequested', { customerId: 'c1', placedAt: 1, amount: 1, currency: 'JPY', token: 't' }, { sequence: 3 }),
      { source: 's', outboxExpirySeconds: 1, world },
    );
    expect(timelineAnswer(anOrder({ version: 3 }), [row, { ...row, body: 'broken' }], false)).toMatchObject({
      expired: 2,
      truncated: false,
      entries: [{ type: 'PaymentRequested', sequence: 3, status: 'PENDING', attempts: 0 }, { type: 'unreadable' }],
    });
  });
});

describe('a key that is there twice', () => {
  it.each([
    ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', undefined],
    ['{"a":"a","b":"a","c":["a","a"]}', undefined],
    ['{"a":"{\\"a\\":1}","b":": \\"b\\":"}', undefined],
    ['[1,"x",{"a" : 1 , "b":2, "a"\n:3}]', 'a'],
    ['{"x":{"\\u0061":1,"a":2}}', 'a'],
    ['{"":1,"":2}', ''],
    ['"text"', undefined],
  ])('in %s: %s', (text, key) => {
    expect(() => JSON.parse(text) as unknown).not.toThrow();
    expect(duplicateKey(text)).toBe(key);
  });
});

describe('an order’s answer', () => {
  it('has the carrier’s number once there is one', () => {
    expect(orderAnswer(anOrder({ trackingId: 'shp_1' }))).toMatchObject({ trackingId: 'shp_1' });
    expect(JSON.parse(JSON.stringify(orderAnswer(anOrder())))).not.toHaveProperty('trackingId');
  });
});

describe('an order’s ETag', () => {
  const etag = etagOf({ version: 4 });
  it.each([
    [undefined, false],
    ['"4"', true],
    ['W/"4"', true],
    ['"3", "4"', true],
    ['*', true],
    ['"3"', false],
    ['4', false],
    ['', false],
  ])('If-None-Match %s: known %s', (header, known) => {
    expect(isKnown(header, etag)).toBe(known);
  });
});
