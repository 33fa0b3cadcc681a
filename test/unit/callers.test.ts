import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { operations, type OperationName } from '../../lambdas/contract/api.ts';
import type { Callers } from '@outbox-saga/kit/http/contract';
import type { OperationDeclaration } from '@outbox-saga/kit/http/operations';
import { functions } from '../../lambdas/contract/functions.ts';
import { createHandler as health } from '../../lambdas/health/handler.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import type { Fields } from '@outbox-saga/kit/telemetry/telemetry';
import type { Connections } from '@outbox-saga/kit/function/wiring';
import { createHandler as orderCancel } from '../../lambdas/order-saga/cancel-handler.ts';
import { createHandler as placeOrder } from '../../lambdas/place-order/handler.ts';
import { createHandler as queryOrders } from '../../lambdas/query-orders/handler.ts';
import { createHandler as stockAdmin } from '../../lambdas/stock-admin/handler.ts';
import { testTelemetry, testWorld } from '../support/builders.ts';

const creators: Readonly<Record<string, (environment: never, connections: Connections) => ReturnType<typeof health>>> = {
  'place-order': placeOrder,
  'query-orders': queryOrders,
  'order-cancel': orderCancel,
  'stock-admin': stockAdmin,
  health,
};
const proofs: readonly Callers['proof'][] = ['token', 'iam', 'none'];

type Operation = (typeof operations)[OperationName];

/** Asks a function as the gateway would after an authorizer said this of the caller. */
async function ask({ route, function: name }: Operation, proof: Callers['proof'], authorizer: unknown) {
  const world = testWorld();
  const errors: Fields[] = [];
  const telemetry = { ...testTelemetry(), error: (_: string, fields: Fields) => void errors.push(fields) };
  let calls = 0;
  const database = { send: () => Promise.reject(new Error(`AWS was called ${++calls} times`)) };
  const definition = functions[name];
  const variables = {
    STAGE: 'test',
    AUTHENTICATION: proof,
    ORDERS_TABLE: 'o',
    OUTBOX_TABLE: 'b',
    ORDER_VIEW_TABLE: 'v',
    INVENTORY_TABLE: 'i',
  };
  const connections = { name, world, telemetry, faults: injectedFaults(world, {}), database, client: database };
  const handler = creators[name]!(readEnvironment(name, definition, variables) as never, connections as unknown as Connections);
  const [method = '', path = ''] = route.split(' ');
  const event = {
    version: '2.0',
    routeKey: route,
    rawPath: path,
    headers: { 'idempotency-key': 'k' },
    pathParameters: { id: 'ord_00000000000000000000000000', sku: 'tea' },
    queryStringParameters: { customerId: 'c1' },
    requestContext: { http: { method, path }, authorizer },
    body: '{"customerId":"c1","items":[{"sku":"tea","qty":1,"price":1}],"available":1}',
    isBase64Encoded: false,
  };
  const { statusCode, body } = await handler(event as unknown as APIGatewayProxyEventV2, {} as Context);
  const { type } = JSON.parse(body ?? '{}') as { type?: string };
  const refusals = ['urn:problem:no-identity', 'urn:problem:unusable-subject'];
  return { refused: refusals.find((kind) => kind === type), statusCode, calls, errors };
}

const iam = { iam: { accessKey: 'AKIA', accountId: '1', callerId: 'x', userArn: 'arn:aws:iam::000000000000:user/operator' } };
const tokenOf = (sub: unknown): unknown => ({ jwt: { claims: { sub }, scopes: [] } });
const callers: readonly (readonly [string, unknown])[] = [
  ['nobody', undefined],
  ['IAM', iam],
  ['IAM that names nobody', { iam: { userArn: '' } }],
  ['IAM with another shape', { iam: 'arn:aws:iam::000000000000:user/operator' }],
  ['a Lambda authorizer', { lambda: { userArn: iam.iam.userArn } }],
  ['a customer’s token', tokenOf('c1')],
  ['a token without a subject', tokenOf(undefined)],
];

/** What the contract says, and not how the handlers go about it. */
function expectedRefusal({ access }: OperationDeclaration, proof: Callers['proof'], who: string): string | undefined {
  if (access === 'open' || proof === 'none') return undefined;
  if (access === 'operator' || proof === 'iam') return who === 'IAM' ? undefined : 'urn:problem:no-identity';
  return who === 'a customer’s token' ? undefined : 'urn:problem:unusable-subject';
}

describe.each(proofs)('where %s proves who asks', (proof) => {
  it.each(Object.values<Operation>(operations))('$route refuses whoever it is not for, whatever let them in', async (operation) => {
    const found = await Promise.all(callers.map(async ([who, authorizer]) => [who, await ask(operation, proof, authorizer)] as const));
    expect(Object.fromEntries(found.map(([who, { refused }]) => [who, refused]))).toEqual(
      Object.fromEntries(callers.map(([who]) => [who, expectedRefusal(operation, proof, who)])),
    );
    for (const [, { refused, statusCode, calls }] of found)
      if (refused !== undefined) expect({ statusCode, calls }).toEqual({ statusCode: 403, calls: 0 });
  });
});

describe('a request that no authorizer has seen', () => {
  it('is logged as an error: somebody took the authorizer off the route', async () => {
    const { errors } = await ask(operations.getStock, 'iam', undefined);
    expect(errors).toMatchObject([{ status: 403, outcome: 'no-identity', error: expect.any(String) }]);
  });

  it.each([[undefined], [null], [''], ['null'], [5], [['c1']], [{ c: 1 }], ['a b'], ['-'], ['x'.repeat(129)]])(
    'and a token’s subject %j is nobody',
    async (sub) => {
      expect(await ask(operations.listOrders, 'token', tokenOf(sub))).toMatchObject({ refused: 'urn:problem:unusable-subject', calls: 0 });
    },
  );
});
