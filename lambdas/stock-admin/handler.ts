import { callersOf } from '../contract/api/access.ts';
import type { Handlers } from '../contract/api/documentation.ts';
import { stockAdminOperations } from '../contract/api/stock-admin.ts';
import { assertNever } from '@outbox-saga/kit/errors';
import type { Environment } from '../contract/functions.ts';
import { limits } from '../contract/order.ts';
import { problems } from '../contract/problems.ts';
import { invalid, Problem } from '@outbox-saga/kit/http/problem';
import { createHttpHandler } from '@outbox-saga/kit/http/http';
import type { Connections } from '@outbox-saga/kit/function/wiring';
import { findStock, setStock, type StockLevel, type StockStore } from './store.ts';

const stockAnswer = (sku: string, { available, reserved, version }: StockLevel, outcome: string) => ({
  status: 200 as const,
  outcome,
  aggregateId: sku,
  headers: { etag: `"${version}"` },
  body: { sku, available, reserved },
});

/** `"7"` → 7, `*` → any. */
function expectedVersion(etag: string | undefined): number | 'any' | undefined {
  if (etag === undefined) return undefined;
  return etag === '*' ? 'any' : Number(etag.slice(1, -1));
}

export function createHandler(environment: Environment<'stock-admin'>, connections: Connections) {
  const { telemetry, world, faults, database } = connections;
  const store: StockStore = { database, table: environment.INVENTORY_TABLE };

  const getStock: Handlers<typeof stockAdminOperations>['getStock'] = async ({ path: { sku } }) => {
    const level = await findStock(store, sku);
    if (!level) throw new Problem(problems.skuNotFound);
    return stockAnswer(sku, level, 'found');
  };

  const putStock: Handlers<typeof stockAdminOperations>['putStock'] = async ({ path: { sku }, body, headers }) => {
    const set = await setStock(store, sku, {
      available: body.available,
      expected: expectedVersion(headers['if-match']),
      // Of a caller who gives none, at least the SDK's own second try is recognised.
      token: headers['idempotency-key'] ?? world.newId(),
    });
    switch (set.outcome) {
      case 'set':
      case 'set before':
        return stockAnswer(sku, set.level, set.outcome);
      case 'changed':
        throw new Problem(problems.stockChanged);
      case 'key-reused':
        throw new Problem(problems.keyReused, {
          fields: [{ field: 'header:idempotency-key', message: 'belongs to a request that set another number' }],
        });
      case 'too much held':
        throw invalid([{ field: 'path:sku', message: `orders hold more than ${limits.piecesHeld} pieces of it` }]);
      default:
        return assertNever(set, 'outcome of setting stock');
    }
  };

  return createHttpHandler({
    operations: stockAdminOperations,
    handlers: { getStock, putStock },
    callers: callersOf(environment),
    telemetry,
    world,
    faults,
  });
}
