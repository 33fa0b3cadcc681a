import { describe, expect, it } from 'vitest';
import type { MessageType } from '../../lambdas/contract/messages.ts';
import { orderSteps, type Order } from '../../lambdas/contract/order.ts';
import { decide, dueAt, evolve, type Cancel } from '../../lambdas/order-saga/saga.ts';
import type { Reply } from '../../lambdas/order-saga/steps.ts';
import { aMessage, anOrder } from '../support/builders.ts';

const money = { amount: 1000, currency: 'JPY' };
const reserved = aMessage('StockReserved', {});
const rejected = aMessage('StockRejected', { shortages: [{ sku: 'coffee', asked: 2, available: 1 }] });
const released = aMessage('StockReleased', {});
const captured = aMessage('PaymentCaptured', { ...money, reference: 'r1' });
const declined = aMessage('PaymentDeclined', { reason: 'card declined' });
const refunded = aMessage('PaymentRefunded', money);
const arranged = aMessage('ShipmentArranged', { trackingId: 't1' });
const undeliverable = aMessage('ShipmentRejected', { reason: 'no such place' });
const calledOff = aMessage('ShipmentCancelled', {});
const allReplies: Reply[] = [reserved, rejected, released, captured, declined, refunded, arranged, undeliverable, calledOff];

/** Given an order, when replies arrive one after the other, then these messages were said and this is the order. */
function play(given: Order, ...when: (Reply | Cancel)[]): { said: MessageType[]; order: Order } {
  let order = given;
  const said: MessageType[] = [];
  for (const reply of when) {
    const decision = decide(order, reply);
    if (decision.kind === 'ignore') continue;
    order = evolve(order, decision.transition, order.updatedAt + 1);
    said.push(decision.transition.type);
  }
  return { said, order };
}

describe('the saga', () => {
  it('confirms an order whose steps all succeed', () => {
    const { said, order } = play(anOrder(), reserved, captured, arranged);
    expect(said).toEqual(['PaymentRequested', 'ShipmentRequested', 'OrderConfirmed']);
    expect(order).toMatchObject({ status: 'CONFIRMED', step: 'SETTLED', version: 4, settledAt: order.updatedAt });
  });

  it('fails at once when stock is short, naming SKU, asked and available', () => {
    const { said, order } = play(anOrder(), rejected);
    expect(said).toEqual(['OrderFailed']);
    expect(order).toMatchObject({ status: 'FAILED', failure: { code: 'OUT_OF_STOCK', detail: 'coffee: asked 2, available 1' } });
  });

  it('releases stock when payment is declined, then fails', () => {
    const { said, order } = play(anOrder(), reserved, declined, released);
    expect(said).toEqual(['PaymentRequested', 'StockReleaseRequested', 'OrderFailed']);
    expect(order).toMatchObject({ status: 'FAILED', failure: { code: 'PAYMENT_DECLINED', detail: 'card declined' } });
  });

  it('refunds, then releases stock when the order cannot be delivered, then fails', () => {
    const { said, order } = play(anOrder(), reserved, captured, undeliverable, refunded, released);
    expect(said).toEqual(['PaymentRequested', 'ShipmentRequested', 'RefundRequested', 'StockReleaseRequested', 'OrderFailed']);
    expect(order).toMatchObject({ status: 'FAILED', failure: { code: 'UNDELIVERABLE', detail: 'no such place' } });
  });

  it('stays PENDING until the last step is answered, and keeps why it turned', () => {
    const { order } = play(anOrder(), reserved, captured, undeliverable, refunded);
    expect(order).toMatchObject({ status: 'PENDING', step: 'RELEASING_STOCK', failure: { code: 'UNDELIVERABLE' } });
    expect(order.settledAt).toBeUndefined();
  });

  it('ignores every reply that its step does not wait for', () => {
    const awaited: Record<string, string[]> = {
      RESERVING_STOCK: ['StockReserved', 'StockRejected'],
      CAPTURING_PAYMENT: ['PaymentCaptured', 'PaymentDeclined'],
      ARRANGING_SHIPMENT: ['ShipmentArranged', 'ShipmentRejected'],
      CALLING_OFF_SHIPMENT: ['ShipmentCancelled'],
      REFUNDING_PAYMENT: ['PaymentRefunded'],
      RELEASING_STOCK: ['StockReleased'],
      SETTLED: [],
    };
    const failure = { code: 'UNDELIVERABLE', detail: '' } as const;
    for (const step of orderSteps) {
      const moved = allReplies.filter((reply) => decide(anOrder({ step, failure }), reply).kind === 'transition');
      expect({ step, moved: moved.map(({ type }) => type) }).toEqual({ step, moved: awaited[step] });
    }
  });

  it('counts one version for each message, whatever arrives in whatever order', () => {
    for (let seed = 0; seed < 200; seed++) {
      const replies = Array.from({ length: 12 }, (_, i) => allReplies[(seed * 7 + i * i * 5 + i * seed) % allReplies.length]!);
      const { said, order } = play(anOrder(), ...replies);
      expect(order.version).toBe(1 + said.length);
      expect(order.step === 'SETTLED').toBe(order.status !== 'PENDING');
    }
  });

  it('asks for the whole amount with the order’s own token, and ships where the order says', () => {
    const order = anOrder({ paymentToken: 'tok_x', shipTo: { postalCode: '1000001' } });
    expect(decide(order, reserved)).toMatchObject({ transition: { data: { amount: 1000, currency: 'JPY', token: 'tok_x' } } });
    expect(decide({ ...order, step: 'CAPTURING_PAYMENT' }, captured)).toMatchObject({
      transition: { data: { shipTo: { postalCode: '1000001' }, items: [{ sku: 'coffee', qty: 2 }] } },
    });
  });

  describe('cancelled', () => {
    const cancel: Cancel = { type: 'Cancel' };
    it.each<[string, (Reply | Cancel)[], MessageType[]]>([
      ['while stock is reserved', [cancel, released], ['StockReleaseRequested', 'OrderCancelled']],
      [
        'while payment is taken',
        [reserved, cancel, refunded, released],
        ['PaymentRequested', 'RefundRequested', 'StockReleaseRequested', 'OrderCancelled'],
      ],
      [
        'while the shipment is arranged',
        [reserved, captured, cancel, calledOff, refunded, released],
        ['PaymentRequested', 'ShipmentRequested', 'ShipmentCancelRequested', 'RefundRequested', 'StockReleaseRequested', 'OrderCancelled'],
      ],
    ])('%s, undoes every step that was requested and ends CANCELLED', (_, inputs, expected) => {
      const { said, order } = play(anOrder(), ...inputs);
      expect(said).toEqual(expected);
      expect(order).toMatchObject({ status: 'CANCELLED', step: 'SETTLED', cancelled: true });
      expect(order.failure).toBeUndefined();
    });

    it('lets the replies that are still on their way pass without effect', () => {
      const { said, order } = play(anOrder(), cancel, reserved, captured, rejected, released, arranged);
      expect(said).toEqual(['StockReleaseRequested', 'OrderCancelled']);
      expect(order.status).toBe('CANCELLED');
    });

    it('a second time, or while it fails, changes nothing; nor does it once it is settled', () => {
      expect(play(anOrder(), cancel, cancel, released, cancel).said).toEqual(['StockReleaseRequested', 'OrderCancelled']);
      const failing = play(anOrder(), reserved, declined, cancel, released);
      expect(failing.order).toMatchObject({ status: 'FAILED', failure: { code: 'PAYMENT_DECLINED' } });
      expect(play(anOrder(), reserved, captured, arranged, cancel).order.status).toBe('CONFIRMED');
    });
  });

  describe('as time passes', () => {
    const policy = { baseSeconds: 60, factor: 2, capSeconds: 600, maxReminders: 3 };
    /** Lets every deadline pass, one after the other. */
    function wait(given: Order, deadlines: number): { said: MessageType[]; order: Order; waits: number[] } {
      let order = given;
      const said: MessageType[] = [];
      const waits: number[] = [];
      for (let i = 0; i < deadlines; i++) {
        const now = dueAt(order, policy);
        waits.push((now - order.updatedAt) / 1000);
        expect(decide(order, { type: 'Tick', now: now - 1, policy, askedAt: 0 })).toMatchObject({ kind: 'ignore' });
        const decision = decide(order, { type: 'Tick', now, policy, askedAt: 0 });
        if (decision.kind === 'ignore') break;
        order = evolve(order, decision.transition, now);
        said.push(decision.transition.type);
      }
      return { said, order, waits };
    }

    it('asks a step again with growing patience, then gives it up and undoes everything that was requested', () => {
      const { said, order, waits } = wait(anOrder(), 4);
      expect(said).toEqual(['OrderPlaced', 'OrderPlaced', 'OrderPlaced', 'StockReleaseRequested']);
      expect(waits).toEqual([60, 120, 240, 480]);
      expect(order).toMatchObject({
        step: 'RELEASING_STOCK',
        version: 5,
        failure: { code: 'TIMED_OUT', detail: 'nobody answered while RESERVING_STOCK' },
      });
      expect(play(order, released).order).toMatchObject({ status: 'FAILED', failure: { code: 'TIMED_OUT' } });
    });

    it.each<[Order['step'], MessageType, MessageType]>([
      ['CAPTURING_PAYMENT', 'PaymentRequested', 'RefundRequested'],
      ['ARRANGING_SHIPMENT', 'ShipmentRequested', 'ShipmentCancelRequested'],
    ])('%s: asks %s again, then %s', (step, question, undo) => {
      expect(wait(anOrder({ step }), 4).said).toEqual([question, question, question, undo]);
    });

    it.each<[Order['step'], MessageType]>([
      ['CALLING_OFF_SHIPMENT', 'ShipmentCancelRequested'],
      ['REFUNDING_PAYMENT', 'RefundRequested'],
      ['RELEASING_STOCK', 'StockReleaseRequested'],
    ])('never gives up %s: it goes on asking with the longest wait', (step, question) => {
      const { said, order, waits } = wait(anOrder({ step, failure: { code: 'UNDELIVERABLE', detail: 'x' } }), 12);
      expect(said).toEqual(Array.from({ length: 12 }, () => question));
      expect(waits.at(-1)).toBe(600);
      expect(order).toMatchObject({ step, status: 'PENDING', nudges: 12 });
    });

    it('counts the wait from when the question was sent, not from when it was decided', () => {
      const order = anOrder();
      const askedAt = order.updatedAt + 3_600_000;
      expect(decide(order, { type: 'Tick', now: askedAt + 59_999, policy, askedAt })).toMatchObject({ kind: 'ignore' });
      expect(decide(order, { type: 'Tick', now: askedAt + 60_000, policy, askedAt })).toMatchObject({ kind: 'transition' });
    });

    it('starts over with each step, and leaves settled orders alone', () => {
      const { order } = wait(anOrder(), 2);
      expect(order.nudges).toBe(2);
      expect(play(order, reserved).order).toMatchObject({ step: 'CAPTURING_PAYMENT', nudges: 0 });
      expect(decide(anOrder({ step: 'SETTLED' }), { type: 'Tick', now: Number.MAX_SAFE_INTEGER, policy, askedAt: 0 })).toMatchObject({
        kind: 'ignore',
      });
    });
  });

  it('refuses to compensate without knowing why', () => {
    expect(() => decide(anOrder({ step: 'RELEASING_STOCK' }), released)).toThrow(/compensates for a failure/);
  });
});

describe('an order in a step that this code does not know', () => {
  const order = anOrder({ step: 'WRAPPING_GIFT' as never });
  const policy = { baseSeconds: 1, factor: 1, capSeconds: 1, maxReminders: 1 };
  it.each([
    ['a reply', captured],
    ['a cancellation', { type: 'Cancel' as const }],
    ['its deadline', { type: 'Tick' as const, now: order.updatedAt + 60_000, policy, askedAt: order.updatedAt }],
  ])('lets %s wait for the code that knows it', (_what, input) => {
    expect(() => decide(order, input)).toThrow(
      expect.objectContaining({ reason: 'newer', message: 'the order is in step WRAPPING_GIFT, which this code does not know' }),
    );
  });
});
