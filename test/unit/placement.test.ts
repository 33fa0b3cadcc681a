import { describe, expect, it } from 'vitest';
import { groupIdOf, orderIdOf, orderIdPattern } from '../../lambdas/contract/order.ts';
import { placementSchema } from '../../lambdas/contract/requests.ts';
import { mergeLines, requestHash } from '../../lambdas/place-order/placement.ts';

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

  it('refuses totals and quantities beyond exact integers', () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(mergeLines([{ sku: 'a', qty: 1, price: most }])).toMatchObject({ total: most });
    expect(mergeLines([{ sku: 'a', qty: 2, price: most }])).toMatchObject({ problems: [{ field: 'items' }] });
    expect(
      mergeLines([
        { sku: 'a', qty: most, price: 0 },
        { sku: 'a', qty: 1, price: 0 },
      ]),
    ).toMatchObject({ problems: [{ field: 'items.1.qty' }] });
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

  it('takes the smallest order and fills the defaults in', () => {
    expect(placementSchema.parse({ items })).toEqual({ items, currency: 'JPY', payment: { token: 'tok_ok' } });
  });

  it.each([
    [{}, 'items invalid_type'],
    [{ items: [] }, 'items too_small'],
    [{ items: Array(41).fill(items[0]) }, 'items too_big'],
    [{ items: [{ ...items[0], qty: 0 }] }, 'items.0.qty too_small'],
    [{ items: [{ ...items[0], qty: 1.5 }] }, 'items.0.qty invalid_type'],
    [{ items: [{ ...items[0], qty: 1e300 }] }, 'items.0.qty too_big'],
    [{ items: [{ ...items[0], price: -1 }] }, 'items.0.price too_small'],
    [{ items: [{ ...items[0], price: '1' }] }, 'items.0.price invalid_type'],
    [{ items: [{ ...items[0], sku: '' }] }, 'items.0.sku invalid_format'],
    [{ items: [{ ...items[0], sku: '☕' }] }, 'items.0.sku invalid_format'],
    [{ items, customerId: '\u{1F600}' }, 'customerId invalid_format'],
    [{ items, shipTo: { name: 'a\uD800b' } }, 'shipTo.name invalid_format'],
    [{ items, shipTo: { name: '\uFFFE' } }, 'shipTo.name invalid_format'],
    [{ items, shipTo: { name: '\u0000' } }, 'shipTo.name invalid_format'],
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
  });
});
