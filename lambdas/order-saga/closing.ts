import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { backoffCeilingSeconds } from '@outbox-saga/kit/messages/retry-policy';
import type { ReminderPolicy } from '../contract/durations.ts';
import { decodeEnvelope } from '@outbox-saga/kit/messages/envelope';
import { outcomeIdOf, type Order } from '../contract/order.ts';
import { topology } from '../contract/routes.ts';
import { viewSortKey } from '../contract/tables.ts';
import { pendingConsumers, pendingOnlyForListeners, type OutboxRow } from '@outbox-saga/kit/outbox/row';
import { requeue, rowsOf, type OutboxContext } from '@outbox-saga/kit/outbox/row-store';
import type { Saga } from './advance.ts';
import { outcomeOf } from './saga.ts';
import { closeOrder, commitAgain, type SagaStore } from './store.ts';

export interface Closing {
  readonly store: SagaStore;
  readonly makeMessage: Saga['makeMessage'];
  readonly outbox: OutboxContext;
  readonly orderViewTable: string;
  readonly notificationsTable: string;
  /** A message that was sent and has no effect is sent again when the first of these waits has passed, then the second: a consumer that is down for a day must not find hundreds of copies. */
  readonly policy: Pick<ReminderPolicy, 'baseSeconds' | 'factor' | 'capSeconds'>;
}

/** What listeners and the outbox know of an order. */
export interface DeliveryEvidence {
  readonly rows: readonly OutboxRow[];
  /** Sequence of the read model's item; 0 when there is none. */
  readonly viewSequence: number;
  readonly notified: boolean;
}

/** A message that somebody lacks: its row, and who. */
export interface Owed {
  readonly row: OutboxRow;
  readonly consumers: readonly string[];
}

/** What a settled order still owes. Nothing owed and nothing on its way (`waiting`): it can be closed. */
export interface Debts {
  readonly owed: readonly Owed[];
  readonly waiting: boolean;
  /** Somebody lacks the outcome, and no row holds it any more. */
  readonly expired: boolean;
}

/** What a settled order still owes: rows that were never sent, versions that the read model lacks, a notification. */
export function owedBy(order: Order, { rows, viewSequence, notified }: DeliveryEvidence): Debts {
  const owed: Owed[] = [];
  const unheard = viewSequence < order.version || !notified;
  let waiting = unheard;
  let told = false;
  for (const row of rows) {
    if (row.status !== 'SENT') told ||= mayTell(row, order.version);
    // FAILED and SENDING are the relay's, DEAD is an operator's, and its body need not even be readable.
    if (row.status !== 'SENT' && row.status !== 'PENDING') {
      waiting = true;
      continue;
    }
    if (row.status === 'PENDING') {
      // The stream never delivered it.
      waiting = true;
      owed.push({ row, consumers: pendingConsumers(topology, row) });
      continue;
    }
    const { sequence = 0 } = decodeEnvelope(row.body);
    told ||= sequence === order.version;
    const consumers = [
      ...(sequence > viewSequence ? ['order-view'] : []),
      ...(sequence === order.version && !notified ? ['notification'] : []),
    ];
    if (consumers.length > 0) owed.push({ row, consumers });
  }
  return { owed, waiting, expired: unheard && !told };
}

/** Whether a row holds the message of a version: one that cannot be read may. */
function mayTell({ body }: OutboxRow, version: number): boolean {
  try {
    return decodeEnvelope(body).sequence === version;
  } catch {
    return true;
  }
}

/**
 * Takes a settled order out of the open index when everyone who must know of it does. Otherwise what is missing goes out
 * again, to those who lack it, through the relay: so a lost stream record or a wiped queue heals after the settlement too. What
 * has expired unheard is made again.
 *
 * @param causationId of whatever checks
 */
export async function close(closing: Closing, order: Order, causationId: string): Promise<'closed' | 'sent again' | 'waiting'> {
  const { owed, waiting, expired } = owedBy(order, await evidenceOf(closing, order));
  if (!waiting) return (await closeOrder(closing.store, order)) ? 'closed' : 'waiting';
  if (expired && (await tellAgain(closing, order, causationId))) return 'sent again';
  let sent = 0;
  for (const { row, consumers } of owed) {
    const waited = closing.store.world.now() - (row.sentAt ?? row.committedAt);
    if (waited < backoffCeilingSeconds(closing.policy, (row.resends ?? 0) + 1) * 1000) continue;
    if (await requeue(closing.outbox, row, consumers, 'the closing check misses its effect')) sent++;
  }
  return sent > 0 ? 'sent again' : 'waiting';
}

/**
 * Commits a settled order's last message anew. It carries the order's version, so it goes where every message goes: the read model finds a gap
 * before it and repairs itself from the order, and whoever knows the outcome takes it for a duplicate.
 */
async function tellAgain({ store, makeMessage }: Closing, order: Order, causationId: string): Promise<boolean> {
  const { type, data } = outcomeOf(order);
  const message = makeMessage(type, data, {
    aggregateId: order.orderId,
    sequence: order.version,
    groupId: order.groupId,
    correlationId: order.correlationId,
    causationId,
    occurredAt: order.updatedAt,
  });
  return commitAgain(store, { ...message, messageId: outcomeIdOf(order) });
}

/**
 * What stands between an order whose deadline has passed and its being asked again: messages of it that the stream never delivered go out
 * through the relay first, and the wait counts from when the last one was sent. So an outage of our own delivery neither multiplies
 * questions nor gives up orders that nobody could have answered. What only listeners lack holds nothing up: they answer no question.
 *
 * @returns when the order's newest message reached those who act on it, in milliseconds since 1970, or undefined while some did not
 */
export async function lastSent({ outbox }: Closing, order: Order): Promise<number | undefined> {
  const rows = await rowsOf(outbox, order.orderId);
  const pending = rows.filter(({ status }) => status === 'PENDING');
  for (const row of pending) await requeue(outbox, row, pendingConsumers(topology, row), 'its deadline has passed and it was not sent');
  const relayed = rows.filter(({ status }) => status === 'FAILED' || status === 'SENDING');
  if (pending.length > 0 || !relayed.every((row) => pendingOnlyForListeners(topology, row))) return undefined;
  return Math.max(0, ...rows.map(handedOver));
}

/**
 * When those who act on a message got it; 0 for one that was given up. While a listener lacks it, it has no `sentAt`; and the listener's own delay,
 * which ends with a late one, is not the actor's. A row that says nothing else was at least committed: that is early, so the question may be
 * repeated early, which is answered from the record.
 */
function handedOver({ status, handedAt, sentAt, committedAt }: OutboxRow): number {
  return handedAt ?? sentAt ?? (status === 'DEAD' ? 0 : committedAt);
}

async function evidenceOf({ store, outbox, orderViewTable, notificationsTable }: Closing, order: Order): Promise<DeliveryEvidence> {
  const { orderId, customerId, placedAt } = order;
  const { database } = store;
  const [rows, view, notification] = await Promise.all([
    rowsOf(outbox, orderId),
    database.send(
      new GetCommand({
        TableName: orderViewTable,
        Key: { customerId, placedOrder: viewSortKey(placedAt, orderId) },
        ConsistentRead: true,
        ProjectionExpression: '#sequence',
        ExpressionAttributeNames: { '#sequence': 'sequence' },
      }),
    ),
    database.send(
      new GetCommand({ TableName: notificationsTable, Key: { orderId }, ConsistentRead: true, ProjectionExpression: 'orderId, email' }),
    ),
  ]);
  return {
    rows,
    viewSequence: Number(view.Item?.['sequence'] ?? 0),
    // While its e-mail is due, the customer does not know.
    notified: notification.Item !== undefined && notification.Item['email'] !== 'due',
  };
}
