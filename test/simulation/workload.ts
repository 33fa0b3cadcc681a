import { Random } from './random.ts';

/** What a customer orders, and what becomes of it when nothing fails. */
export interface PlannedOrder {
  readonly name: string;
  readonly customerId: string;
  readonly placedAfterMs: number;
  readonly body: {
    readonly customerId: string;
    readonly items: readonly { readonly sku: string; readonly qty: number; readonly price: number }[];
    readonly payment: { readonly token: string };
    readonly shipTo: { readonly postalCode: string };
  };
  /**
   * The one end that it may have when nobody cancels and no deadline passes. `contended`: there is less of the SKU than is asked for, so some of
   * these orders are confirmed and the others are out of stock; who is which depends on who comes first.
   */
  readonly expected: 'CONFIRMED' | 'OUT_OF_STOCK' | 'PAYMENT_DECLINED' | 'UNDELIVERABLE' | 'contended';
}

export interface Workload {
  readonly orders: readonly PlannedOrder[];
  /** SKU → what is free to sell at the start. Both are scarce: one exactly enough, the other less than is asked for. */
  readonly stock: ReadonlyMap<string, number>;
  /** How many contended orders are confirmed when none of them is cancelled or times out. */
  readonly contendedUnits: number;
}

const customers = ['ada', 'grace', 'barbara'] as const;

/**
 * At least 20 orders of 3 customers over 2 scarce SKUs. Of `tight` there is exactly what all orders ask for together: one
 * reservation made twice, and somebody goes without. Of `contended` there is too little.
 */
export function planWorkload(seed: number): Workload {
  const random = new Random(seed, 3);
  const orders: PlannedOrder[] = [];
  const spreadMs = random.pick([2_000, 60_000, 15 * 60_000]);
  const add = (
    expected: PlannedOrder['expected'],
    items: { sku: string; qty: number }[],
    token = 'tok_ok',
    postalCode = '150-0001',
  ): void => {
    const customerId = customers[orders.length % customers.length]!;
    orders.push({
      name: `order-${orders.length}`,
      customerId,
      placedAfterMs: random.int(0, spreadMs),
      body: {
        customerId,
        items: items.map(({ sku, qty }) => ({ sku, qty, price: random.int(1, 50) * 100 })),
        payment: { token },
        shipTo: { postalCode },
      },
      expected,
    });
  };
  const tight = (): { sku: string; qty: number } => ({ sku: 'tight', qty: random.int(1, 3) });
  const contended = random.int(4, 6);
  const contendedUnits = random.int(1, contended - 1);
  for (let i = 0; i < 11; i++) add('CONFIRMED', [tight()]);
  for (let i = 0; i < 2; i++) add('PAYMENT_DECLINED', [tight()], 'tok_declined');
  for (let i = 0; i < 2; i++) add('UNDELIVERABLE', [tight()], 'tok_ok', '00000');
  for (let i = 0; i < contended; i++) add('contended', [{ sku: 'contended', qty: 1 }]);
  add('OUT_OF_STOCK', [{ sku: 'contended', qty: contended + 10 }]);
  const asked = orders.flatMap(({ body }) => body.items).reduce((sum, { sku, qty }) => sum + (sku === 'tight' ? qty : 0), 0);
  return {
    orders,
    stock: new Map([
      ['tight', asked],
      ['contended', contendedUnits],
    ]),
    contendedUnits,
  };
}
