import { assertNever, invariant, PermanentError } from '../contract/core/errors.ts';
import { ladderSeconds, type NudgePolicy } from '../contract/core/retry-policy.ts';
import { orderPlaced, type Message, type MessageData, type MessageType } from '../contract/messages.ts';
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

/** The customer calls the order off. */
export interface Cancel {
  readonly type: 'Cancel';
}

/** Time has passed. Whether a deadline has, the saga decides. */
export interface Tick {
  readonly type: 'Tick';
  readonly now: number;
  readonly policy: NudgePolicy;
  /** When the order's newest message was sent: nobody can answer before. */
  readonly askedAt: number;
}

/** What the saga says next: one message, and the step at which it then waits. */
export type Transition = {
  [Type in MessageType]: {
    readonly type: Type;
    readonly data: MessageData<Type>;
    readonly step: OrderStep;
    readonly status: OrderStatus;
    /** Kept from the moment the order turns, through its compensation, to its end. */
    readonly failure?: OrderFailure;
    readonly cancelled?: true;
    readonly trackingId?: string;
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
 *      FAILED ◄── released ── RELEASING_STOCK ◄── refunded ── REFUNDING_PAYMENT ◄── called off ── CALLING_OFF_SHIPMENT
 *
 * A step that nobody answers is asked again (a new version, a new message), and given up after some nudges; an undo is never
 * given up. Cancelling turns an order round at any step of the upper row. It undoes every step that was ever requested, whether or
 * not it is known to have happened: the participants hold a tombstone against what is still on its way.
 */
export function decide(order: Order, reply: Reply | Cancel | Tick): Decision {
  switch (reply.type) {
    case 'Cancel':
      return cancel(order);
    case 'Tick':
      return tick(order, reply);
    case 'StockReserved':
      return when(order, 'RESERVING_STOCK', reply, () => requestPayment(order));
    case 'StockRejected':
      return when(order, 'RESERVING_STOCK', reply, () => fail(order, { code: 'OUT_OF_STOCK', detail: shortageText(reply.data.shortages) }));
    case 'PaymentCaptured':
      return when(order, 'CAPTURING_PAYMENT', reply, () => requestShipment(order));
    case 'PaymentDeclined':
      return when(order, 'CAPTURING_PAYMENT', reply, () => releaseStock(order, { code: 'PAYMENT_DECLINED', detail: reply.data.reason }));
    case 'ShipmentArranged':
      return when(order, 'ARRANGING_SHIPMENT', reply, () => ({ ...confirmed(order), trackingId: reply.data.trackingId }));
    case 'ShipmentRejected':
      return when(order, 'ARRANGING_SHIPMENT', reply, () => refund(order, { code: 'UNDELIVERABLE', detail: reply.data.reason }));
    case 'PaymentRefunded':
      return when(order, 'REFUNDING_PAYMENT', reply, () => releaseStock(order));
    case 'StockReleased':
      return when(order, 'RELEASING_STOCK', reply, () => (order.cancelled ? cancelled(order) : fail(order, failureOf(order))));
    case 'ShipmentCancelled':
      return when(order, 'CALLING_OFF_SHIPMENT', reply, () => refund(order));
    default:
      return assertNever(reply, 'reply');
  }
}

/** The order after a transition. Its version counts up by exactly one, as its message's sequence does. */
export function evolve(order: Order, { step, status, failure, cancelled: calledOff, trackingId }: Transition, now: number): Order {
  return {
    ...order,
    step,
    status,
    version: order.version + 1,
    failure: failure ?? order.failure,
    cancelled: calledOff ?? order.cancelled,
    trackingId: trackingId ?? order.trackingId,
    nudges: step === order.step ? (order.nudges ?? 0) + 1 : 0,
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

function confirmed(order: Order): Transition {
  return {
    type: 'OrderConfirmed',
    data: { ...keysOf(order), ...amountOf(order), email: order.email },
    step: 'SETTLED',
    status: 'CONFIRMED',
  };
}

function refund(order: Order, failure?: OrderFailure): Transition {
  return {
    type: 'RefundRequested',
    data: { ...keysOf(order), ...amountOf(order) },
    step: 'REFUNDING_PAYMENT',
    status: 'PENDING',
    ...(failure ? { failure } : {}),
  };
}

function releaseStock(order: Order, failure?: OrderFailure): Transition {
  return {
    type: 'StockReleaseRequested',
    data: keysOf(order),
    step: 'RELEASING_STOCK',
    status: 'PENDING',
    ...(failure ? { failure } : {}),
  };
}

function callOffShipment(order: Order, failure?: OrderFailure): Transition {
  return {
    type: 'ShipmentCancelRequested',
    data: keysOf(order),
    step: 'CALLING_OFF_SHIPMENT',
    status: 'PENDING',
    ...(failure ? { failure } : {}),
  };
}

/** The steps that lead to a confirmed order; all others undo or wait for nothing. */
const forwardSteps = ['RESERVING_STOCK', 'CAPTURING_PAYMENT', 'ARRANGING_SHIPMENT'] as const satisfies OrderStep[];
type ForwardStep = (typeof forwardSteps)[number];
const isForward = (step: OrderStep): step is ForwardStep => (forwardSteps as readonly OrderStep[]).includes(step);

/** The first undo for an order that turns round at a step: of that step itself, which may have happened, then of those before it. */
function undo(order: Order, step: ForwardStep, failure?: OrderFailure): Transition {
  switch (step) {
    case 'RESERVING_STOCK':
      return releaseStock(order, failure);
    case 'CAPTURING_PAYMENT':
      return refund(order, failure);
    case 'ARRANGING_SHIPMENT':
      return callOffShipment(order, failure);
    default:
      return assertNever(step, 'step');
  }
}

/** When a step that nobody answers is due again, in milliseconds since 1970. @param askedAt when it was asked last */
export function dueAt(order: Order, policy: NudgePolicy, askedAt = order.updatedAt): number {
  return askedAt + ladderSeconds(policy, (order.nudges ?? 0) + 1) * 1000;
}

function tick(order: Order, { now, policy, askedAt }: Tick): Decision {
  if (order.step === 'SETTLED') return { kind: 'ignore', why: 'the order is settled' };
  if (now < dueAt(order, policy, Math.max(askedAt, order.updatedAt))) return { kind: 'ignore', why: 'no deadline has passed' };
  const { step } = order;
  if (isForward(step) && (order.nudges ?? 0) >= policy.maxNudges) {
    return { kind: 'transition', transition: undo(order, step, { code: 'TIMED_OUT', detail: `nobody answered while ${step}` }) };
  }
  return { kind: 'transition', transition: askAgain(order, step) };
}

/** The question of a step once more, in the same step. */
function askAgain(order: Order, step: Exclude<OrderStep, 'SETTLED'>): Transition {
  switch (step) {
    case 'RESERVING_STOCK':
      return { type: 'OrderPlaced', data: orderPlaced(order), step, status: 'PENDING' };
    case 'CAPTURING_PAYMENT':
      return requestPayment(order);
    case 'ARRANGING_SHIPMENT':
      return requestShipment(order);
    case 'CALLING_OFF_SHIPMENT':
      return callOffShipment(order);
    case 'REFUNDING_PAYMENT':
      return refund(order);
    case 'RELEASING_STOCK':
      return releaseStock(order);
    default:
      return assertNever(step, 'step');
  }
}

function cancelled(order: Order): Transition {
  return { type: 'OrderCancelled', data: { ...keysOf(order), email: order.email }, step: 'SETTLED', status: 'CANCELLED' };
}

function cancel(order: Order): Decision {
  if (order.step === 'SETTLED') return { kind: 'ignore', why: 'the order is settled' };
  if (!isForward(order.step)) return { kind: 'ignore', why: 'the order is being undone already' };
  return { kind: 'transition', transition: { ...undo(order, order.step), cancelled: true } };
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

/** What a settled order said last, made from it again. */
export function outcomeOf(order: Order): Pick<Transition, 'type' | 'data'> {
  switch (order.status) {
    case 'CONFIRMED':
      return confirmed(order);
    case 'FAILED':
      return fail(order, failureOf(order));
    case 'CANCELLED':
      return cancelled(order);
    case 'PENDING':
      throw new PermanentError(`invariant broken: order ${order.orderId} is settled, but PENDING`);
    default:
      return assertNever(order.status, 'status');
  }
}

function failureOf(order: Order): OrderFailure {
  invariant(order.failure, `order ${order.orderId} compensates for a failure that it knows`);
  return order.failure;
}

function shortageText(shortages: MessageData<'StockRejected'>['shortages']): string {
  const text = shortages.map(({ sku, asked, available }) => `${sku}: asked ${asked}, available ${available}`).join('; ');
  return text.length > 500 ? `${text.slice(0, 499)}…` : text;
}
