import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generated } from '../../client/generate/generated.ts';
import { responseOf, type Json } from '../../client/generate/openapi.ts';
import { gatewayOccasions, problemMeanings } from '../../lambdas/contract/api/documentation.ts';
import { operations, problemsOf, type OperationName } from '../../lambdas/contract/api.ts';
import { problemType } from '@outbox-saga/kit/http/contract';
import type { OperationDeclaration } from '@outbox-saga/kit/http/operations';
import { problems } from '../../lambdas/contract/problems.ts';
import { document, mismatch, undocumented } from '../support/document.ts';

const root = join(import.meta.dirname, '../..');
const all = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, operation })),
);

describe('what is made from the contract', () => {
  it.each(Object.entries(generated(root)))('%s is committed as `npm run client` makes it', (file, text) => {
    expect(readFileSync(join(root, file), 'utf8')).toBe(text);
  });
});

describe('the OpenAPI document', () => {
  it('has every operation of the contract, each under a name of its own', () => {
    expect(all.map(({ route }) => route).toSorted()).toEqual(
      Object.values(operations)
        .map(({ route }) => route)
        .toSorted(),
    );
    expect(new Set(all.map(({ operation }) => operation.operationId)).size).toBe(all.length);
  });

  it.each(all)('$route has examples that its own schemas accept', ({ operation }) => {
    const { requestBody, responses, parameters } = operation;
    for (const { schema, ...rest } of parameters) {
      const { example } = rest as { example?: unknown };
      if (example !== undefined) expect(mismatch(schema, example)).toBeUndefined();
    }
    const bodies = Object.values(requestBody?.content ?? {}) as { schema: Json; examples: Record<string, { value: unknown }> }[];
    for (const { schema, examples } of bodies) {
      expect(Object.keys(examples).length).toBeGreaterThan(0);
      for (const { value } of Object.values(examples)) expect(mismatch(schema, value)).toBeUndefined();
    }
    for (const response of Object.values(responses)) {
      for (const { schema, ...rest } of Object.values(responseOf(document, response).content ?? {})) {
        const { example } = rest as { example?: unknown };
        if (example !== undefined) expect(mismatch(schema, example)).toBeUndefined();
      }
    }
  });

  it.each(all)('$route says who may ask as the contract does', ({ route, operation }) => {
    const { access } = Object.values<OperationDeclaration>(operations).find((entry) => entry.route === route)!;
    const schemes = operation.security.flatMap((entry) => Object.keys(entry));
    expect(schemes).toEqual(access === 'open' ? [] : access === 'operator' ? ['iam'] : ['token', 'iam']);
    expect(Object.keys(operation.responses).includes('403')).toBe(access !== 'open');
  });

  it('refuses what the handlers refuse', () => {
    const placement: Json = { $ref: '#/components/schemas/Placement' };
    const items = [{ sku: 'a', qty: 1, price: 1 }];
    for (const wrong of [
      {},
      { items: [] },
      { items: [{ sku: 'a', qty: 0, price: 1 }] },
      { items: [{ sku: 'a', qty: 2 ** 53, price: 1 }] },
      { items, note: 'x' },
      { items, shipTo: { name: 'a\u0000' } },
      { items, shipTo: { name: '𠮷'.repeat(101) } },
      { items, currency: 'yen' },
      { items, email: 'x' },
    ]) {
      expect(mismatch(placement, wrong), JSON.stringify(wrong)).toBeDefined();
    }
    // Lengths are counted in characters, here and there.
    expect(mismatch(placement, { items, shipTo: { name: '𠮷'.repeat(100) } })).toBeUndefined();
  });
});

describe('the operations', () => {
  it.each(Object.entries<OperationDeclaration>(operations))('%s declare the parameters of their paths', (_, { route, path }) => {
    const named = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(Object.keys(path?.shape ?? {})).toEqual(named);
  });

  it.each(Object.entries<OperationDeclaration>(operations))(
    '%s document what they tell a path that names nothing',
    (name, { pathProblem }) => {
      if (pathProblem) expect(problemsOf(name as OperationName)).toContain(pathProblem);
    },
  );

  it.each(Object.entries<OperationDeclaration>(operations))('%s name headers in lower case, as they come', (_, { headers }) => {
    for (const header of Object.keys(headers?.shape ?? {})) expect(header).toBe(header.toLowerCase());
  });
});

describe('an answer', () => {
  const answer = (
    status: number,
    body: unknown,
    type = 'application/json',
    headers: Record<string, string> = { 'x-correlation-id': 'c' },
  ) => ({
    status,
    headers: new Headers({ 'content-type': type, ...headers }),
    text: JSON.stringify(body),
  });
  const accepted = { orderId: 'ord_00000000000000000000000000', status: 'PENDING' };
  const where = { 'x-correlation-id': 'c', location: '/orders/x' };

  it.each([
    ['as documented', answer(202, accepted, 'application/json', where), undefined],
    ['with a field that nobody knows', answer(202, { ...accepted, secret: 1 }, 'application/json', where), /additional properties/],
    ['without a field', answer(202, { orderId: accepted.orderId }, 'application/json', where), /required property 'status'/],
    ['of a status that is not there', answer(418, {}), /status 418/],
    ['that is no problem document', answer(422, { message: 'x' }), /content type application\/json with status 422/],
    ['without its header', answer(202, accepted), /no header Location/],
    ['of the gateway', answer(401, { message: 'Unauthorized' }, 'application/json', {}), undefined],
  ])('%s is judged', (_, given, verdict) => {
    const found = undocumented('POST', '/orders', given);
    if (verdict === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(verdict);
  });
});

describe('problems', () => {
  it('have types that never change', () => {
    expect(Object.values(problems).map((kind) => `${kind.status} ${problemType(kind)}`)).toMatchInlineSnapshot(`
      [
        "400 urn:problem:invalid-request",
        "400 urn:problem:malformed-body",
        "403 urn:problem:no-identity",
        "404 urn:problem:not-found",
        "405 urn:problem:method-not-allowed",
        "413 urn:problem:body-too-large",
        "415 urn:problem:unsupported-media-type",
        "500 urn:problem:internal",
        "503 urn:problem:try-again",
        "403 urn:problem:unusable-subject",
        "403 urn:problem:other-customer",
        "404 urn:problem:order-not-found",
        "409 urn:problem:order-settled",
        "422 urn:problem:idempotency-key-reused",
        "422 urn:problem:incomplete-order",
        "404 urn:problem:sku-not-found",
        "412 urn:problem:stock-changed",
      ]
    `);
  });

  it('are all explained', () => {
    for (const { title, slug } of Object.values(problems)) expect(Math.min(title.length, problemMeanings[slug].length)).toBeGreaterThan(10);
    for (const occasion of Object.values(gatewayOccasions)) expect(occasion.length).toBeGreaterThan(10);
  });
});
