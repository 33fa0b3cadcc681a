import { assertNever, invariant } from '../contract/core/errors.ts';
import type { Message, MessageData, MessageType } from '../contract/messages.ts';
import type { Order, OrderFailure, OrderStatus, OrderStep } from '../contract/order.ts';

/** What the saga hears. */
export type Reply = Message<
  | 'StockReserved'
  | 'StockRejected'
  | 'StockReleased'
  | 'PaymentCaptured'
  | 'PaymentDeclined'
  | 'PaymentRefunded'
  | 'ShipmentArranged'
  | 'ShipmentRejected'
  | 'ShipmentCancelled'
>;

/** What the saga says next: one message, and the step at which it then waits. */
export type Transition = {
  [Type in MessageType]: {
    readonly type: Type;
    readonly data: MessageData<Type>;
    readonly step: OrderStep;
    readonly status: OrderStatus;
    /** Kept from the moment the order turns, through its compensation, to its end. */
    readonly failure?: OrderFailure;
  };
}[MessageType];

export type Decision =
  | { readonly kind: 'transition'; readonly transition: Transition }
  /** A late, early or repeated reply: the order is not waiting for it. */
  | { readonly kind: 'ignore'; readonly why: string };

/**
 * The saga, whole: what an order does when a reply arrives. Pure; time, ids and storage are the caller's.
 *
 *   RESERVING_STOCK ─ reserved → CAPTURING_PAYMENT ─ captured → ARRANGING_SHIPMENT ─ arranged → CONFIRMED
 *        │ rejected                   │ declined                      │ rejected
 *        ▼                            ▼                               ▼
 *      FAILED ◄── released ── RELEASING_STOCK ◄── refunded ── REFUNDING_PAYMENT
 */
export function decide(order: Order, reply: Reply): Decision {
  switch (reply.type) {
    case 'StockReserved':
      return when(order, 'RESERVING_STOCK', reply, () => requestPayment(order));
    case 'StockRejected':
      return when(order, 'RESERVING_STOCK', reply, () => fail(order, { code: 'OUT_OF_STOCK', detail: shortageText(reply.data.shortages) }));
    case 'PaymentCaptured':
      return when(order, 'CAPTURING_PAYMENT', reply, () => requestShipment(order));
    case 'PaymentDeclined':
      return when(order, 'CAPTURING_PAYMENT', reply, () => releaseStock(order, { code: 'PAYMENT_DECLINED', detail: reply.data.reason }));
    case 'ShipmentArranged':
      return when(order, 'ARRANGING_SHIPMENT', reply, () => confirm(order));
    case 'ShipmentRejected':
      return when(order, 'ARRANGING_SHIPMENT', reply, () => refund(order, { code: 'UNDELIVERABLE', detail: reply.data.reason }));
    case 'PaymentRefunded':
      return when(order, 'REFUNDING_PAYMENT', reply, () => releaseStock(order, failureOf(order)));
    case 'StockReleased':
      return when(order, 'RELEASING_STOCK', reply, () => fail(order, failureOf(order)));
    case 'ShipmentCancelled':
      return { kind: 'ignore', why: 'no step waits for ShipmentCancelled' };
    default:
      return assertNever(reply, 'reply');
  }
}

/** The order after a transition. Its version counts up by exactly one, as its message's sequence does. */
export function evolve(order: Order, { step, status, failure }: Transition, now: number): Order {
  return {
    ...order,
    step,
    status,
    version: order.version + 1,
    failure: failure ?? order.failure,
    updatedAt: now,
    settledAt: step === 'SETTLED' ? now : order.settledAt,
  };
}

function when(order: Order, step: OrderStep, reply: Reply, transition: () => Transition): Decision {
  if (order.step === step) return { kind: 'transition', transition: transition() };
  return { kind: 'ignore', why: `${reply.type} while ${order.step}` };
}

const keysOf = ({ customerId, placedAt }: Order): { customerId: string; placedAt: number } => ({ customerId, placedAt });
const amountOf = ({ total, currency }: Order): { amount: number; currency: string } => ({ amount: total, currency });

function requestPayment(order: Order): Transition {
  return {
    type: 'PaymentRequested',
    data: { ...keysOf(order), ...amountOf(order), token: order.paymentToken },
    step: 'CAPTURING_PAYMENT',
    status: 'PENDING',
  };
}

function requestShipment(order: Order): Transition {
  return {
    type: 'ShipmentRequested',
    data: { ...keysOf(order), items: order.items.map(({ sku, qty }) => ({ sku, qty })), shipTo: order.shipTo },
    step: 'ARRANGING_SHIPMENT',
    status: 'PENDING',
  };
}

function confirm(order: Order): Transition {
  return {
    type: 'OrderConfirmed',
    data: { ...keysOf(order), ...amountOf(order), email: order.email },
    step: 'SETTLED',
    status: 'CONFIRMED',
  };
}

function refund(order: Order, failure: OrderFailure): Transition {
  return {
    type: 'RefundRequested',
    data: { ...keysOf(order), ...amountOf(order) },
    step: 'REFUNDING_PAYMENT',
    status: 'PENDING',
    failure,
  };
}

function releaseStock(order: Order, failure: OrderFailure): Transition {
  return { type: 'StockReleaseRequested', data: keysOf(order), step: 'RELEASING_STOCK', status: 'PENDING', failure };
}

function fail(order: Order, failure: OrderFailure): Transition {
  return {
    type: 'OrderFailed',
    data: { ...keysOf(order), code: failure.code, detail: failure.detail, email: order.email },
    step: 'SETTLED',
    status: 'FAILED',
    failure,
  };
}

function failureOf(order: Order): OrderFailure {
  invariant(order.failure, `order ${order.orderId} compensates for a failure that it knows`);
  return order.failure;
}

function shortageText(shortages: MessageData<'StockRejected'>['shortages']): string {
  const text = shortages.map(({ sku, asked, available }) => `${sku}: asked ${asked}, available ${available}`).join('; ');
  return text.length > 500 ? `${text.slice(0, 499)}…` : text;
}
