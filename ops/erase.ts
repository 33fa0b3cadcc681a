import { GetCommand, ScanCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import { PermanentError } from '@outbox-saga/kit/errors';
import { readOrder, type Order } from '../lambdas/contract/order.ts';
import { tryUpdate } from '@outbox-saga/kit/aws/clients';
import type { Target } from './target.ts';

/**
 * What became of one order's personal data. `open`: it is still needed, nothing was changed; erase again once the order is closed.
 * `unreadable`: the order has a shape that this code does not know, nothing was changed; erase with the code that wrote it.
 */
export interface Erasure {
  readonly orderId: string;
  readonly outcome: 'erased' | 'was erased' | 'open' | 'unreadable';
}

/** Whose data is erased, and how fast all orders are looked through for it. */
export interface ErasureOptions {
  readonly customerId: string;
  readonly now: number;
  /** What the search may take of the orders table: a running system reads there too. */
  readonly readUnitsPerSecond: number;
  readonly pause: (milliseconds: number) => Promise<void>;
  /** Told after each page. */
  readonly onProgress: (ordersLookedAt: number) => void;
}

type StoredOrder = Order & { readonly openShard?: string; readonly erasedAt?: number };

/** Orders of one page: about 125 read units. */
const pageSize = 500;

/**
 * Erases a customer's personal data: address, e-mail and payment token, from their orders and from what payment and shipping asked their providers.
 * The books stay (who by id, what, how much, when), and so do the guarantees: no version changes, and a repeated request still meets its order.
 * Orders that are not closed are left alone: somebody may still need the address to deliver, or the token to charge.
 *
 * The orders themselves are looked through, all of them: they have no index by customer, and the read model, which has, may lack one.
 * May be repeated, and is safe beside a running system. An order that is accepted meanwhile may be missed.
 */
export async function* eraseCustomer(target: Target, options: ErasureOptions): AsyncGenerator<Erasure> {
  const { outputs, database } = target;
  let lookedAt = 0;
  let start: Record<string, unknown> | undefined;
  do {
    const page = await database.send(
      new ScanCommand({
        TableName: outputs['OrdersTableName'],
        FilterExpression: 'customerId = :customer',
        ExpressionAttributeValues: { ':customer': options.customerId },
        ProjectionExpression: 'orderId',
        ConsistentRead: true,
        Limit: pageSize,
        ExclusiveStartKey: start,
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );
    for (const { orderId } of (page.Items ?? []) as { orderId: string }[])
      yield { orderId, outcome: await eraseOrder(target, orderId, options.now) };
    options.onProgress((lookedAt += page.ScannedCount ?? 0));
    start = page.LastEvaluatedKey;
    if (start) await options.pause(((page.ConsumedCapacity?.CapacityUnits ?? 0) / options.readUnitsPerSecond) * 1000);
  } while (start);
}

async function eraseOrder({ outputs, database }: Target, orderId: string, now: number): Promise<Erasure['outcome']> {
  const get = new GetCommand({ TableName: outputs['OrdersTableName'], Key: { orderId }, ConsistentRead: true });
  const { Item } = await database.send(get);
  let order: StoredOrder | undefined;
  try {
    order = readOrder(Item);
  } catch (error) {
    if (error instanceof PermanentError) return 'unreadable';
    throw error;
  }
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
