import * as z from 'zod';
import type { Environment } from '../contract/functions.ts';
import { limits, skuSchema } from '../contract/order.ts';
import { createHttpHandler, invalid, Problem, readJson, type HttpHandler, type HttpRequest, type HttpResponse } from '../kit/http.ts';
import type { Connections } from '../kit/wiring.ts';
import { findStock, setStock, type StockLevel, type StockStore } from './store.ts';

const stockSchema = z.strictObject({ available: z.int().min(0) });

function skuOf(request: HttpRequest): string {
  const parsed = skuSchema.safeParse(request.params['sku']);
  if (!parsed.success) throw invalid(parsed.error.issues.map(({ message }) => ({ field: 'path:sku', message })));
  return parsed.data;
}

function stockAnswer(sku: string, { available, reserved, version }: StockLevel, outcome: string): HttpResponse {
  return { status: 200, outcome, aggregateId: sku, headers: { etag: `"${version}"` }, body: { sku, available, reserved } };
}

/** `"7"` → 7, `*` → any; anything else can match no stock level. */
function expectedVersion(header: string | undefined): number | 'any' | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return 'any';
  const version = /^\s*"(\d{1,15})"\s*$/.exec(header)?.[1];
  if (version === undefined) throw invalid([{ field: 'header:if-match', message: 'must be an ETag such as "7", or *' }]);
  return Number(version);
}

export function createHandler(environment: Environment<'stock-admin'>, connections: Connections) {
  const { telemetry, world, faults, database } = connections;
  const store: StockStore = { database, table: environment.INVENTORY_TABLE };

  const getStock: HttpHandler = async (request) => {
    const sku = skuOf(request);
    const level = await findStock(store, sku);
    if (!level) throw new Problem(404, 'sku-not-found', 'There is no stock of this SKU', { detail: 'path:sku: its stock was never set' });
    return stockAnswer(sku, level, 'found');
  };

  const putStock: HttpHandler = async (request) => {
    const sku = skuOf(request);
    const { value } = readJson(request, stockSchema, limits.bodyBytes);
    const level = await setStock(store, sku, value.available, expectedVersion(request.headers['if-match']));
    if (!level) {
      throw new Problem(412, 'stock-changed', 'The stock is not what you expect', {
        detail: 'header:if-match: the stock has changed since; read it again',
      });
    }
    return stockAnswer(sku, level, 'set');
  };

  return createHttpHandler({
    routes: { 'GET /admin/stock/{sku}': getStock, 'PUT /admin/stock/{sku}': putStock },
    telemetry,
    world,
    faults,
  });
}
