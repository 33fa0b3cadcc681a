import { GetCommand, QueryCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import { readOrder, type Order } from '../lambdas/contract/order.ts';
import { tryUpdate } from '../lambdas/kit/aws.ts';
import type { Target } from './target.ts';

/** What became of one order's personal data. `open`: it is still needed, nothing was changed; erase again once the order is closed. */
export interface Erasure {
  readonly orderId: string;
  readonly outcome: 'erased' | 'was erased' | 'open';
}

type StoredOrder = Order & { readonly openShard?: string; readonly erasedAt?: number };

/**
 * Erases a customer's personal data: address, e-mail and payment token, from their orders and from what payment and shipping asked their providers.
 * The books stay (who by id, what, how much, when), and so do the guarantees: no version changes, and a repeated request still meets its order.
 * Orders that are not closed are left alone: somebody may still need the address to deliver, or the token to charge.
 *
 * May be repeated, and is safe beside a running system. An order that was accepted a moment ago may not be listed yet.
 */
export async function* eraseCustomer(target: Target, customerId: string, now: number): AsyncGenerator<Erasure> {
  const { outputs, database } = target;
  let start: Record<string, unknown> | undefined;
  do {
    const page = await database.send(
      new QueryCommand({
        TableName: outputs['OrderViewTableName'],
        KeyConditionExpression: 'customerId = :customer',
        ExpressionAttributeValues: { ':customer': customerId },
        ExclusiveStartKey: start,
      }),
    );
    for (const { orderId } of (page.Items ?? []) as { orderId: string }[])
      yield { orderId, outcome: await eraseOrder(target, orderId, now) };
    start = page.LastEvaluatedKey;
  } while (start);
}

async function eraseOrder({ outputs, database }: Target, orderId: string, now: number): Promise<Erasure['outcome']> {
  const get = new GetCommand({ TableName: outputs['OrdersTableName'], Key: { orderId }, ConsistentRead: true });
  const order: StoredOrder | undefined = readOrder((await database.send(get)).Item);
  if (!order || order.step !== 'SETTLED' || order.openShard !== undefined) return 'open';
  if (order.erasedAt !== undefined) return 'was erased';
  const update = (table: string, change: Omit<UpdateCommandInput, 'TableName' | 'Key'>): Promise<boolean> =>
    tryUpdate(database, { TableName: outputs[`${table}TableName`], Key: { orderId }, ...change });
  // A closed order has nothing under way with a provider; an undo needs neither of the two.
  await update('Shipments', {
    UpdateExpression: 'REMOVE #request.shipTo',
    ConditionExpression: 'attribute_exists(#request.shipTo)',
    ExpressionAttributeNames: { '#request': 'request' },
  });
  await update('Payments', {
    UpdateExpression: 'SET #request.#token = :erased',
    ConditionExpression: 'attribute_exists(#request.#token)',
    ExpressionAttributeNames: { '#request': 'request', '#token': 'token' },
    ExpressionAttributeValues: { ':erased': 'erased' },
  });
  // Last, because it says that all of it is done. The order may have turned again since it was read.
  const done = await update('Orders', {
    UpdateExpression: 'REMOVE shipTo, email SET paymentToken = :erased, erasedAt = :now',
    ConditionExpression: 'version = :version AND attribute_not_exists(openShard)',
    ExpressionAttributeValues: { ':erased': 'erased', ':now': now, ':version': order.version },
  });
  return done ? 'erased' : 'open';
}
