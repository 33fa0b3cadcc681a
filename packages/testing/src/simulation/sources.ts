import type { SQSBatchResponse } from 'aws-lambda';
import { shardOf } from '@outbox-saga/kit/tables';
import type { Cloud } from './cloud.ts';
import type { Item as EngineItem } from '@outbox-saga/emulator/dynamodb/values';
import type { Change, Item } from './database.ts';
import { queueUrl } from './queue-names.ts';
import { writeItem } from '@outbox-saga/emulator/dynamodb/wire';
import type { Message } from '@outbox-saga/emulator/sqs/message';
import { asNewCodeReads } from './versions.ts';

export interface SourceObserver {
  received(consumer: string, messages: readonly Message[]): void;
  acknowledged(consumer: string, message: Message): void;
  /** A stream record that its event source gave up, or that was older than the stream keeps. */
  unstreamed(change: Change): void;
}

const concurrency = 3;

/** The event source of one consumer's queue: polls, invokes, deletes what was handled. */
export class QueueSource<Name extends string = string> {
  readonly #cloud: Cloud<Name>;
  readonly #consumer: Name;
  readonly #url: string;
  readonly #observer: SourceObserver;
  #next = Infinity;
  #invocations = 0;
  /** Until when the function cannot even start. */
  downUntil = 0;

  constructor(cloud: Cloud<Name>, consumer: Name, observer: SourceObserver) {
    this.#cloud = cloud;
    this.#consumer = consumer;
    this.#url = queueUrl(consumer);
    this.#observer = observer;
  }

  get empty(): boolean {
    return this.#cloud.queues.nextVisibleAt(this.#url) === undefined;
  }

  /** Plans the next poll for when the first message is visible. */
  wake(): void {
    if (this.#invocations >= concurrency) return;
    const soonest = this.#cloud.queues.nextVisibleAt(this.#url);
    if (soonest === undefined) return;
    const at = Math.max(soonest, this.#cloud.now) + this.#cloud.random.int(1, 40);
    if (at >= this.#next && this.#next > this.#cloud.now) return;
    this.#next = at;
    this.#cloud.scheduler.at(at, () => {
      if (this.#next !== at) return;
      this.#next = Infinity;
      this.#poll();
    });
  }

  #poll(): void {
    const { queues, random, faults, now } = this.#cloud;
    const reordered = faults.forDelivery('reorder', now, this.#consumer);
    const messages = queues.receive(this.#url, random.int(1, 10), reordered ? (visible) => random.shuffle(visible) : undefined);
    const [first] = messages;
    if (!first) return this.wake();
    if (faults.forDelivery('delay', now, this.#consumer)) {
      for (const message of messages) queues.hideUntil(this.#url, message, now + random.int(1, 1200) * 1000);
      return this.wake();
    }
    // Standard queues deliver at least once: one of them stays visible for another environment.
    if (faults.forDelivery('duplicate', now, this.#consumer)) {
      if (random.chance(0.5)) queues.hideUntil(this.#url, first, now + random.int(0, 2000));
      else this.#cloud.scheduler.after(random.int(0, random.pick([500, 5000, 300_000])), () => this.#repeat(first));
    }
    if (now < this.downUntil) return this.wake();
    this.#invocations++;
    this.#observer.received(this.#consumer, messages);
    const records = messages.map((message) => recordOf(message, queues.receiptOf(this.#url, message)));
    this.#cloud.invoke(this.#consumer, { Records: records }, (outcome) => {
      this.#invocations--;
      if (outcome.ok) {
        const failed = new Set((outcome.result as SQSBatchResponse).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
        for (const message of messages) if (!failed.has(message.id)) this.#acknowledge(message);
      }
      this.wake();
    });
    this.wake();
  }

  /** A second copy, as an at-least-once queue or a redrive gives it. */
  #repeat({ body, attributes }: Message): void {
    this.#cloud.queues.execute('SendMessage', { QueueUrl: this.#url, MessageBody: body, MessageAttributes: attributes });
    this.wake();
  }

  #acknowledge(message: Message): void {
    const { faults, queues, now } = this.#cloud;
    this.#observer.acknowledged(this.#consumer, message);
    if (!faults.forDelivery('lost-acknowledgement', now, this.#consumer)) queues.remove(this.#url, message);
  }
}

function recordOf(message: Message, receiptHandle: string): unknown {
  return {
    messageId: message.id,
    receiptHandle,
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(message.receives),
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
      SentTimestamp: String(message.sentAt),
    },
    messageAttributes: Object.fromEntries(
      Object.entries(message.attributes).map(([name, { DataType, StringValue }]) => [
        name,
        { dataType: DataType, stringValue: StringValue },
      ]),
    ),
  };
}

const shardCount = 2;
const batchSize = 100;
const maxAttempts = 20;
const maxAgeMs = 12 * 3_600_000;
/** DynamoDB keeps a stream record for a day. */
const trimmedAfterMs = 24 * 3_600_000;

interface Shard {
  readonly records: { readonly at: number; readonly change: Change }[];
  position: number;
  attempts: number;
  /** Shrinks while a batch fails as a whole: the source bisects. */
  limit: number;
  busy: boolean;
  planned: boolean;
}

/** The event source of the outbox's stream, with the bounds that the construct Outbox sets. */
export class StreamSource<Name extends string = string> {
  readonly #cloud: Cloud<Name>;
  readonly #observer: SourceObserver;
  readonly #shards: readonly Shard[];
  downUntil = 0;

  constructor(cloud: Cloud<Name>, observer: SourceObserver) {
    this.#cloud = cloud;
    this.#observer = observer;
    this.#shards = Array.from({ length: shardCount }, () => ({
      records: [],
      position: 0,
      attempts: 0,
      limit: batchSize,
      busy: false,
      planned: false,
    }));
  }

  get empty(): boolean {
    return this.#shards.every(({ records, position }) => position >= records.length);
  }

  append(change: Change): void {
    const shard = this.#shards[shardOf(String(change.after!['aggregateId']), shardCount)]!;
    shard.records.push({ at: this.#cloud.now, change });
    this.#wake(shard, this.#cloud.random.int(50, 250));
  }

  #wake(shard: Shard, delayMs: number): void {
    if (shard.busy || shard.planned || shard.position >= shard.records.length) return;
    shard.planned = true;
    this.#cloud.scheduler.at(Math.max(this.#cloud.now + delayMs, this.downUntil), () => {
      shard.planned = false;
      this.#poll(shard);
    });
  }

  #poll(shard: Shard): void {
    const { now, faults } = this.#cloud;
    if (now < this.downUntil) return this.#wake(shard, 1000);
    while (shard.position < shard.records.length && shard.records[shard.position]!.at < now - trimmedAfterMs) this.#skip(shard, 1);
    const batch = shard.records.slice(shard.position, shard.position + shard.limit);
    if (batch.length === 0) return;
    shard.busy = true;
    const Records = batch.map(({ change }, i) => ({
      eventName: 'INSERT',
      dynamodb: { SequenceNumber: String(shard.position + i), NewImage: writeItem(this.#asRead(change.after!) as EngineItem) },
    }));
    this.#cloud.invoke(this.#cloud.application.publisher, { Records }, (outcome) => {
      shard.busy = false;
      const result = outcome.ok ? (outcome.result as { batchItemFailures: { itemIdentifier: string }[] }) : undefined;
      const failed = result?.batchItemFailures.map(({ itemIdentifier }) => Number(itemIdentifier)) ?? [shard.position];
      const reached = failed.length > 0 ? Math.min(...failed) : shard.position + batch.length;
      if (failed.length === 0 && faults.forDelivery('republished', now, this.#cloud.application.publisher)) return this.#wake(shard, 1000);
      shard.attempts = reached > shard.position ? 0 : shard.attempts + 1;
      shard.limit = failed.length === 0 ? batchSize : outcome.ok ? shard.limit : Math.max(1, Math.floor(batch.length / 2));
      shard.position = reached;
      const head = shard.records[reached];
      if (failed.length > 0 && head && (shard.attempts > maxAttempts || head.at < this.#cloud.now - maxAgeMs)) {
        this.#skip(shard, Math.min(shard.limit, batch.length));
        shard.attempts = 0;
      }
      this.#wake(shard, failed.length > 0 ? Math.min(60_000, 1000 * 2 ** shard.attempts) : 50);
    });
  }

  #asRead(row: Item): Item {
    return this.#cloud.deployed ? { ...row, body: asNewCodeReads(row['body'] as string) } : row;
  }

  #skip(shard: Shard, count: number): void {
    for (const { change } of shard.records.slice(shard.position, shard.position + count)) this.#observer.unstreamed(change);
    shard.position += count;
  }
}
