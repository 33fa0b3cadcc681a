import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { invariant } from '@outbox-saga/kit/errors';
import type { Order } from '../contract/order.ts';
import { openShardOf } from '../contract/tables.ts';
import { commit, CommitRefused, type CommitContext } from '@outbox-saga/kit/outbox/commit';

/** What became of an attempt to accept. */
export type Acceptance = 'accepted' | 'replayed' | 'key-reused';

/**
 * Accepts an order with one conditional transaction and nothing else: order and outbox row, or neither.
 * The loser of a race, like a repeated request, gets the stored order from the cancellation itself.
 */
export async function acceptOrder(
  context: CommitContext & { readonly ordersTable: string },
  order: Order,
  requestHash: string,
  message: Envelope,
): Promise<Acceptance> {
  const put = {
    Put: {
      TableName: context.ordersTable,
      Item: { ...order, requestHash, openShard: openShardOf(order.orderId) },
      ConditionExpression: 'attribute_not_exists(orderId)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
    },
  };
  try {
    await commit(context, { order: put }, [message]);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error;
    const stored = error.refusals.get('order');
    invariant(stored, 'a refused order comes with the stored one');
    return stored['requestHash'] === requestHash ? 'replayed' : 'key-reused';
  }
}
