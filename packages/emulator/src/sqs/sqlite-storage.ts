import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { inTransaction } from '../transaction.ts';
import type { Message, MessageAttributes } from './message.ts';
import type { QueueRecord } from './queue.ts';
import type { QueueStorage, StoredMessage } from './storage.ts';

const schema = `
  CREATE TABLE IF NOT EXISTS sqs_queues (
    name TEXT PRIMARY KEY, attributes TEXT NOT NULL, tags TEXT NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS sqs_messages (
    position INTEGER PRIMARY KEY, queue TEXT NOT NULL, id TEXT NOT NULL, sent_at INTEGER NOT NULL, delayed_until INTEGER,
    receives INTEGER NOT NULL, first_received_at INTEGER, source_arn TEXT, group_id TEXT, trace_header TEXT,
    attributes TEXT, body TEXT NOT NULL
  );`;

interface QueueRow {
  readonly name: string;
  readonly attributes: string;
  readonly tags: string;
  readonly created_at: number;
  readonly modified_at: number;
}

interface MessageRow {
  readonly position: number;
  readonly queue: string;
  readonly id: string;
  readonly sent_at: number;
  readonly delayed_until: number | null;
  readonly receives: number;
  readonly first_received_at: number | null;
  readonly source_arn: string | null;
  readonly group_id: string | null;
  readonly trace_header: string | null;
  readonly attributes: string | null;
  readonly body: string;
}

/** Queues in the tables `sqs_*` of an open database. Whoever opened it chose how safely it writes, and closes it. */
export class SqliteQueueStorage implements QueueStorage {
  readonly #database: DatabaseSync;
  readonly #putQueue: StatementSync;
  readonly #deleteQueue: StatementSync;
  readonly #putMessage: StatementSync;
  readonly #updateReceives: StatementSync;
  readonly #deleteMessage: StatementSync;
  readonly #deleteMessages: StatementSync;

  constructor(database: DatabaseSync) {
    database.exec(schema);
    this.#database = database;
    this.#putQueue = database.prepare('INSERT OR REPLACE INTO sqs_queues VALUES (?, ?, ?, ?, ?)');
    this.#deleteQueue = database.prepare('DELETE FROM sqs_queues WHERE name = ?');
    this.#putMessage = database.prepare('INSERT INTO sqs_messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#updateReceives = database.prepare('UPDATE sqs_messages SET receives = ?, first_received_at = ? WHERE position = ?');
    this.#deleteMessage = database.prepare('DELETE FROM sqs_messages WHERE position = ?');
    this.#deleteMessages = database.prepare('DELETE FROM sqs_messages WHERE queue = ?');
  }

  queues(): QueueRecord[] {
    const rows = this.#database.prepare('SELECT * FROM sqs_queues').all() as unknown as QueueRow[];
    return rows.map(({ name, attributes, tags, created_at: createdAt, modified_at: modifiedAt }) => ({
      name,
      attributes: JSON.parse(attributes) as QueueRecord['attributes'],
      tags: JSON.parse(tags) as QueueRecord['tags'],
      createdAt,
      modifiedAt,
    }));
  }

  *messages(): Generator<StoredMessage> {
    for (const row of this.#database.prepare('SELECT * FROM sqs_messages ORDER BY position').iterate()) {
      const message = row as unknown as MessageRow;
      yield {
        order: message.position,
        queue: message.queue,
        id: message.id,
        sentAt: message.sent_at,
        delayedUntil: message.delayed_until ?? undefined,
        receives: message.receives,
        firstReceivedAt: message.first_received_at ?? undefined,
        sourceArn: message.source_arn ?? undefined,
        groupId: message.group_id ?? undefined,
        traceHeader: message.trace_header ?? undefined,
        attributes: message.attributes === null ? {} : (JSON.parse(message.attributes) as MessageAttributes),
        body: message.body,
      };
    }
  }

  putQueue({ name, attributes, tags, createdAt, modifiedAt }: QueueRecord): void {
    this.#putQueue.run(name, JSON.stringify(attributes), JSON.stringify(tags), createdAt, modifiedAt);
  }

  deleteQueue(name: string): void {
    this.#deleteMessages.run(name);
    this.#deleteQueue.run(name);
  }

  putMessage(message: StoredMessage): void {
    const { order, queue, id, sentAt, delayedUntil, receives, firstReceivedAt, sourceArn, groupId, traceHeader, attributes, body } =
      message;
    let names: string | null = null;
    for (const _ in attributes) {
      names = JSON.stringify(attributes);
      break;
    }
    this.#putMessage.run(
      order,
      queue,
      id,
      sentAt,
      delayedUntil ?? null,
      receives,
      firstReceivedAt ?? null,
      sourceArn ?? null,
      groupId ?? null,
      traceHeader ?? null,
      names,
      body,
    );
  }

  updateReceives({ receives, firstReceivedAt, order }: Message): void {
    this.#updateReceives.run(receives, firstReceivedAt ?? null, order);
  }

  deleteMessage({ order }: Message): void {
    this.#deleteMessage.run(order);
  }

  deleteMessages(queue: string): void {
    this.#deleteMessages.run(queue);
  }

  transaction(writes: () => void): void {
    inTransaction(this.#database, writes);
  }
}
