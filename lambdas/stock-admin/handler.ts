import { assertNever } from '@outbox-saga/kit/errors';
import type { Environment } from '../contract/functions.ts';
import { limits, skuSchema } from '../contract/order.ts';
import { problems } from '../contract/problems.ts';
import { callersOf, idempotencyKeySchema, ifMatchSchema, stockSchema } from '../contract/requests.ts';
import type { StockAnswer } from '../contract/answers.ts';
import {
  createHttpHandler,
  invalid,
  Problem,
  readHeader,
  readJson,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
} from '@outbox-saga/kit/http/http';
import type { Connections } from '@outbox-saga/kit/function/wiring';
import { findStock, setStock, type StockLevel, type StockStore } from './store.ts';

function skuOf(request: HttpRequest): string {
  const parsed = skuSchema.safeParse(request.params['sku']);
  if (!parsed.success) throw invalid(parsed.error.issues.map(({ message }) => ({ field: 'path:sku', message })));
  return parsed.data;
}

function stockAnswer(sku: string, { available, reserved, version }: StockLevel, outcome: string): HttpResponse {
  const body: StockAnswer = { sku, available, reserved };
  return { status: 200, outcome, aggregateId: sku, headers: { etag: `"${version}"` }, body };
}

/** `"7"` → 7, `*` → any; anything else can match no stock level. */
function expectedVersion(request: HttpRequest): number | 'any' | undefined {
  const etag = readHeader(request, 'if-match', ifMatchSchema);
  if (etag === undefined) return undefined;
  return etag === '*' ? 'any' : Number(etag.slice(1, -1));
}

export function createHandler(environment: Environment<'stock-admin'>, connections: Connections) {
  const { telemetry, world, faults, database } = connections;
  const store: StockStore = { database, table: environment.INVENTORY_TABLE };

  const getStock: HttpHandler = async (request) => {
    const sku = skuOf(request);
    const level = await findStock(store, sku);
    if (!level) throw new Problem(problems.skuNotFound, { detail: 'path:sku: its stock was never set' });
    return stockAnswer(sku, level, 'found');
  };

  const putStock: HttpHandler = async (request) => {
    const sku = skuOf(request);
    const { value } = readJson(request, stockSchema, limits.bodyBytes);
    const set = await setStock(store, sku, {
      available: value.available,
      expected: expectedVersion(request),
      // Of a caller who gives none, at least the SDK's own second try is recognised.
      token: readHeader(request, 'idempotency-key', idempotencyKeySchema) ?? world.newId(),
    });
    switch (set.outcome) {
      case 'set':
      case 'set before':
        return stockAnswer(sku, set.level, set.outcome);
      case 'changed':
        throw new Problem(problems.stockChanged, { detail: 'header:if-match: the stock has changed since; read it again' });
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
    routes: { operators: { 'GET /admin/stock/{sku}': getStock, 'PUT /admin/stock/{sku}': putStock } },
    callers: callersOf(environment),
    telemetry,
    world,
    faults,
  });
}
