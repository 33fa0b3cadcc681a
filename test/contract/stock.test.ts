import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../lambdas/contract/order.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import type { Database } from '@outbox-saga/kit/aws/clients';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { releaseStock, reserveStock, type Inventory } from '../../lambdas/inventory/stock.ts';
import { createHandler } from '../../lambdas/stock-admin/handler.ts';
import { setStock, type StockSetting } from '../../lambdas/stock-admin/store.ts';
import { aMessage, anOrder, orderKeys, testTelemetry, testWorld } from '../support/builders.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
let inventory: Inventory;
const world = testWorld();
const sku = 'a';

beforeAll(async () => {
  tables = await startTables();
  const commits = { database: tables.database, outboxTable: 'outbox', source: 'test', outboxExpirySeconds: 3600, world };
  inventory = { store: { ...commits, inventoryTable: 'inventory' }, makeMessage: messageMaker(topology, world) };
});
afterAll(() => tables.stop());
beforeEach(async () => {
  await tables.clear('inventory');
  await tables.clear('outbox');
});

const set = (setting: Partial<StockSetting>, database: Database = tables.database) =>
  setStock({ database, table: 'inventory' }, sku, { available: 10, token: world.newId(), ...setting });
const level = async () => {
  const { available, reserved } = (await tables.get('inventory', { pk: `sku#${sku}` }))!;
  return { available, reserved };
};
const reserve = (qty: number, aggregateId = anOrder().orderId) =>
  reserveStock(
    inventory,
    aMessage('OrderPlaced', { ...orderKeys, currency: 'JPY', total: 1, items: [{ sku, qty }] }, { aggregateId, sequence: 1 }),
  );

/** As the SDK when an answer is lost: the first try is applied, and the caller sees what the second is told. */
const answerLost = (between: () => Promise<unknown> = () => Promise.resolve()): Database => ({
  send: (async (command: never) => {
    await tables.database.send(command);
    await between();
    return tables.database.send(command);
  }) as never,
});

describe('setting stock', () => {
  it('that was applied is not refused for its own ETag when its answer is lost', async () => {
    await set({});
    expect(await set({ available: 20, expected: 1 }, answerLost())).toMatchObject({
      outcome: 'set before',
      level: { available: 20, reserved: 0, version: 2 },
    });
  });

  it('gives nothing back that was reserved between two tries, and tells the level as it is now', async () => {
    expect(
      await set(
        {},
        answerLost(() => reserve(3)),
      ),
    ).toMatchObject({
      outcome: 'set before',
      level: { available: 7, reserved: 3, version: 2 },
    });
  });

  it('of a SKU that must exist is refused at both tries when it does not', async () => {
    const setting = { expected: 'any', token: 't' } as const;
    expect(await set(setting)).toEqual({ outcome: 'changed' });
    expect(await set(setting)).toEqual({ outcome: 'changed' });
    expect(await tables.all('inventory')).toEqual([]);
  });

  it('is refused when the stock has changed for another reason', async () => {
    await set({});
    await reserve(1);
    expect(await set({ available: 20, expected: 1 })).toEqual({ outcome: 'changed' });
  });

  it('is done again once another setting came between: only the last one is remembered', async () => {
    await set({ token: 'first' });
    await set({ available: 5, token: 'second' });
    expect(await set({ token: 'first', expected: 1 })).toEqual({ outcome: 'changed' });
    expect(await set({ token: 'first' })).toMatchObject({ outcome: 'set', level: { available: 10 } });
  });

  it('sets a level that an older version has stored', async () => {
    await tables.put('inventory', { pk: `sku#${sku}`, available: 1, reserved: 2, version: 7 });
    expect(await set({})).toMatchObject({ outcome: 'set', level: { available: 10, reserved: 2, version: 8 } });
  });

  it('is refused when orders hold so much that a release could leave the exact numbers', async () => {
    await set({ available: limits.piecesAvailable });
    await reserve(limits.piecesAvailable);
    // As a thousand orders more.
    await tables.put('inventory', { ...(await tables.get('inventory', { pk: `sku#${sku}` })), reserved: limits.piecesHeld });
    const { orderId } = anOrder();
    expect(await set({ available: limits.piecesAvailable })).toMatchObject({ outcome: 'set' });
    await reserve(limits.piecesAvailable, orderId);
    expect(await set({ available: 1 })).toEqual({ outcome: 'too much held' });
    await releaseStock(inventory, aMessage('StockReleaseRequested', orderKeys, { aggregateId: orderId }));
    expect(await level()).toEqual({ available: limits.piecesAvailable, reserved: limits.piecesHeld });
    expect(limits.piecesHeld + 2 * limits.piecesAvailable).toBeLessThan(Number.MAX_SAFE_INTEGER);
  });
});

describe('PUT /admin/stock/{sku}', () => {
  const put = async (available: number, headers: Record<string, string> = {}) => {
    const connections = {
      name: 'stock-admin',
      telemetry: testTelemetry(),
      world,
      faults: { before: () => Promise.resolve(), after: () => undefined },
    };
    const handler = createHandler({ INVENTORY_TABLE: 'inventory', STAGE: 'dev', AUTHENTICATION: 'none' }, {
      ...connections,
      ...tables,
    } as never);
    const routeKey = 'PUT /admin/stock/{sku}';
    const event = {
      routeKey,
      rawPath: `/admin/stock/${sku}`,
      pathParameters: { sku },
      headers,
      requestContext: { http: { method: 'PUT' } },
      body: JSON.stringify({ available }),
    } as unknown as APIGatewayProxyEventV2;
    const { statusCode, body } = await handler(event, {} as Context);
    return [statusCode, JSON.parse(body!)] as const;
  };

  it('is safe to send again under its key, with and without If-Match', async () => {
    await put(10, { 'idempotency-key': 'k1' });
    await reserve(3);
    expect(await put(10, { 'idempotency-key': 'k1' })).toMatchObject([200, { available: 7, reserved: 3 }]);
    expect(await put(10, { 'idempotency-key': 'k2', 'if-match': '"2"' })).toMatchObject([200, { available: 10, reserved: 3 }]);
    expect(await put(10, { 'idempotency-key': 'k2', 'if-match': '"2"' })).toMatchObject([200, { available: 10, reserved: 3 }]);
  });

  it('sets again without a key', async () => {
    await put(10);
    await reserve(3);
    expect(await put(10)).toMatchObject([200, { available: 10, reserved: 3 }]);
  });

  it('refuses another number under the same key', async () => {
    await put(10, { 'idempotency-key': 'k' });
    expect(await put(11, { 'idempotency-key': 'k' })).toMatchObject([422, { type: 'urn:problem:idempotency-key-reused' }]);
    expect(await level()).toEqual({ available: 10, reserved: 0 });
  });

  it.each([
    ['Idempotency-Key', 'has spaces'],
    ['Idempotency-Key', ''],
    ['If-Match', 'W/"1"'],
  ])('names a wrong header: %s "%s"', async (name, value) => {
    const field = name.toLowerCase();
    expect(await put(10, { [field]: value })).toMatchObject([400, { errors: [{ field: `header:${field}` }] }]);
  });

  it('takes at most 10¹² pieces', async () => {
    expect(await put(10 ** 12)).toMatchObject([200, { available: 10 ** 12 }]);
    expect(await put(10 ** 12 + 1)).toMatchObject([400, { errors: [{ field: 'available' }] }]);
  });
});
