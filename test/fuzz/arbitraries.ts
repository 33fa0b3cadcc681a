import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import type { Json, OperationObject, ParameterObject } from '../../client/generate/openapi.ts';
import { orderIdOf } from '../../lambdas/contract/order.ts';
import { document, mismatch } from '../support/document.ts';

/** Who sends a request. Each is made into headers when it is sent. */
export type Sender =
  | { readonly kind: 'customer'; readonly sub: string; readonly scope: string }
  | { readonly kind: 'operator' }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'tampered'; readonly at: number }
  | { readonly kind: 'garbage'; readonly header: string };

/** A request as it goes over the wire, and what is known of it. */
export interface FuzzRequest {
  readonly operation: string;
  readonly method: string;
  /** Path and query as they are sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly sender: Sender;
  /** Sent byte by byte as it is, where no HTTP library would send it. */
  readonly raw: boolean;
  /** What was broken; nothing: the document says that it must be taken. */
  readonly broken: readonly string[];
  /** The order that it asks for, when it is taken. */
  readonly orderId: string | undefined;
}

const customers = ['c1', 'c2', 'c3', 'auth0|5f7c8ec7c33c6c004bbafe82'];
const keys = Array.from({ length: 400 }, (_, i) => `key-${i}`);
const skus = ['tea', 'coffee', 'mug.blue', 'x'];

/** Values that a JSON Schema of the document accepts. */
export function valuesOf(schema: Json): fc.Arbitrary<unknown> {
  if (typeof schema['$ref'] === 'string') return valuesOf(document.components.schemas[schema['$ref'].split('/').at(-1)!]!);
  if (schema['const'] !== undefined) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  switch (schema['type']) {
    case 'integer': {
      const [min, max] = [Number(schema['minimum'] ?? 0), Math.min(Number(schema['maximum'] ?? 1e6), 1e6)];
      // Mostly small ones: the quantities of an order have a sum that no schema can bound.
      return fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min, max: Math.min(max, 1000) }) },
        { weight: 1, arbitrary: fc.integer({ min, max }) },
      );
    }
    case 'array':
      return fc.array(valuesOf(schema['items'] as Json), {
        minLength: Number(schema['minItems'] ?? 0),
        maxLength: Math.min(Number(schema['maxItems'] ?? 5), 5),
      });
    case 'object': {
      const required = (schema['required'] ?? []) as string[];
      const fields = Object.entries((schema['properties'] ?? {}) as Record<string, Json>).map(([name, field]) => [name, valuesOf(field)]);
      return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
        requiredKeys: required,
        noNullPrototype: true,
      });
    }
    case 'string':
      return textOf(schema);
    default:
      throw new Error(`the fuzzer does not know ${JSON.stringify(schema)}`);
  }
}

function textOf(schema: Json): fc.Arbitrary<string> {
  const fits = (text: string): boolean => mismatch(schema, text) === undefined;
  if (schema['format'] === 'email') return fc.emailAddress({ size: 'small' }).filter(fits);
  const pattern = schema['pattern'] as string | undefined;
  if (pattern === undefined) return fc.string({ maxLength: Math.min(Number(schema['maxLength'] ?? 40), 60) });
  // Text of a person is any character of any script: from the pattern itself the library would make little else than ASCII.
  if (pattern.startsWith('^[^')) return fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter(fits);
  return fc.stringMatching(new RegExp(pattern, 'u'), { size: 'small' });
}

/** What is put in the place of a value: another type, or an extreme of its own. */
const strangeValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    -(2 ** 53),
    [],
    {},
    [[]],
    '0',
    'NaN',
    '\u0000',
    '\uFFFF',
    '💥',
    '../../etc',
    "' OR 1=1 --",
    '${7*7}',
    '<script>',
  ),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.double(),
  fc.jsonValue({ maxDepth: 3 }),
);

/** A value with one place of it changed: another value, a key less, a key more. */
function changed(value: unknown, path: readonly number[], strange: unknown, how: number): unknown {
  if (path.length === 0 || value === null || typeof value !== 'object') return strange;
  const [first = 0, ...rest] = path;
  if (Array.isArray(value)) {
    if (value.length === 0) return [strange];
    const at = first % value.length;
    if (how === 0) return value.toSpliced(at, 1);
    return value.map((item, i): unknown => (i === at ? changed(item, rest, strange, how) : item));
  }
  const entries = Object.entries(value);
  if (entries.length === 0 || how === 1) return { ...value, [`extra-${first}`]: strange };
  const at = first % entries.length;
  if (how === 0) return Object.fromEntries(entries.toSpliced(at, 1));
  return Object.fromEntries(entries.map(([key, item], i) => [key, i === at ? changed(item, rest, strange, how) : item]));
}

interface Body {
  readonly bytes: Uint8Array | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly broken: string | undefined;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const json = { 'content-type': 'application/json' };
const body = (text: string | Uint8Array | undefined, broken?: string, headers: Record<string, string> = json): Body => ({
  bytes: typeof text === 'string' ? bytesOf(text) : text,
  headers,
  broken,
});

/** Bodies of an operation: some good ones, and every way to spoil one. */
function bodiesOf(schema: Json): fc.Arbitrary<Body> {
  // Whoever names a customer names another one, nearly always, and gets no further.
  const good = fc
    .tuple(valuesOf(schema) as fc.Arbitrary<Record<string, unknown>>, fc.nat(9))
    .map(([{ customerId, ...value }, named]) => (customerId !== undefined && named === 0 ? { ...value, customerId } : value));
  const text = good.map((value) => JSON.stringify(value));
  return fc.oneof(
    { weight: 24, arbitrary: text.map((value) => body(value)) },
    {
      weight: 8,
      arbitrary: fc
        .tuple(good, fc.array(fc.nat(40), { minLength: 1, maxLength: 4 }), strangeValues, fc.nat(3))
        .map(([value, path, strange, how]) => changed(value, path, strange, how))
        // What is still good after it was changed is a good one.
        .map((value) =>
          body(JSON.stringify(value), mismatch(schema, JSON.parse(JSON.stringify(value))) === undefined ? undefined : 'structure or type'),
        ),
    },
    {
      weight: 1,
      arbitrary: fc
        .jsonValue()
        .filter((value) => mismatch(schema, value) !== undefined)
        .map((value) => body(JSON.stringify(value), 'another value')),
    },
    { weight: 1, arbitrary: fc.tuple(text, fc.nat()).map(([value, at]) => body(value.slice(0, at % value.length), 'cut off')) },
    { weight: 1, arbitrary: text.map((value) => body(`${value.slice(0, -1)},"items":[],"items":[]}`, 'a key twice')) },
    { weight: 1, arbitrary: text.map((value) => body(`{"__proto__":{"admin":true},${value.slice(1)}`, 'prototype')) },
    { weight: 1, arbitrary: fc.nat(20_000).map((depth) => body(`${'['.repeat(depth + 1)}${']'.repeat(depth + 1)}`, 'nesting')) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.uint8Array({ maxLength: 60 }), text)
        .map(([noise, value]) => body(Buffer.concat([bytesOf(value), noise, Buffer.from([0xff])]), 'not UTF-8')),
    },
    { weight: 1, arbitrary: text.map((value) => body(Buffer.from(value, 'utf16le'), 'UTF-16')) },
    { weight: 1, arbitrary: text.map((value) => body(`\uFEFF${value}`, 'byte order mark')) },
    { weight: 1, arbitrary: text.map((value) => body(gzipSync(value), 'compressed', { ...json, 'content-encoding': 'gzip' })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(70_000, 300_000, 1_000_000).map((size) => body(`{"items":"${'x'.repeat(size)}"}`, 'too large')),
    },
    { weight: 1, arbitrary: text.map((value) => body(value, 'content type', { 'content-type': 'text/xml' })) },
    { weight: 1, arbitrary: fc.constant(body(undefined, 'no body')) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('application/json; charset=utf-8', 'application/vnd.shop+json', 'APPLICATION/JSON')
        .chain((type) => text.map((value) => body(value, undefined, { 'content-type': type }))),
    },
  );
}

/** One parameter: its text as it is sent, or none. */
interface Sent {
  readonly text: string | undefined;
  readonly broken: string | undefined;
}

/** Whether the text of a parameter is a value of its schema after all. */
function meant(schema: Json, place: string, text: string): boolean {
  const plain = place === 'header' ? text.trim() : decodeURIComponent(text);
  return mismatch(schema, schema['type'] === 'integer' && /^\d+$/.test(plain) ? Number(plain) : plain) === undefined;
}

function parameterOf({ name, in: place, schema, required }: ParameterObject): fc.Arbitrary<Sent> {
  const known: Readonly<Record<string, readonly string[]>> = { sku: skus, 'Idempotency-Key': keys, customerId: customers };
  const form = (value: unknown): string => (place === 'header' ? String(value) : encodeURIComponent(String(value)));
  const sendable = (text: string): boolean => place !== 'header' || /^[\t -~]+$/.test(text);
  const good = known[name]
    ? fc.constantFrom(...known[name])
    : valuesOf(schema).filter((value) => typeof value !== 'string' || value.isWellFormed());
  const options: fc.WeightedArbitrary<Sent>[] = [
    // A cursor is bound to its list: any that is made up is wrong.
    {
      weight: 30,
      arbitrary: good
        .map(form)
        .filter((text) => sendable(text) && text !== '')
        .map((text) => ({ text, broken: name === 'cursor' ? 'cursor' : undefined })),
    },
    {
      weight: 2,
      arbitrary: fc
        .oneof(
          fc.string({ unit: 'binary', maxLength: 300 }).filter((text) => text.isWellFormed()),
          fc.constantFrom('', ' ', '0', '-1', '999', 'null', 'a b', 'é', '💥', '..', '.', 'a/b', 'a,b', '"7', 'W/"7"', 'x'.repeat(2000)),
        )
        .map(form)
        .filter((text) => sendable(text) && !(place === 'path' && text === ''))
        .map((text) => ({ text, broken: name !== 'cursor' && meant(schema, place, text) ? undefined : `${place} ${name}` })),
    },
  ];
  if (place === 'path')
    options.push({
      weight: 1,
      arbitrary: fc.constantFrom('%zz', '%', '%e0%a4%a', '%00', '%c0%af').map((text) => ({ text, broken: 'percent-encoding' })),
    });
  const none: fc.WeightedArbitrary<Sent> = {
    weight: required ? 1 : 20,
    arbitrary: fc.constant({ text: undefined, broken: required ? `no ${name}` : undefined }),
  };
  return fc.oneof(...options, ...(place === 'path' ? [] : [none]));
}

function sendersOf(security: OperationObject['security']): fc.Arbitrary<Sender> {
  const scopes = security.flatMap((entry) => (entry['token'] as string[] | undefined) ?? []);
  const right: fc.Arbitrary<Sender> =
    scopes.length > 0
      ? fc.constantFrom(...customers).map((sub) => ({ kind: 'customer', sub, scope: scopes.join(' ') }))
      : fc.constant({ kind: 'operator' });
  return fc.oneof(
    { weight: 40, arbitrary: right },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Sender>(
        { kind: 'nobody' },
        { kind: 'operator' },
        { kind: 'customer', sub: 'c1', scope: 'orders/other' },
        { kind: 'customer', sub: 'a b', scope: scopes.join(' ') },
      ),
    },
    { weight: 1, arbitrary: fc.nat(500).map((at): Sender => ({ kind: 'tampered', at })) },
    { weight: 1, arbitrary: fc.stringMatching(/^[ -~]{0,200}$/).map((header): Sender => ({ kind: 'garbage', header })) },
  );
}

function requestsOf(path: string, method: string, operation: OperationObject): fc.Arbitrary<FuzzRequest> {
  const { operationId, parameters, requestBody, security } = operation;
  const schema = requestBody?.content['application/json']?.schema;
  return fc
    .record({
      sent: fc.tuple(...parameters.map(parameterOf)),
      content: schema
        ? bodiesOf(schema)
        : fc.oneof(
            { weight: 9, arbitrary: fc.constant(body(undefined, undefined, {})) },
            { weight: 1, arbitrary: fc.jsonValue().map((value) => body(JSON.stringify(value))) },
          ),
      sender: sendersOf(security),
      known: fc.constantFrom(...customers).chain((customer) => fc.constantFrom(...keys).map((key) => orderIdOf(customer, key))),
      useKnown: fc.integer({ min: 0, max: 3 }),
      extra: fc.oneof(
        { weight: 9, arbitrary: fc.constant({}) },
        { weight: 1, arbitrary: fc.dictionary(fc.stringMatching(/^x-[a-z]{1,10}$/), fc.stringMatching(/^[!-~]{0,60}$/), { maxKeys: 4 }) },
      ),
    })
    .map(({ sent, content, sender, known, useKnown, extra }): FuzzRequest => {
      const broken = [content.broken].filter((what) => what !== undefined);
      let filled = path;
      const query: string[] = [];
      const headers: Record<string, string> = { ...content.headers, ...extra };
      parameters.forEach(({ name, in: place }, i) => {
        let { text, broken: how } = sent[i]!;
        if (name === 'id' && useKnown > 0) [text, how] = [known, undefined];
        if (how !== undefined) broken.push(how);
        if (text === undefined) return;
        if (place === 'path') filled = filled.replace(`{${name}}`, () => text);
        else if (place === 'query') query.push(`${name}=${text}`);
        else headers[name.toLowerCase()] = text;
      });
      const customer = sender.kind === 'customer' ? sender.sub : undefined;
      const key = headers['idempotency-key'];
      return {
        operation: operationId,
        method: method.toUpperCase(),
        target: query.length === 0 ? filled : `${filled}?${query.join('&')}`,
        headers,
        body: content.bytes,
        sender,
        raw: false,
        broken,
        orderId: operationId === 'placeOrder' && customer !== undefined && key !== undefined ? orderIdOf(customer, key) : undefined,
      };
    });
}

/** What belongs to no operation, and what is hardly HTTP. */
const elsewhere: fc.Arbitrary<FuzzRequest> = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND'),
    target: fc.oneof(
      fc.constantFrom(
        '/',
        '//',
        '/orders/',
        '/orders//timeline',
        '/admin',
        '/admin/stock/',
        '/.env',
        '/orders/../admin/stock/tea',
        '/Orders',
        '/orders;x=1',
        '/orders%2f',
        '/health/',
        '*',
        '/orders?'.padEnd(9000, 'x'),
      ),
      fc.webPath(),
      fc.stringMatching(/^\/[!-~]{0,80}$/),
    ),
    raw: fc.boolean(),
    sender: fc.constantFrom<Sender>({ kind: 'nobody' }, { kind: 'operator' }, { kind: 'customer', sub: 'c1', scope: 'orders/read' }),
    headers: fc.constantFrom<Record<string, string>>(
      {},
      { 'x-long': 'x'.repeat(11_000) },
      { 'content-length': '-1' },
      { 'transfer-encoding': 'chunked, x' },
      { host: 'elsewhere' },
      { expect: '100-continue' },
      { origin: 'https://evil.example' },
    ),
  })
  .filter(({ target }) => !target.startsWith('/_local'))
  // An answer to HEAD that has a body, as to a malformed one, would break a library's connection.
  .map((request) => ({ ...request, raw: request.raw || request.method === 'HEAD' }))
  .map(({ method, target, raw, sender, headers }) => ({
    operation: 'elsewhere',
    method,
    target,
    headers,
    body: undefined,
    sender: raw ? { kind: 'nobody' } : sender,
    raw,
    broken: ['elsewhere'],
    orderId: undefined,
  }));

const weights: Readonly<Record<string, number>> = { placeOrder: 8, listOrders: 3, putStock: 3, getHealth: 1, getDocument: 1 };

/** Every kind of request, good and bad, that the document leads one to. */
export const requests: fc.Arbitrary<FuzzRequest> = fc.oneof(
  ...Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      weight: weights[operation.operationId] ?? 2,
      arbitrary: requestsOf(path, method, operation),
    })),
  ),
  { weight: 2, arbitrary: elsewhere },
);
