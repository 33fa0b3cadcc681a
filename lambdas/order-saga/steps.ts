import { invariant } from '@outbox-saga/kit/errors';
import { orderPlaced, type MessageData, type NewMessage } from '../contract/messages.ts';
import type { Order, OrderFailure, OrderStep } from '../contract/order.ts';
import type { MessagesTo, topology } from '../contract/routes.ts';

/** What answers a question of the saga: every message that the routes send to it. */
export type Reply = MessagesTo<'order-saga'>;

/** A step in which an order waits for an answer. */
export type OpenStep = Exclude<OrderStep, 'SETTLED'>;

/** How an order ends. `COMPENSATED`: everything is undone; it has failed, or it is cancelled if its customer asked for that. */
export type Ending = 'CONFIRMED' | 'FAILED' | 'COMPENSATED';

/** What a reply does to an order that waits for it. */
interface Turn<Type extends Reply['type']> {
  /** The step that it enters, or how it ends. */
  readonly to: OpenStep | Ending;
  /** Why the order fails, where the reply says so. It is kept through the compensation. */
  readonly failure?: (data: MessageData<Type>) => OrderFailure;
  /** What the order keeps of the reply. */
  readonly keeps?: (data: MessageData<Type>) => Pick<Order, 'trackingId'>;
}

interface Waiting {
  /** What is asked on entering the step, and again when nobody answers. */
  readonly request: (order: Order) => NewMessage;
  /** Message → what it does. Any other reply comes late or early, and is ignored. */
  readonly replies: { readonly [Type in Reply['type']]?: Turn<Type> };
}

/** Leads to a confirmed order. It is given up when nobody answers, and can be cancelled. */
export interface ForwardStep extends Waiting {
  readonly direction: 'forward';
  /** Where an order turns round: undoes this step, which may have happened, and then those before it. */
  readonly compensation: OpenStep;
}

/** Undoes something. It is never given up, and cannot be cancelled. */
interface CompensatingStep extends Waiting {
  readonly direction: 'compensating';
}

export type Step = ForwardStep | CompensatingStep;

const keysOf = ({ customerId, placedAt }: Order): { customerId: string; placedAt: number } => ({ customerId, placedAt });
const amountOf = ({ total, currency }: Order): { amount: number; currency: string } => ({ amount: total, currency });
const piecesOf = ({ items }: Order): { sku: string; qty: number }[] => items.map(({ sku, qty }) => ({ sku, qty }));

const table = {
  RESERVING_STOCK: {
    direction: 'forward',
    compensation: 'RELEASING_STOCK',
    request: (order) => ({ type: 'OrderPlaced', data: orderPlaced(order) }),
    replies: {
      StockReserved: { to: 'CAPTURING_PAYMENT' },
      StockRejected: { to: 'FAILED', failure: ({ shortages }) => ({ code: 'OUT_OF_STOCK', detail: shortageText(shortages) }) },
    },
  },
  CAPTURING_PAYMENT: {
    direction: 'forward',
    compensation: 'REFUNDING_PAYMENT',
    request: (order) => ({ type: 'PaymentRequested', data: { ...keysOf(order), ...amountOf(order), token: order.paymentToken } }),
    replies: {
      PaymentCaptured: { to: 'ARRANGING_SHIPMENT' },
      PaymentDeclined: { to: 'RELEASING_STOCK', failure: ({ reason }) => ({ code: 'PAYMENT_DECLINED', detail: reason }) },
    },
  },
  ARRANGING_SHIPMENT: {
    direction: 'forward',
    compensation: 'CALLING_OFF_SHIPMENT',
    request: (order) => ({ type: 'ShipmentRequested', data: { ...keysOf(order), items: piecesOf(order), shipTo: order.shipTo } }),
    replies: {
      ShipmentArranged: { to: 'CONFIRMED', keeps: ({ trackingId }) => ({ trackingId }) },
      ShipmentRejected: { to: 'REFUNDING_PAYMENT', failure: ({ reason }) => ({ code: 'UNDELIVERABLE', detail: reason }) },
    },
  },
  CALLING_OFF_SHIPMENT: {
    direction: 'compensating',
    request: (order) => ({ type: 'ShipmentCancelRequested', data: keysOf(order) }),
    replies: { ShipmentCancelled: { to: 'REFUNDING_PAYMENT' } },
  },
  REFUNDING_PAYMENT: {
    direction: 'compensating',
    request: (order) => ({ type: 'RefundRequested', data: { ...keysOf(order), ...amountOf(order) } }),
    replies: { PaymentRefunded: { to: 'RELEASING_STOCK' } },
  },
  RELEASING_STOCK: {
    direction: 'compensating',
    request: (order) => ({ type: 'StockReleaseRequested', data: keysOf(order) }),
    replies: { StockReleased: { to: 'COMPENSATED' } },
  },
} as const satisfies Readonly<Record<OpenStep, Step>>;

type Table = typeof table;
type Unawaited = Exclude<Reply['type'], { [Name in OpenStep]: keyof Table[Name]['replies'] }[OpenStep]>;
type NamesOf<Direction extends Step['direction']> = {
  [Name in OpenStep]: Table[Name]['direction'] extends Direction ? Name : never;
}[OpenStep];
type Compensation<Name extends OpenStep> = Table[Name] extends { readonly compensation: infer By } ? By : never;
type Uncompensating = Exclude<Compensation<NamesOf<'forward'>>, NamesOf<'compensating'>>;
type Request<Name extends OpenStep> = ReturnType<Table[Name]['request']>['type'];
type Unasked = {
  [Name in OpenStep]: [Exclude<(typeof topology)['routes'][Request<Name>]['consumers'][number], 'order-view'>] extends [never]
    ? Request<Name>
    : never;
}[OpenStep];
type Unseen = Exclude<Request<OpenStep>, MessagesTo<'order-view'>['type']>;
/** The replies by which a forward step turns round, or fails, and that do not say why. */
type Unexplained = {
  [Name in NamesOf<'forward'>]: {
    [Type in keyof Table[Name]['replies']]: Table[Name]['replies'][Type] extends
      | { readonly to: NamesOf<'forward'> | 'CONFIRMED' }
      | { readonly failure: unknown }
      ? never
      : Type;
  }[keyof Table[Name]['replies']];
}[NamesOf<'forward'>];

/** What the type of an entry cannot say: by each rule, what breaks it. */
interface Faults {
  readonly 'no step awaits': Unawaited;
  readonly 'does not compensate': Uncompensating;
  readonly 'nobody answers': Unasked;
  readonly 'order-view does not get': Unseen;
  readonly 'fails without a reason': Unexplained;
}
type Broken = { readonly [Rule in keyof Faults as [Faults[Rule]] extends [never] ? never : Rule]: Faults[Rule] };

/** A table that breaks a rule does not compile, and the error names what breaks it. */
type Complete = [keyof Broken] extends [never] ? Table : Broken;

/**
 * The saga's steps, whole: what each asks, which answers it waits for, where they lead, and how it is undone. Deadlines, cancellation and the
 * diagram in docs/architecture.md follow from it.
 */
export const steps: Complete = table;

/** How an order that settles says so. */
export const endings: Readonly<Record<Exclude<Order['status'], 'PENDING'>, (order: Order) => NewMessage>> = {
  CONFIRMED: (order) => ({ type: 'OrderConfirmed', data: { ...keysOf(order), ...amountOf(order), email: order.email } }),
  FAILED: (order) => ({ type: 'OrderFailed', data: { ...keysOf(order), ...failureOf(order), email: order.email } }),
  CANCELLED: (order) => ({ type: 'OrderCancelled', data: { ...keysOf(order), email: order.email } }),
};

export function failureOf(order: Order): OrderFailure {
  invariant(order.failure, `order ${order.orderId} compensates for a failure that it knows`);
  return order.failure;
}

function shortageText(shortages: MessageData<'StockRejected'>['shortages']): string {
  const text = shortages.map(({ sku, asked, available }) => `${sku}: asked ${asked}, available ${available}`).join('; ');
  return text.length > 500 ? `${text.slice(0, 499)}…` : text;
}
