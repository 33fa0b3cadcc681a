import { idempotencyTable, outboxTable, shardOf, type TableDefinition } from '@outbox-saga/kit/tables';

/** Open orders are spread over this many partitions of the `open` index. */
export const openShards = 8;

/** Partition key of the sparse `open` index; present on an order until it is closed. */
export function openShardOf(orderId: string): string {
  return openShardName(shardOf(orderId, openShards));
}

export function openShardName(shard: number): string {
  return `open#${shard}`;
}

/** Sort key of the read model: newest first when read backwards; 15 digits last until the year 33658. */
export function viewSortKey(placedAt: number, orderId: string): string {
  return `${String(placedAt).padStart(15, '0')}#${orderId}`;
}

/** Key of a stock level, and of an order's reservation, in the inventory table. */
export const inventoryKey = {
  stock: (sku: string): string => `sku#${sku}`,
  reservation: (orderId: string): string => `order#${orderId}`,
} as const;

/** One table per owner: a function's role reaches only its own. */
export const tables = {
  orders: {
    partitionKey: { name: 'orderId', type: 'S' },
    indexes: [
      {
        name: 'open',
        partitionKey: { name: 'openShard', type: 'S' },
        sortKey: { name: 'placedAt', type: 'N' },
        projection: 'KEYS_ONLY',
      },
    ],
  },
  outbox: outboxTable,
  inventory: { partitionKey: { name: 'pk', type: 'S' } },
  payments: { partitionKey: { name: 'orderId', type: 'S' } },
  shipments: { partitionKey: { name: 'orderId', type: 'S' } },
  notifications: { partitionKey: { name: 'orderId', type: 'S' } },
  orderView: {
    partitionKey: { name: 'customerId', type: 'S' },
    sortKey: { name: 'placedOrder', type: 'S' },
  },
  idempotency: idempotencyTable,
  /** What the sandbox payment gateway and carrier did; exists only where they are used. */
  sandboxLedger: { partitionKey: { name: 'pk', type: 'S' } },
} as const satisfies Record<string, TableDefinition>;

export type TableName = keyof typeof tables;
