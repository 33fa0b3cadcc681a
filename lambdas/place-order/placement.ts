import { createHash } from 'node:crypto';
import { groupIdOf, limits, orderIdOf, type Order, type OrderLine } from '../contract/order.ts';
import type { Placement } from '../contract/api/place-order.ts';
import type { FieldProblem } from '@outbox-saga/kit/http/problem';
import { canonicalJson } from '@outbox-saga/kit/http/json';

/**
 * Merges lines with the same SKU and price, and sums up.
 *
 * @returns the lines and their total, or what is wrong: a SKU at two prices, too many pieces, or a total that is no exact integer
 */
export function mergeLines(
  lines: readonly OrderLine[],
): { readonly items: readonly OrderLine[]; readonly total: number } | { readonly problems: readonly FieldProblem[] } {
  const merged = new Map<string, OrderLine>();
  const problems: FieldProblem[] = [];
  let pieces = 0;
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
    merged.set(line.sku, { sku: line.sku, qty: (seen?.qty ?? 0) + line.qty, price: line.price });
    pieces += line.qty;
    total += BigInt(line.qty) * BigInt(line.price);
  });
  if (pieces > limits.pieces) problems.push({ field: 'items', message: `the quantities add up to more than ${limits.pieces}` });
  if (total > BigInt(Number.MAX_SAFE_INTEGER)) {
    problems.push({ field: 'items', message: `the total exceeds ${Number.MAX_SAFE_INTEGER} minor units` });
  }
  return problems.length > 0 ? { problems } : { items: [...merged.values()], total: Number(total) };
}

/** An order that says what it is paid in, and with. */
export type PayablePlacement = Placement & Required<Pick<Placement, 'currency' | 'payment'>>;

/**
 * Fills in what the sandbox takes by default.
 *
 * @param sandboxed whether the sandbox gateway charges; a real one must not be asked to charge what nobody named
 * @returns the placement, or what it lacks
 */
export function payable(
  { currency, payment, ...placement }: Placement,
  sandboxed: boolean,
): PayablePlacement | { readonly problems: readonly FieldProblem[] } {
  if (sandboxed) return { ...placement, currency: currency ?? 'JPY', payment: payment ?? { token: 'tok_ok' } };
  if (currency !== undefined && payment !== undefined) return { ...placement, currency, payment };
  const missing = Object.entries({ currency, payment }).filter(([, value]) => value === undefined);
  return { problems: missing.map(([field]) => ({ field, message: 'is required here: only the sandbox has a default' })) };
}

export interface PlacementContext {
  readonly customerId: string;
  readonly idempotencyKey: string;
  readonly correlationId: string;
  readonly now: number;
}

/** The order in its first state, waiting for its stock. */
export function openOrder(
  placement: PayablePlacement,
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
