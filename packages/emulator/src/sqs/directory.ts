import { noSuchQueue } from './errors.ts';
import { requiredText, type Input } from './input.ts';
import type { Content, Message } from './message.ts';
import { Queue, type QueueRecord } from './queue.ts';
import type { QueueStorage } from './storage.ts';

export interface DirectoryOptions {
  readonly storage: QueueStorage;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly region: string;
  readonly account: string;
  readonly newId: () => string;
  /** What queue URLs begin with. */
  readonly endpoint: () => string;
}

/** What becomes of one message: it goes from its queue to another one, as another message. */
export interface Move {
  readonly message: Message;
  readonly to: Queue;
  readonly as: Message;
}

/**
 * All queues, in memory and in storage. Everything that changes what lies in them goes through here: storage first,
 * so that memory never has more.
 */
export class Directory {
  readonly options: DirectoryOptions;
  readonly #queues = new Map<string, Queue>();
  readonly #deletedAt = new Map<string, number>();
  readonly #names = new Map<string, string>();
  #order = 0;
  /** Told of each message that is older than its queue keeps messages. */
  onExpiry: (queue: string, message: Message) => void = () => undefined;

  constructor(options: DirectoryOptions) {
    this.options = options;
    const { storage, now } = options;
    for (const record of storage.queues()) this.#queues.set(record.name, new Queue(this.arnOf(record.name), record));
    const at = now();
    for (const { queue, delayedUntil, ...message } of storage.messages()) {
      this.#order = Math.max(this.#order, message.order);
      const delayed = delayedUntil !== undefined && delayedUntil > at;
      this.#queues.get(queue)?.add({
        ...message,
        state: delayed ? 'delayed' : 'visible',
        visibleAt: delayed ? delayedUntil : at,
        receivedAt: undefined,
        place: 0,
        agePlace: 0,
      });
    }
  }

  get now(): number {
    return this.options.now();
  }

  arnOf(name: string): string {
    return `arn:aws:sqs:${this.options.region}:${this.options.account}:${name}`;
  }

  urlOf({ name }: Queue): string {
    return `${this.options.endpoint()}/${this.options.account}/${name}`;
  }

  /** The order of the message that came last, to any queue. */
  get lastOrder(): number {
    return this.#order;
  }

  /** Those that are there, by name. */
  get all(): Queue[] {
    return [...this.#queues.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  named(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  byArn(arn: string): Queue | undefined {
    const name = arn.slice(arn.lastIndexOf(':') + 1);
    return this.arnOf(name) === arn ? this.#queues.get(name) : undefined;
  }

  /** The queue of a URL, whatever its host is, with what is due visible and what is too old gone. */
  at(url: string): Queue {
    const queue = this.#queues.get(this.#nameOf(url));
    if (!queue) throw noSuchQueue();
    this.settle(queue);
    return queue;
  }

  /** What a URL's last two parts say; empty for another account's queue. Callers use the same few all the time. */
  #nameOf(url: string): string {
    let name = this.#names.get(url);
    if (name === undefined) {
      const [, account, last = ''] = /(?:([^/:]*)\/)?([^/:]+)\/?$/.exec(url) ?? [];
      name = account === undefined || account === this.options.account ? last : '';
      if (this.#names.size >= 1000) this.#names.clear();
      this.#names.set(url, name);
    }
    return name;
  }

  of(input: Input): Queue {
    return this.at(requiredText(input, 'QueueUrl'));
  }

  settle(queue: Queue): void {
    const { now } = this;
    queue.settle(now);
    const expired = queue.expire(now);
    if (expired.length === 0) return;
    const { storage } = this.options;
    storage.transaction(() => expired.forEach((message) => storage.deleteMessage(message)));
    for (const message of expired) this.onExpiry(queue.name, message);
  }

  /** Writes a new queue, or what changed of one. */
  put(record: QueueRecord): Queue {
    this.options.storage.putQueue(record);
    const queue = this.#queues.get(record.name);
    if (queue) {
      queue.attributes = record.attributes;
      queue.tags = record.tags;
      queue.modifiedAt = record.modifiedAt;
      queue.wake();
      return queue;
    }
    const created = new Queue(this.arnOf(record.name), record);
    this.#queues.set(record.name, created);
    return created;
  }

  delete(queue: Queue): void {
    const { storage } = this.options;
    storage.transaction(() => storage.deleteQueue(queue.name));
    this.#queues.delete(queue.name);
    this.#deletedAt.set(queue.name, this.now);
    queue.clear();
    queue.wake();
  }

  deletedAt(name: string): number {
    return this.#deletedAt.get(name) ?? -Infinity;
  }

  /** A message that nobody has received yet. */
  newMessage(content: Content, delaySeconds: number): Message {
    const { now } = this;
    return {
      ...content,
      id: this.options.newId(),
      order: ++this.#order,
      sentAt: now,
      sourceArn: undefined,
      visibleAt: now + delaySeconds * 1000,
      receives: 0,
      firstReceivedAt: undefined,
      receivedAt: undefined,
      state: delaySeconds > 0 ? 'delayed' : 'visible',
      place: 0,
      agePlace: 0,
    };
  }

  /** The same message in its dead-letter queue: its count and the time it was sent go with it. */
  deadLetter(message: Message, from: Queue): Message {
    return { ...message, order: ++this.#order, sourceArn: from.arn, visibleAt: this.now, receivedAt: undefined, state: 'visible' };
  }

  add(queue: Queue, messages: readonly Message[]): void {
    const { storage } = this.options;
    storage.transaction(() => messages.forEach((message) => this.#store(queue, message)));
    for (const message of messages) queue.add(message);
  }

  remove(queue: Queue, messages: readonly Message[]): void {
    if (messages.length === 0) return;
    const { storage } = this.options;
    storage.transaction(() => messages.forEach((message) => storage.deleteMessage(message)));
    for (const message of messages) queue.remove(message);
  }

  /** Writes what a receive did: whom it took, and whom it moved on. */
  received(queue: Queue, taken: readonly Message[], moves: readonly Move[]): void {
    if (taken.length + moves.length === 0) return;
    const { storage } = this.options;
    storage.transaction(() => {
      for (const message of taken) storage.updateReceives(message);
      for (const { message, to, as } of moves) {
        storage.deleteMessage(message);
        this.#store(to, as);
      }
    });
    for (const { message, to, as } of moves) {
      queue.remove(message);
      to.add(as);
    }
  }

  clear(queue: Queue): void {
    const { storage } = this.options;
    storage.transaction(() => storage.deleteMessages(queue.name));
    queue.clear();
  }

  #store(queue: Queue, message: Message): void {
    const delayedUntil = message.state === 'delayed' ? message.visibleAt : undefined;
    this.options.storage.putMessage({ ...message, queue: queue.name, delayedUntil });
  }
}
