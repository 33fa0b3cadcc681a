import { describe, expect, it } from 'vitest';
import { outcomeIdOf, type Order } from '../../lambdas/contract/order.ts';
import { envelopeSchema } from '@outbox-saga/kit/messages/envelope';
import { decide, evolve, outcomeOf, type Cancel } from '../../lambdas/order-saga/saga.ts';
import type { Reply } from '../../lambdas/order-saga/steps.ts';
import { aMessage, anOrder } from '../support/builders.ts';

const reserved = aMessage('StockReserved', {});
const short = aMessage('StockRejected', { shortages: [{ sku: 'coffee', asked: 2, available: 1 }] });
const released = aMessage('StockReleased', {});
const captured = aMessage('PaymentCaptured', { amount: 1000, currency: 'JPY', reference: 'r1' });
const declined = aMessage('PaymentDeclined', { reason: 'card declined' });
const arranged = aMessage('ShipmentArranged', { trackingId: 't1' });
const cancel: Cancel = { type: 'Cancel' };

describe('the outcome of an order, told again', () => {
  it.each<[string, (Reply | Cancel)[]]>([
    ['confirmed', [reserved, captured, arranged]],
    ['short of stock', [short]],
    ['declined', [reserved, declined, released]],
    ['cancelled', [cancel, released]],
  ])('is what it said when it was %s', (_, inputs) => {
    let order: Order = anOrder({ email: 'ada@example.com' });
    let said: unknown;
    for (const input of inputs) {
      const decision = decide(order, input);
      if (decision.kind === 'ignore') throw new Error(decision.why);
      said = { type: decision.transition.type, data: decision.transition.data };
      order = evolve(order, decision.transition, order.updatedAt + 1);
    }
    const { type, data } = outcomeOf(order);
    expect({ type, data }).toEqual(said);
  });

  it('has an id of its own, the same for everybody who tells it', () => {
    const order = anOrder({ version: 4 });
    expect(envelopeSchema.shape.messageId.safeParse(outcomeIdOf(order)).success).toBe(true);
    expect(outcomeIdOf({ ...order })).toBe(outcomeIdOf(order));
    expect(new Set([order, { ...order, version: 5 }, anOrder({ version: 4 })].map(outcomeIdOf)).size).toBe(3);
  });

  it('is none of an order that is not settled', () => {
    expect(() => outcomeOf(anOrder())).toThrow(/settled, but PENDING/);
  });
});
