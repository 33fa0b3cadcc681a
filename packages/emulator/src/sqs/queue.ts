import { defaults, type QueueAttributes, type RedrivePolicy } from './attributes.ts';
import { Heap } from './heap.ts';
import type { Message } from './message.ts';

export interface QueueRecord {
  readonly name: string;
  readonly attributes: QueueAttributes;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

const none: readonly Message[] = [];

/** One queue and what lies in it. It knows nothing of storage or of other queues. */
export class Queue {
  readonly name: string;
  readonly arn: string;
  readonly createdAt: number;
  modifiedAt: number;
  tags: Readonly<Record<string, string>>;
  purgedAt = -Infinity;
  /** Only those that were set. */
  #attributes: QueueAttributes = {};
  readonly #numbers = new Map<string, number>();
  #redrive: RedrivePolicy | undefined;
  /** By id, in the order in which they came. */
  readonly #messages = new Map<string, Message>();
  /** The oldest first, also when it was hidden meanwhile. */
  readonly #visible = new Heap<Message>('place', (a, b) => a.order < b.order);
  /** In flight or delayed: who is visible next first. */
  readonly #hidden = new Heap<Message>('place', (a, b) => a.visibleAt < b.visibleAt || (a.visibleAt === b.visibleAt && a.order < b.order));
  readonly #aged = new Heap<Message>('agePlace', (a, b) => a.sentAt < b.sentAt);
  readonly #waiting = new Set<() => void>();
  #delayed = 0;

  constructor(arn: string, { name, attributes, tags, createdAt, modifiedAt }: QueueRecord) {
    this.name = name;
    this.arn = arn;
    this.createdAt = createdAt;
    this.modifiedAt = modifiedAt;
    this.tags = tags;
    this.attributes = attributes;
  }

  get attributes(): QueueAttributes {
    return this.#attributes;
  }

  set attributes(attributes: QueueAttributes) {
    this.#attributes = attributes;
    this.#numbers.clear();
    const policy = attributes['RedrivePolicy'];
    this.#redrive = policy === undefined ? undefined : (JSON.parse(policy) as RedrivePolicy);
  }

  get record(): QueueRecord {
    const { name, attributes, tags, createdAt, modifiedAt } = this;
    return { name, attributes, tags, createdAt, modifiedAt };
  }

  get redrive(): RedrivePolicy | undefined {
    return this.#redrive;
  }

  number(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) this.#numbers.set(name, (number = Number(this.#attributes[name] ?? defaults[name])));
    return number;
  }

  get visible(): number {
    return this.#visible.size;
  }

  get inFlight(): number {
    return this.#hidden.size - this.#delayed;
  }

  get delayed(): number {
    return this.#delayed;
  }

  get messages(): Iterable<Message> {
    return this.#messages.values();
  }

  /** The oldest that is visible. */
  get firstVisible(): Message | undefined {
    return this.#visible.first;
  }

  /** When the next message is visible, if none is. */
  get nextVisibleAt(): number | undefined {
    return this.#hidden.first?.visibleAt;
  }

  find(id: string): Message | undefined {
    return this.#messages.get(id);
  }

  add(message: Message): void {
    this.#messages.set(message.id, message);
    this.#aged.push(message);
    this.#place(message);
    this.wake();
  }

  remove(message: Message): void {
    if (this.#messages.get(message.id) !== message) return;
    this.#messages.delete(message.id);
    this.#aged.remove(message);
    this.#displace(message);
  }

  /** Hides a message until then. */
  hide(message: Message, until: number): void {
    this.#displace(message);
    message.visibleAt = until;
    message.state = 'in flight';
    this.#place(message);
  }

  /**
   * Offers visible messages until one is not taken; what is taken is hidden, until somebody says for how long.
   * The oldest first, or those of `choose` in its order.
   */
  take(takes: (message: Message) => boolean, choose?: (visible: Message[]) => Message[]): void {
    if (choose) {
      const visible = this.#visible.first ? [...this.#messages.values()].filter(({ state }) => state === 'visible') : [];
      for (const message of choose(visible)) {
        if (!takes(message)) return;
        this.hide(message, Infinity);
      }
      return;
    }
    for (let first = this.#visible.first; first && takes(first); first = this.#visible.first) this.hide(first, Infinity);
  }

  /** Makes visible what is due. */
  settle(now: number): void {
    for (let next = this.#hidden.first; next && next.visibleAt <= now; next = this.#hidden.first) {
      this.#displace(next);
      next.state = 'visible';
      this.#place(next);
    }
  }

  /** The messages that are older than the queue keeps them; it has forgotten them already. */
  expire(now: number): readonly Message[] {
    if (!this.#aged.first) return none;
    const oldest = now - this.number('MessageRetentionPeriod') * 1000;
    const expired: Message[] = [];
    for (let next = this.#aged.first; next && next.sentAt < oldest; next = this.#aged.first) {
      this.remove(next);
      expired.push(next);
    }
    return expired;
  }

  clear(): void {
    this.#messages.clear();
    for (const heap of [this.#visible, this.#hidden, this.#aged]) heap.clear();
    this.#delayed = 0;
  }

  /** Calls `wake` whenever a message came or is visible at another time. @returns how to end that */
  onChange(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => void this.#waiting.delete(wake);
  }

  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #place(message: Message): void {
    (message.state === 'visible' ? this.#visible : this.#hidden).push(message);
    if (message.state === 'delayed') this.#delayed++;
  }

  #displace(message: Message): void {
    (message.state === 'visible' ? this.#visible : this.#hidden).remove(message);
    if (message.state === 'delayed') this.#delayed--;
  }
}
