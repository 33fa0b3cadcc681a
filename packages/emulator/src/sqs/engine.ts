import { randomUUID } from 'node:crypto';
import { AwsError } from '../aws-error.ts';
import { Directory, type DirectoryOptions } from './directory.ts';
import type { Input } from './input.ts';
import type { Message } from './message.ts';
import { MessageOperations, type Choose } from './message-operations.ts';
import { MoveTasks } from './move-tasks.ts';
import { QueueOperations } from './queue-operations.ts';
import type { Queue } from './queue.ts';
import { receiptOf } from './receipts.ts';

export interface SqsOptions extends Omit<DirectoryOptions, 'newId'> {
  /** Makes ids of messages. */
  readonly newId?: () => string;
  /** Whether answers have the checksums that SDKs compare; true unless told otherwise. */
  readonly digests?: boolean;
}

type Output = Record<string, unknown>;
type Operation = (input: Input) => Output;

/** The longest that a timer can wait. */
const maxTimerMs = 2 ** 31 - 1;

/** SQS's standard queues, without a network: input and output are what the JSON of AWS's protocol holds. */
export class SqsEngine {
  readonly #directory: Directory;
  readonly #messages: MessageOperations;
  readonly #moves: MoveTasks;
  readonly #operations: ReadonlyMap<string, Operation>;
  readonly #stopped = new AbortController();
  #moving: NodeJS.Timeout | undefined;

  constructor({ newId = randomUUID, digests = true, ...options }: SqsOptions) {
    const directory = new Directory({ ...options, newId });
    const queues = new QueueOperations(directory);
    const messages = new MessageOperations(directory, digests);
    const moves = new MoveTasks(directory);
    this.#directory = directory;
    this.#messages = messages;
    this.#moves = moves;
    this.#operations = new Map<string, Operation>([
      ['CreateQueue', (input) => queues.createQueue(input)],
      ['DeleteQueue', (input) => queues.deleteQueue(input)],
      ['ListQueues', (input) => queues.listQueues(input)],
      ['ListDeadLetterSourceQueues', (input) => queues.listDeadLetterSourceQueues(input)],
      ['GetQueueUrl', (input) => queues.getQueueUrl(input)],
      ['GetQueueAttributes', (input) => queues.getQueueAttributes(input)],
      ['SetQueueAttributes', (input) => queues.setQueueAttributes(input)],
      ['PurgeQueue', (input) => queues.purgeQueue(input)],
      ['TagQueue', (input) => queues.tagQueue(input)],
      ['UntagQueue', (input) => queues.untagQueue(input)],
      ['ListQueueTags', (input) => queues.listQueueTags(input)],
      ['SendMessage', (input) => messages.sendMessage(input)],
      ['SendMessageBatch', (input) => messages.sendMessageBatch(input)],
      ['ReceiveMessage', (input) => messages.receiveMessage(input)],
      ['DeleteMessage', (input) => messages.deleteMessage(input)],
      ['DeleteMessageBatch', (input) => messages.deleteMessageBatch(input)],
      ['ChangeMessageVisibility', (input) => messages.changeMessageVisibility(input)],
      ['ChangeMessageVisibilityBatch', (input) => messages.changeMessageVisibilityBatch(input)],
      ['StartMessageMoveTask', (input) => moves.start(input)],
      ['CancelMessageMoveTask', (input) => moves.cancel(input)],
      ['ListMessageMoveTasks', (input) => moves.list(input)],
    ]);
  }

  /** Those that `call` runs. */
  get operations(): readonly string[] {
    return [...this.#operations.keys()];
  }

  /** Told of each message that SQS itself moves to a dead-letter queue, and of the queue that it leaves. */
  set onRedrive(told: (queue: string, message: Message) => void) {
    this.#messages.onRedrive = told;
  }

  /** Told of each message that is older than its queue keeps messages. */
  set onExpiry(told: (queue: string, message: Message) => void) {
    this.#directory.onExpiry = told;
  }

  /** Carries an operation out at once: a receive does not wait, and nothing moves messages but `advanceMoves`. @throws AwsError */
  execute(operation: string, input: Input): Output {
    const run = this.#operations.get(operation);
    if (!run) throw new AwsError('UnknownOperationException', `${operation} is not an operation that these queues know.`);
    return run(input);
  }

  /** As `execute`, and a receive waits for messages as long as it asks to, unless `signal` or `stop` ends that. */
  async call(operation: string, input: Input, signal?: AbortSignal): Promise<Output> {
    const answer = this.execute(operation, input);
    if (operation === 'StartMessageMoveTask') this.#keepMoving(0);
    return operation === 'ReceiveMessage' && !answer['Messages'] ? this.#awaitMessages(input, signal) : answer;
  }

  /** Ends what waits or moves. What is stored stays. */
  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#moving);
  }

  /** Goes on with the message move tasks. @returns in how many milliseconds there is more to do; undefined when no task runs */
  advanceMoves(): number | undefined {
    return this.#moves.advance();
  }

  async #awaitMessages(input: Input, signal: AbortSignal | undefined): Promise<Output> {
    const ends = AbortSignal.any([...(signal ? [signal] : []), this.#stopped.signal]);
    const until = this.#directory.now + this.#messages.waitSeconds(input) * 1000;
    for (;;) {
      const { now } = this.#directory;
      // Whoever is gone must not get a message any more: nobody else would, until its visibility timeout.
      if (ends.aborted || now >= until) return {};
      const queue = this.#directory.of(input);
      await changed(queue, Math.min(until, queue.nextVisibleAt ?? Infinity) - now, ends);
      if (ends.aborted) return {};
      const answer = this.execute('ReceiveMessage', input);
      if (answer['Messages']) return answer;
    }
  }

  #keepMoving(afterMs: number): void {
    clearTimeout(this.#moving);
    if (this.#stopped.signal.aborted) return;
    this.#moving = setTimeout(() => {
      const next = this.advanceMoves();
      if (next !== undefined) this.#keepMoving(next);
    }, afterMs);
  }

  // --- for who runs the queues ---

  /** What lies in a queue, visible or not, in the order in which it came. */
  messages(url: string): Message[] {
    return [...this.#directory.at(url).messages];
  }

  /** When a message of a queue is visible next; in the past when one is; undefined when it is empty. */
  nextVisibleAt(url: string): number | undefined {
    const queue = this.#directory.at(url);
    return queue.firstVisible?.visibleAt ?? queue.nextVisibleAt;
  }

  /** Receives messages, of which `choose` may take any, in any order. */
  receive(url: string, max: number, choose?: Choose, hideSeconds?: number): Message[] {
    return this.#messages.receive(this.#directory.at(url), max, choose, hideSeconds);
  }

  /** What whoever receives a message deletes it with. */
  receiptOf(url: string, message: Message): string {
    return receiptOf(this.#directory.at(url), message);
  }

  /** Hides a message that is in hand until then. */
  hideUntil(url: string, message: Message, until: number): void {
    this.#directory.at(url).hide(message, until);
  }

  /** Deletes a message, if it is still there. */
  remove(url: string, { id }: Message): void {
    const queue = this.#directory.at(url);
    const message = queue.find(id);
    if (message) this.#directory.remove(queue, [message]);
  }

  /** Deletes all messages of a queue. @returns them */
  purge(url: string): Message[] {
    const queue = this.#directory.at(url);
    const messages = [...queue.messages];
    this.#directory.clear(queue);
    return messages;
  }
}

/** Waits until something changed in a queue, the time is over or `ends` ends it. */
function changed(queue: Queue, milliseconds: number, ends: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      forget();
      ends.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, Math.min(milliseconds, maxTimerMs));
    const forget = queue.onChange(wake);
    ends.addEventListener('abort', wake, { once: true });
  });
}
