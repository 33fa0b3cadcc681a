import { describe, expect, it } from 'vitest';
import { messages } from '../../lambdas/contract/messages.ts';
import { groupIdOf, limits, orderIdOf, orderIdPattern } from '../../lambdas/contract/order.ts';
import { placementSchema } from '../../lambdas/contract/api/place-order.ts';
import { mergeLines, payable, requestHash } from '../../lambdas/place-order/placement.ts';

describe('merging lines', () => {
  it('adds up repeated SKUs at one price', () => {
    expect(
      mergeLines([
        { sku: 'a', qty: 1, price: 100 },
        { sku: 'b', qty: 1, price: 0 },
        { sku: 'a', qty: 2, price: 100 },
      ]),
    ).toEqual({
      items: [
        { sku: 'a', qty: 3, price: 100 },
        { sku: 'b', qty: 1, price: 0 },
      ],
      total: 300,
    });
  });

  it('refuses one SKU at two prices, naming the line', () => {
    expect(
      mergeLines([
        { sku: 'a', qty: 1, price: 100 },
        { sku: 'a', qty: 1, price: 99 },
      ]),
    ).toEqual({ problems: [{ field: 'items.1.price', message: 'a is in this order at two prices, 100 and 99' }] });
  });

  it('refuses totals beyond exact integers', () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(mergeLines([{ sku: 'a', qty: 1, price: most }])).toMatchObject({ total: most });
    expect(mergeLines([{ sku: 'a', qty: 2, price: most }])).toMatchObject({ problems: [{ field: 'items' }] });
  });

  it.each([
    ['of one SKU', 'a'],
    ['of several', 'b'],
  ])('refuses more pieces than an order may have, %s', (_, other) => {
    const lines = (qty: number) =>
      mergeLines([
        { sku: 'a', qty: limits.pieces - 1, price: 0 },
        { sku: other, qty, price: 0 },
      ]);
    expect(lines(1)).toMatchObject({ total: 0 });
    expect(lines(2)).toEqual({ problems: [{ field: 'items', message: 'the quantities add up to more than 1000000' }] });
  });
});

describe('the order id', () => {
  it('follows from customer and key, and tells their boundary', () => {
    expect(orderIdOf('c', 'k')).toBe(orderIdOf('c', 'k'));
    expect(orderIdOf('c', 'k')).toMatch(orderIdPattern);
    expect(orderIdOf('ab', 'c')).not.toBe(orderIdOf('a', 'bc'));
    expect(orderIdOf('c', 'k')).not.toBe(orderIdOf('c', 'l'));
  });

  it('does not show the customer in the group id', () => {
    expect(groupIdOf('alice')).toMatch(/^[0-9A-Z]{20}$/);
    expect(groupIdOf('alice')).not.toBe(groupIdOf('bob'));
  });
});

describe('the request hash', () => {
  it('does not depend on the order of keys, but on every value', () => {
    expect(requestHash({ a: 1, b: { c: [1, 2], d: null } })).toBe(requestHash({ b: { d: null, c: [1, 2] }, a: 1 }));
    expect(requestHash({ a: [1, 2] })).not.toBe(requestHash({ a: [2, 1] }));
    expect(requestHash({ a: 1 })).not.toBe(requestHash({ a: '1' }));
  });
});

describe('the body of POST /orders', () => {
  const items = [{ sku: 'coffee', qty: 1, price: 500 }];
  const problem = (body: unknown): string => {
    const parsed = placementSchema.safeParse(body);
    return parsed.success ? 'accepted' : parsed.error.issues.map(({ path, code }) => `${path.join('.')} ${code}`).join(', ');
  };

  it('takes the smallest order', () => {
    expect(placementSchema.parse({ items })).toEqual({ items });
  });

  it.each([
    [{}, 'items invalid_type'],
    [{ items: [] }, 'items too_small'],
    [{ items: Array(41).fill(items[0]) }, 'items too_big'],
    [{ items: [{ ...items[0], qty: 0 }] }, 'items.0.qty too_small'],
    [{ items: [{ ...items[0], qty: 1.5 }] }, 'items.0.qty invalid_type'],
    [{ items: [{ ...items[0], qty: 1e300 }] }, 'items.0.qty too_big'],
    [{ items: [{ ...items[0], qty: 1_000_001 }] }, 'items.0.qty too_big'],
    [{ items: [{ ...items[0], price: -1 }] }, 'items.0.price too_small'],
    [{ items: [{ ...items[0], price: '1' }] }, 'items.0.price invalid_type'],
    [{ items: [{ ...items[0], sku: '' }] }, 'items.0.sku invalid_format'],
    [{ items: [{ ...items[0], sku: '☕' }] }, 'items.0.sku invalid_format'],
    [{ items, customerId: '\u{1F600}' }, 'customerId invalid_format'],
    [{ items, shipTo: { name: 'a\uD800b' } }, 'shipTo.name invalid_format'],
    [{ items, shipTo: { name: '\uFFFE' } }, 'shipTo.name invalid_format'],
    [{ items, shipTo: { name: '\u0000' } }, 'shipTo.name invalid_format'],
    [{ items, shipTo: { name: 'Ada \u202Eecalevol' } }, 'shipTo.name invalid_format'],
    [{ items, shipTo: { city: '\u2066x\u2069' } }, 'shipTo.city invalid_format'],
    [{ items, shipTo: { line1: 'a\u2028b' } }, 'shipTo.line1 invalid_format'],
    [{ items, shipTO: {} }, ' unrecognized_keys'],
    [{ items, email: 'nobody' }, 'email invalid_format'],
    [{ items, currency: 'yen' }, 'currency invalid_format'],
    [null, ' invalid_type'],
    [[], ' invalid_type'],
  ])('refuses %j', (body, expected) => {
    expect(problem(body)).toBe(expected);
  });

  it('takes names of any script, beyond the basic plane too', () => {
    expect(problem({ items, shipTo: { name: '𠮷野家 Łukasz' } })).toBe('accepted');
    // Joiners and marks of direction belong to how some scripts are written.
    for (const name of ['می‌خواهم', 'ක්‍ෂ', 'שלום\u200F (א)', 'علي\u061C', '👩‍🚀'])
      expect({ name, is: problem({ items, shipTo: { name } }) }).toEqual({ name, is: 'accepted' });
  });

  it('says which characters a name must not have', () => {
    const { error } = placementSchema.safeParse({ items, shipTo: { name: '\u202E' } });
    expect(error?.issues[0]?.message).toBe(
      'must be 1 to 100 characters, none of them a control character, line separator, control of the direction of text, noncharacter or lone surrogate',
    );
  });

  it('still delivers to an address that was accepted before', () => {
    const data = { customerId: 'c1', placedAt: 1, items: [{ sku: 'a', qty: 9_000_000, price: 1 }], shipTo: { name: 'a\u202Eb' } };
    expect(messages.ShipmentRequested.data.safeParse(data).success).toBe(true);
  });
});

describe('what an order is paid in, and with', () => {
  const named = { items: [{ sku: 'a', qty: 1, price: 1 }], currency: 'EUR', payment: { token: 'tok_1' } };
  const { currency: _c, payment: _p, ...unnamed } = named;

  it('has a default on the sandbox', () => {
    expect(payable(unnamed, true)).toEqual({ ...unnamed, currency: 'JPY', payment: { token: 'tok_ok' } });
    expect(payable(named, true)).toEqual(named);
  });

  it('has none where a real gateway charges', () => {
    expect(payable(named, false)).toEqual(named);
    expect(payable(unnamed, false)).toMatchObject({ problems: [{ field: 'currency' }, { field: 'payment' }] });
    expect(payable({ ...named, payment: undefined }, false)).toMatchObject({ problems: [{ field: 'payment' }] });
    expect(payable({ ...named, currency: undefined }, false)).toMatchObject({ problems: [{ field: 'currency' }] });
  });
});
