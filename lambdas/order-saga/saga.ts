import { assertNever, PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { backoffCeilingSeconds } from '@outbox-saga/kit/messages/retry-policy';
import type { ReminderPolicy } from '../contract/durations.ts';
import type { NewMessage } from '../contract/messages.ts';
import type { Order, OrderFailure, OrderStatus, OrderStep } from '../contract/order.ts';
import { endings, failureOf, steps, type Ending, type OpenStep, type Reply, type Step } from './steps.ts';

/** The customer calls the order off. */
export interface Cancel {
  readonly type: 'Cancel';
}

/** Time has passed. Whether a deadline has, the saga decides. */
export interface Tick {
  readonly type: 'Tick';
  readonly now: number;
  readonly policy: ReminderPolicy;
  /** When the order's newest message was sent: nobody can answer before. */
  readonly askedAt: number;
}

/** What the order becomes, and the one message that tells it. */
export type Transition = NewMessage & {
  readonly step: OrderStep;
  readonly status: OrderStatus;
  /** Kept from the moment the order turns, through its compensation, to its end. */
  readonly failure?: OrderFailure;
  readonly cancelled?: true;
  readonly trackingId?: string | undefined;
};

/** What a transition changes of the order beside step and status. */
type Kept = Pick<Transition, 'failure' | 'cancelled' | 'trackingId'>;

export type Decision =
  | { readonly kind: 'transition'; readonly transition: Transition }
  /** A late, early or repeated reply: the order is not waiting for it. */
  | { readonly kind: 'ignore'; readonly why: string };

/**
 * What an order does when a reply arrives, its customer cancels, or time passes. Pure; time, ids and storage are the caller's. The steps are a table (steps.ts).
 *
 * A step that nobody answers is asked again (a new version, a new message). A forward step is given up after some reminders, and can be cancelled: the order
 * turns round, and undoes every step that was ever requested, whether or not it is known to have happened; the participants hold a tombstone against what is
 * still on its way. A compensation is never given up.
 */
export function decide(order: Order, input: Reply | Cancel | Tick): Decision {
  switch (input.type) {
    case 'Cancel':
      return cancel(order);
    case 'Tick':
      return tick(order, input);
    default:
      return reply(order, input);
  }
}

/** The order after a transition. Its version counts up by exactly one, as its message's sequence does. */
export function evolve(order: Order, { step, status, failure, cancelled, trackingId }: Transition, now: number): Order {
  return {
    ...order,
    step,
    status,
    version: order.version + 1,
    failure: failure ?? order.failure,
    cancelled: cancelled ?? order.cancelled,
    trackingId: trackingId ?? order.trackingId,
    nudges: step === order.step ? (order.nudges ?? 0) + 1 : 0,
    updatedAt: now,
    settledAt: step === 'SETTLED' ? now : order.settledAt,
  };
}

/** @throws TransientError `newer` for a step that this code does not have: the code that put an order there is being deployed, or was rolled back */
function stepOf(name: OpenStep): Step {
  if (!Object.hasOwn(steps, name)) throw new TransientError('newer', `the order is in step ${name}, which this code does not know`);
  return steps[name];
}

function reply(order: Order, { type, data }: Reply): Decision {
  const turn = order.step === 'SETTLED' ? undefined : stepOf(order.step).replies[type];
  if (!turn) return { kind: 'ignore', why: `${type} while ${order.step}` };
  // The table has it under the type whose data it reads.
  const failure = turn.failure?.(data as never);
  return transition(order, turn.to, { ...(failure ? { failure } : {}), ...turn.keeps?.(data as never) });
}

function cancel(order: Order): Decision {
  if (order.step === 'SETTLED') return { kind: 'ignore', why: 'the order is settled' };
  const step = stepOf(order.step);
  if (step.direction !== 'forward') return { kind: 'ignore', why: 'the order is being undone already' };
  return transition(order, step.compensation, { cancelled: true });
}

/** When a step that nobody answers is due again, in milliseconds since 1970. @param askedAt when it was asked last */
export function dueAt(order: Order, policy: ReminderPolicy, askedAt = order.updatedAt): number {
  return askedAt + backoffCeilingSeconds(policy, (order.nudges ?? 0) + 1) * 1000;
}

function tick(order: Order, { now, policy, askedAt }: Tick): Decision {
  if (order.step === 'SETTLED') return { kind: 'ignore', why: 'the order is settled' };
  if (now < dueAt(order, policy, Math.max(askedAt, order.updatedAt))) return { kind: 'ignore', why: 'no deadline has passed' };
  const step = stepOf(order.step);
  if (step.direction === 'forward' && (order.nudges ?? 0) >= policy.maxReminders) {
    return transition(order, step.compensation, { failure: { code: 'TIMED_OUT', detail: `nobody answered while ${order.step}` } });
  }
  // The same question once more, in the same step.
  return transition(order, order.step, {});
}

function transition(order: Order, to: OpenStep | Ending, kept: Kept): Decision {
  return { kind: 'transition', transition: { ...entered({ ...order, ...kept }, to), ...kept } };
}

/** What an order says that enters a step, or ends. */
function entered(order: Order, to: OpenStep | Ending): Transition {
  switch (to) {
    case 'CONFIRMED':
      return { ...endings.CONFIRMED(order), step: 'SETTLED', status: 'CONFIRMED' };
    case 'FAILED':
      return failed(order);
    case 'COMPENSATED':
      return order.cancelled ? { ...endings.CANCELLED(order), step: 'SETTLED', status: 'CANCELLED' } : failed(order);
    default:
      return { ...steps[to].request(order), step: to, status: 'PENDING' };
  }
}

const failed = (order: Order): Transition => ({ ...endings.FAILED(order), step: 'SETTLED', status: 'FAILED', failure: failureOf(order) });

/** What a settled order said last, made from it again. */
export function outcomeOf(order: Order): NewMessage {
  switch (order.status) {
    case 'CONFIRMED':
    case 'FAILED':
    case 'CANCELLED':
      return endings[order.status](order);
    case 'PENDING':
      throw new PermanentError(`invariant broken: order ${order.orderId} is settled, but PENDING`);
    default:
      return assertNever(order.status, 'status');
  }
}
