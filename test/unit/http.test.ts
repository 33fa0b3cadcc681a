import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import { duplicateKey } from '@outbox-saga/kit/http/json';
import { Problem } from '@outbox-saga/kit/http/problem';
import { createHttpHandler } from '@outbox-saga/kit/http/http';
import type { HttpRequest, HttpResponse, OperationDeclaration } from '@outbox-saga/kit/http/operations';
import { decodeCursor, encodeCursor } from '../../lambdas/query-orders/cursor.ts';
import { etagOf, isKnown, orderAnswer, timelineAnswer } from '../../lambdas/query-orders/answers.ts';
import { newRow } from '@outbox-saga/kit/outbox/row';
import { aMessage, anOrder, testTelemetry, testWorld } from '../support/builders.ts';

const world = testWorld();

type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;
const open = { route: 'POST /x', access: 'open', throttleShare: 1 } as const;

async function ask(handler: HttpHandler, changes: Partial<APIGatewayProxyEventV2> = {}, operation: OperationDeclaration = open) {
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
    operations: { x: operation },
    handlers: { x: handler },
    callers: { proof: 'none' },
    telemetry,
    world,
    faults: injectedFaults(world, {}),
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
    [new Problem({ slug: 'teapot', status: 418, title: 'I am a teapot' }), 418, 'teapot', undefined],
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
    const read: HttpHandler = ({ body: value }) => Promise.resolve({ status: 200, body: value });
    const operation = { ...open, body: { schema: z.object({ a: z.string() }), maxBytes: 100 } };
    const body = Buffer.from('{"a":"é"}').toString('base64');
    expect(await ask(read, { body, isBase64Encoded: true }, operation)).toMatchObject({ statusCode: 200, json: { a: 'é' } });
    expect(await ask(read, { body: 'x'.repeat(101) }, operation)).toMatchObject({ statusCode: 413 });
  });
});

describe('a request', () => {
  const gone = { slug: 'gone', status: 410, title: 'It is gone', detail: 'path:id: names nothing' };
  const operation = {
    ...open,
    path: z.object({ id: z.string().regex(/^[a-z]+$/, 'must be letters') }),
    query: z.strictObject({ limit: z.string().transform(Number).optional() }),
    body: { schema: z.strictObject({ n: z.int().default(7) }), maxBytes: 20 },
    headers: z.object({ 'if-match': z.string().regex(/^"/, 'must be an ETag').optional(), 'x-key': z.string('is required') }),
  } as const;
  const good = {
    pathParameters: { id: 'a' },
    queryStringParameters: { limit: '5' },
    headers: { 'x-key': ' k ', 'if-match': '"1"', 'x-other': 'o' },
    body: '{}',
  };
  const parsed: HttpHandler = ({ path, query, headers, body, receivedBody, caller }) =>
    Promise.resolve({ status: 200, body: { path, query, headers, body, receivedBody, caller } });
  const errors = async (changes: object, declared: OperationDeclaration = operation) => {
    const { statusCode, json } = await ask(parsed, { ...good, ...changes }, declared);
    return [
      statusCode,
      ...((json as { errors?: { field: string; message: string }[] }).errors ?? []).map(({ field, message }) => `${field} ${message}`),
    ];
  };

  it('comes to its handler parsed, with the body as it was received beside it', async () => {
    expect((await ask(parsed, good, operation)).json).toEqual({
      path: { id: 'a' },
      query: { limit: 5 },
      headers: { 'x-key': 'k', 'if-match': '"1"' },
      body: { n: 7 },
      receivedBody: {},
      caller: {},
    });
  });

  it('has only the parts that its operation declares', async () => {
    expect((await ask(parsed, { ...good, body: 'no JSON' })).json).toEqual({ caller: {} });
  });

  it.each([
    [{ pathParameters: { id: '7' } }, 'path:id must be letters'],
    [{ queryStringParameters: { limit: '1', colour: 'red' } }, 'query:colour is not a known field'],
    [{ headers: {} }, 'header:x-key is required'],
    [{ body: '{"n":"7"}' }, expect.stringMatching(/^n /)],
    [{ body: '' }, 'body is empty'],
    [{ body: '[]' }, expect.stringMatching(/^body /)],
  ])('%j is told what is wrong', async (changes, error) => {
    expect(await errors(changes)).toEqual([400, error]);
  });

  it('is told every header that is wrong', async () => {
    expect(await errors({ headers: { 'if-match': '7' } })).toEqual([400, 'header:if-match must be an ETag', 'header:x-key is required']);
  });

  it('is told of the part that its operation declares first', async () => {
    const wrong = { headers: {}, body: 'x'.repeat(21) };
    expect(await errors(wrong)).toEqual([413, 'body must be at most 20 bytes']);
    const { body, ...others } = operation;
    expect(await errors(wrong, { ...others, body })).toEqual([400, 'header:x-key is required']);
  });

  it('for a path that can name nothing is told what its operation says', async () => {
    const { statusCode, json } = await ask(parsed, { ...good, pathParameters: { id: '7' } }, { ...operation, pathProblem: gone });
    expect({ statusCode, json }).toMatchObject({ statusCode: 410, json: { type: 'urn:problem:gone', detail: 'path:id: names nothing' } });
    expect(json).not.toHaveProperty('errors');
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
