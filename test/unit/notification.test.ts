import { describe, expect, it } from 'vitest';
import { failureCodes, orderSteps } from '../../lambdas/contract/order.ts';
import { amountText, notificationOf } from '../../lambdas/notification/notification.ts';
import { aMessage, orderKeys } from '../support/builders.ts';

const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

describe('an amount', () => {
  it.each([
    [1234, 'EUR', '€12.34'],
    [5, 'EUR', '€0.05'],
    [0, 'EUR', '€0.00'],
    [123_456_789, 'USD', '$1,234,567.89'],
    [500, 'JPY', '¥500'],
    [12_345, 'KWD', 'KWD 12.345'],
    [Number.MAX_SAFE_INTEGER, 'EUR', '€90,071,992,547,409.91'],
    [Number.MAX_SAFE_INTEGER, 'KWD', 'KWD 9,007,199,254,740.991'],
    // Three letters that are no currency.
    [1234, 'ZZZ', 'ZZZ 12.34'],
  ])('of %i minor units of %s is written %s', (amount, currency, text) => {
    expect(plain(amountText({ amount, currency }))).toBe(text);
  });
});

describe('what the customer is told', () => {
  const id = { aggregateId: 'ord_1' };

  it('of a confirmed order names the amount', () => {
    const { subject, text } = notificationOf(aMessage('OrderConfirmed', { ...orderKeys, amount: 1234, currency: 'EUR' }, id));
    expect(subject).toBe('Your order ord_1 is confirmed');
    expect(text).toBe('Thank you. We took €12.34, and your parcel is on its way.');
  });

  it.each(failureCodes)('of an order that failed by %s has no word that is the shop’s own', (code) => {
    const detail = `nobody answered while ${orderSteps[1]}; coffee: asked 2, available 1; do_not_honor`;
    const { subject, text } = notificationOf(aMessage('OrderFailed', { ...orderKeys, code, detail }, id));
    expect(subject).toBe('Your order ord_1 could not be completed');
    expect(text).toMatch(/^We are sorry: [a-z ]+\. You have not been charged; anything that we took is refunded\.$/);
    for (const internal of [...orderSteps, ...failureCodes, 'asked', 'minor', 'do_not_honor']) expect(text).not.toContain(internal);
  });

  it('of an order that failed says why, differently for each reason', () => {
    const texts = failureCodes.map((code) => notificationOf(aMessage('OrderFailed', { ...orderKeys, code, detail: '' }, id)).text);
    expect(new Set(texts).size).toBe(failureCodes.length);
    expect(texts[0]).toContain('out of stock');
  });
});
