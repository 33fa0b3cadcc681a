import { createHash } from 'node:crypto';
import { groupIdOf, orderIdOf, type Order, type OrderLine } from '../contract/order.ts';
import type { Placement } from '../contract/requests.ts';
import type { FieldProblem } from '../kit/http.ts';
import { canonicalJson } from '../kit/json.ts';

/**
 * Merges lines with the same SKU and price, and sums up.
 *
 * @returns the lines and their total, or what is wrong: a SKU at two prices, or a sum that is no exact integer
 */
export function mergeLines(
  lines: readonly OrderLine[],
): { readonly items: readonly OrderLine[]; readonly total: number } | { readonly problems: readonly FieldProblem[] } {
  const merged = new Map<string, OrderLine>();
  const problems: FieldProblem[] = [];
  let total = 0n;
  lines.forEach((line, index) => {
    const seen = merged.get(line.sku);
    if (seen && seen.price !== line.price) {
      problems.push({
        field: `items.${index}.price`,
        message: `${line.sku} is in this order at two prices, ${seen.price} and ${line.price}`,
      });
      return;
    }
    const qty = (seen?.qty ?? 0) + line.qty;
    if (!Number.isSafeInteger(qty)) {
      problems.push({
        field: `items.${index}.qty`,
        message: `the quantities of ${line.sku} add up to more than ${Number.MAX_SAFE_INTEGER}`,
      });
      return;
    }
    merged.set(line.sku, { sku: line.sku, qty, price: line.price });
    total += BigInt(line.qty) * BigInt(line.price);
  });
  if (total > BigInt(Number.MAX_SAFE_INTEGER)) {
    problems.push({ field: 'items', message: `the total exceeds ${Number.MAX_SAFE_INTEGER} minor units` });
  }
  return problems.length > 0 ? { problems } : { items: [...merged.values()], total: Number(total) };
}

export interface PlacementContext {
  readonly customerId: string;
  readonly idempotencyKey: string;
  readonly correlationId: string;
  readonly now: number;
}

/** The order in its first state, waiting for its stock. */
export function openOrder(
  placement: Placement,
  { items, total }: { readonly items: readonly OrderLine[]; readonly total: number },
  { customerId, idempotencyKey, correlationId, now }: PlacementContext,
): Order {
  return {
    schemaVersion: 1,
    orderId: orderIdOf(customerId, idempotencyKey),
    customerId,
    status: 'PENDING',
    step: 'RESERVING_STOCK',
    version: 1,
    currency: placement.currency,
    total,
    items,
    paymentToken: placement.payment.token,
    shipTo: placement.shipTo,
    email: placement.email,
    groupId: groupIdOf(customerId),
    correlationId,
    placedAt: now,
    updatedAt: now,
  };
}

/** Hash of a JSON value that does not depend on the order of its keys: the same request has the same hash, however it was written. */
export function requestHash(received: unknown): string {
  return createHash('sha256').update(canonicalJson(received)).digest('base64url');
}
