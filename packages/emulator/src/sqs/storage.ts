import type { Message } from './message.ts';
import type { QueueRecord } from './queue.ts';

/** A message as it outlives the process. Who had received it does not: it is visible again, unless it is delayed. */
export interface StoredMessage extends Omit<Message, 'place' | 'agePlace' | 'visibleAt' | 'receivedAt' | 'state'> {
  readonly queue: string;
  /** Until when it is delayed; undefined when it is not. */
  readonly delayedUntil: number | undefined;
}

/** Where queues and messages are kept beyond the process. All of it lies in memory as well: this is written, and read once. */
export interface QueueStorage {
  queues(): Iterable<QueueRecord>;
  /** In their order. */
  messages(): Iterable<StoredMessage>;
  putQueue(queue: QueueRecord): void;
  deleteQueue(name: string): void;
  putMessage(message: StoredMessage): void;
  /** Writes how often a message was received. */
  updateReceives(message: Message): void;
  deleteMessage(message: Message): void;
  deleteMessages(queue: string): void;
  /** Runs writes that are kept together or not at all. */
  transaction(writes: () => void): void;
}

const nothing = (): void => undefined;

/** Keeps nothing. */
export const memoryOnly: QueueStorage = {
  queues: () => [],
  messages: () => [],
  putQueue: nothing,
  deleteQueue: nothing,
  putMessage: nothing,
  updateReceives: nothing,
  deleteMessage: nothing,
  deleteMessages: nothing,
  transaction: (writes) => writes(),
};
