import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { readOrder, type Order } from '../contract/order.ts';
import { findItem, type Database } from '@outbox-saga/kit/aws/clients';
import type { OutboxRow } from '@outbox-saga/kit/outbox/row';
import type { ViewItem } from './answers.ts';

export interface QueryStore {
  readonly database: Database;
  readonly ordersTable: string;
  readonly outboxTable: string;
  readonly orderViewTable: string;
}

export async function findOrder(store: QueryStore, orderId: string): Promise<Order | undefined> {
  return readOrder(await findItem(store.database, store.ordersTable, { orderId }));
}

/** The oldest messages of an order; an order has far fewer unless it was mended many times. */
const timelineLimit = 200;

export async function orderRows(store: QueryStore, orderId: string): Promise<{ rows: OutboxRow[]; more: boolean }> {
  const { Items = [], LastEvaluatedKey } = await store.database.send(
    new QueryCommand({
      TableName: store.outboxTable,
      KeyConditionExpression: 'aggregateId = :id',
      ExpressionAttributeValues: { ':id': orderId },
      ConsistentRead: true,
      Limit: timelineLimit,
    }),
  );
  return { rows: Items as OutboxRow[], more: LastEvaluatedKey !== undefined };
}

/** A status may be rare: at most this many pages are read for one answer; the cursor goes on from there. */
const pagesPerAnswer = 4;

/** A customer's orders, newest first, with where to go on if there may be more. */
export async function listOrders(
  store: QueryStore,
  { customerId, status, limit, after }: { customerId: string; status: string | undefined; limit: number; after: string | undefined },
): Promise<{ items: ViewItem[]; next: string | undefined }> {
  const items: ViewItem[] = [];
  let next = after;
  for (let page = 0; page < pagesPerAnswer; page++) {
    const { Items = [], LastEvaluatedKey } = await store.database.send(
      new QueryCommand({
        TableName: store.orderViewTable,
        KeyConditionExpression: 'customerId = :customer',
        ...(status === undefined ? {} : { FilterExpression: '#status = :status', ExpressionAttributeNames: { '#status': 'status' } }),
        ExpressionAttributeValues: { ':customer': customerId, ...(status === undefined ? {} : { ':status': status }) },
        ScanIndexForward: false,
        Limit: limit,
        ...(next === undefined ? {} : { ExclusiveStartKey: { customerId, placedOrder: next } }),
      }),
    );
    for (const item of Items as ViewItem[]) {
      if (items.length === limit) return { items, next: items.at(-1)!.placedOrder };
      items.push(item);
    }
    next = LastEvaluatedKey?.['placedOrder'] as string | undefined;
    if (next === undefined) return { items, next: undefined };
    if (items.length === limit) return { items, next: items.at(-1)!.placedOrder };
  }
  return { items, next };
}
