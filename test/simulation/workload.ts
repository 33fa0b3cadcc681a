import type { Feature, Profile } from './faults.ts';
import { Random } from '@outbox-saga/testing/simulation/random';

/** What a customer orders, and what becomes of it when nothing fails. */
export interface PlannedOrder {
  readonly name: string;
  readonly customerId: string;
  readonly placedAfterMs: number;
  readonly body: {
    readonly customerId: string;
    readonly currency: string;
    readonly items: readonly { readonly sku: string; readonly qty: number; readonly price: number }[];
    readonly payment: { readonly token: string };
    readonly shipTo: { readonly postalCode: string };
    readonly email?: string;
  };
  /**
   * The one end that it may have when nobody cancels and no deadline passes. `contended`: there is less of the SKU than is asked for, so some of
   * these orders are confirmed and the others are out of stock; who is which depends on who comes first.
   */
  readonly expected: 'CONFIRMED' | 'OUT_OF_STOCK' | 'PAYMENT_DECLINED' | 'UNDELIVERABLE' | 'contended';
  /** The API may refuse it. */
  readonly refusable?: true;
}

export interface Workload {
  readonly orders: readonly PlannedOrder[];
  /** SKU → what is free to sell at the start: one exactly enough, one less than is asked for, one plenty. */
  readonly stock: ReadonlyMap<string, number>;
  /** How many contended orders are confirmed when none of them is cancelled or times out. */
  readonly contendedUnits: number;
  readonly features: ReadonlySet<Feature>;
}

export const customers = ['ada', 'grace', 'barbara'] as const;
/** Of this SKU there is always plenty: operators set it now and then. */
export const restocked = 'restocked';
export const plenty = 100_000;
/** The gateway and the carrier answer these with 400 and 422: a request that will never be right. */
export const malformedToken = 'tok_malformed';
export const malformedPostalCode = '99999';
/** The mail service answers an address of this domain with 400. */
export const refusedDomain = 'refused.test';

/**
 * At least 20 orders of 3 customers over scarce SKUs. Of `tight` there is exactly what all orders ask for together: one reservation made
 * twice, and somebody goes without. Of `contended` there is too little.
 */
export function planWorkload(seed: number, profile: Profile, without: ReadonlySet<string> = new Set()): Workload {
  const random = new Random(seed, 3);
  const likely: readonly (readonly [Feature, number])[] = [
    ['client-error', 0.4],
    ['immense-quantity', 0.1],
    ['several-lines', profile === 'large' ? 1 : 0.3],
    ['mail', profile === 'weeks' ? 1 : 0.4],
    ['stock-change', 0.25],
    ['query', 0.15],
    ['erasure', 0.15],
  ];
  const features = new Set(likely.filter(([name, chance]) => random.chance(chance) && !without.has(name)).map(([name]) => name));
  const orders: PlannedOrder[] = [];
  const spreadMs = random.pick([2_000, 60_000, 15 * 60_000]);
  const add = (
    expected: PlannedOrder['expected'],
    items: { sku: string; qty: number; price?: number }[],
    { token = 'tok_ok', postalCode = '150-0001', ...more }: { token?: string; postalCode?: string; refusable?: true } = {},
  ): void => {
    const customerId = customers[orders.length % customers.length]!;
    const name = `order-${orders.length}`;
    const domain = random.chance(0.15) ? refusedDomain : 'mail.test';
    orders.push({
      name,
      customerId,
      placedAfterMs: random.int(0, spreadMs),
      body: {
        customerId,
        currency: 'JPY',
        items: items.map(({ sku, qty, price }) => ({ sku, qty, price: price ?? random.int(1, 50) * 100 })),
        payment: { token },
        shipTo: { postalCode },
        ...(features.has('mail') && random.chance(0.5) ? { email: `${name}@${domain}` } : {}),
      },
      expected,
      ...more,
    });
  };
  const tight = (): { sku: string; qty: number }[] => [
    { sku: 'tight', qty: random.int(1, 3) },
    ...(features.has('several-lines') && random.chance(0.5) ? [{ sku: restocked, qty: random.int(1, 9) }] : []),
    ...(features.has('several-lines') && random.chance(0.3) ? [{ sku: 'second', qty: random.int(1, 2) }] : []),
  ];
  const contended = random.int(4, 6);
  const contendedUnits = random.int(1, contended - 1);
  const times = profile === 'large' ? 8 : 1;
  for (let i = 0; i < 11 * times; i++) add('CONFIRMED', tight());
  const broken = features.has('client-error');
  add('PAYMENT_DECLINED', tight(), { token: 'tok_declined' });
  add('PAYMENT_DECLINED', tight(), { token: broken ? malformedToken : 'tok_declined' });
  add('UNDELIVERABLE', tight(), { postalCode: '00000' });
  add('UNDELIVERABLE', tight(), { postalCode: broken ? malformedPostalCode : '00000' });
  for (let i = 0; i < contended; i++) add('contended', [{ sku: 'contended', qty: 1 }]);
  add('OUT_OF_STOCK', [{ sku: 'contended', qty: contended + 10 }]);
  if (features.has('immense-quantity')) {
    const immense = (sku: string): { sku: string; qty: number; price: number } => ({ sku, qty: Number.MAX_SAFE_INTEGER, price: 0 });
    add('OUT_OF_STOCK', [immense('contended'), immense('tight')], { refusable: true });
  }
  const asked = (of: string): number =>
    orders
      .filter(({ refusable }) => !refusable)
      .flatMap(({ body }) => body.items)
      .reduce((sum, { sku, qty }) => sum + (sku === of ? qty : 0), 0);
  return {
    orders,
    stock: new Map([
      ['tight', asked('tight')],
      ['second', asked('second')],
      ['contended', contendedUnits],
      [restocked, plenty],
    ]),
    contendedUnits,
    features,
  };
}
