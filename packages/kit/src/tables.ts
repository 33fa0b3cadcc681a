/** A key attribute: its name and DynamoDB type (S string, N number). */
export interface KeyAttribute {
  readonly name: string;
  readonly type: 'S' | 'N';
}

/** A global secondary index. */
export interface IndexDefinition {
  readonly name: string;
  readonly partitionKey: KeyAttribute;
  readonly sortKey?: KeyAttribute;
  readonly projection: 'KEYS_ONLY' | 'ALL';
}

/** A table as deploy time, run time and tests see it. Physical names are given by CloudFormation and reach functions by environment. */
export interface TableDefinition {
  readonly partitionKey: KeyAttribute;
  readonly sortKey?: KeyAttribute;
  readonly indexes?: readonly IndexDefinition[];
  /** Attribute with the expiry time in seconds since 1970. */
  readonly expiryAttribute?: string;
  /** Emits new images, for the outbox only. */
  readonly stream?: boolean;
}

export interface OutboxKey {
  readonly aggregateId: string;
  readonly messageId: string;
}

/**
 * The outbox: one item per committed message, an aggregate's history in one partition.
 * `attention` is a sparse index: only rows that need somebody are in it (not sent at the first try, given up, or, where the outbox indexes them, not sent yet), sharded so that an outage
 * does not make one hot partition. Its partition keys come from `attentionKey`.
 */
export const outboxTable = {
  partitionKey: { name: 'aggregateId', type: 'S' },
  sortKey: { name: 'messageId', type: 'S' },
  indexes: [
    {
      name: 'attention',
      partitionKey: { name: 'attention', type: 'S' },
      sortKey: { name: 'attentionAt', type: 'N' },
      projection: 'KEYS_ONLY',
    },
  ],
  expiryAttribute: 'expiresAt',
  stream: true,
} as const satisfies TableDefinition;

/** What Powertools idempotency stores, one item per consumer and message; failures are counted here too (`failureCounter`), and an application may keep small notes. */
export const idempotencyTable = {
  partitionKey: { name: 'id', type: 'S' },
  expiryAttribute: 'expiration',
} as const satisfies TableDefinition;

/** Statuses of an outbox row. SENT and DEAD are final for the publisher; an operator may replay DEAD ones. */
export const rowStatuses = ['PENDING', 'SENT', 'FAILED', 'SENDING', 'DEAD'] as const;
export type RowStatus = (typeof rowStatuses)[number];

export const attentionShards = 4;

/** `due`: to be relayed from `attentionAt` on. `sending`: a relay holds it until `attentionAt`. `dead`: given up then. */
export type AttentionState = 'due' | 'sending' | 'dead';

/** Partition key of the attention index: `due#2`. */
export function attentionKey(state: AttentionState, shard: number): string {
  return `${state}#${shard}`;
}

/** Spreads ids evenly over `shards` partitions; the same id always lands in the same one. */
export function shardOf(id: string, shards: number): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) | 0;
  return Math.abs(hash) % shards;
}
