import type { SQSClient } from '@aws-sdk/client-sqs';

export interface Attribute {
  readonly DataType: string;
  readonly StringValue?: string;
}

/** A message in a queue. Times in milliseconds since 1970. */
export interface Message {
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly groupId: string | undefined;
  readonly sentAt: number;
  visibleAt: number;
  receives: number;
  firstReceivedAt: number | undefined;
  receipt: string | undefined;
}

export interface QueueSettings {
  readonly visibilitySeconds: number;
  readonly retentionSeconds: number;
  /** Where SQS itself moves a message that was received this often. */
  readonly redrive?: { readonly to: string; readonly after: number };
}

interface Queue extends QueueSettings {
  readonly messages: Message[];
}

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly MessageGroupId?: string;
  readonly MessageAttributes?: Readonly<Record<string, Attribute>>;
}

export interface QueueInput extends Partial<Entry> {
  readonly QueueUrl: string;
  readonly Entries?: readonly Entry[];
  readonly ReceiptHandle?: string;
  readonly VisibilityTimeout?: number;
  readonly MaxNumberOfMessages?: number;
}

export interface QueueCall {
  readonly operation: string;
  readonly input: QueueInput;
}

class QueueProblem extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

/** SQS allows tab, line feed, carriage return and what XML 1.0 calls a character. */
const allowed = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;
const maxBytes = 1_048_576;

/**
 * SQS standard queues as far as this system uses them, in memory and synchronous. It passes the contract tests that the
 * emulator passes. Which messages a receive picks may be the caller's choice: a standard queue promises no order.
 */
export class MemoryQueues {
  readonly #queues = new Map<string, Queue>();
  readonly #now: () => number;
  #count = 0;
  /** Told of each message that SQS itself moves to a dead-letter queue. */
  onRedrive: (url: string, message: Message) => void = () => undefined;
  /** Told of each message that is older than its queue keeps messages. */
  onExpiry: (url: string, message: Message) => void = () => undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  create(url: string, settings: QueueSettings): void {
    this.#queues.set(url, { ...settings, messages: [] });
  }

  /** What lies in a queue, in flight or not, after what is too old was dropped. */
  messages(url: string): readonly Message[] {
    const { messages, retentionSeconds } = this.#queue(url);
    const oldest = this.#now() - retentionSeconds * 1000;
    for (let i = messages.length - 1; i >= 0; i--) if (messages[i]!.sentAt < oldest) this.onExpiry(url, messages.splice(i, 1)[0]!);
    return messages;
  }

  purge(url: string): Message[] {
    return this.#queue(url).messages.splice(0);
  }

  remove(url: string, message: Message): void {
    const { messages } = this.#queue(url);
    const at = messages.indexOf(message);
    if (at >= 0) messages.splice(at, 1);
  }

  /** Takes visible messages; those that were received too often go to the dead-letter queue instead, as they are. */
  receive(url: string, max: number, choose: (visible: Message[]) => Message[] = (visible) => visible, hideSeconds?: number): Message[] {
    const queue = this.#queue(url);
    const now = this.#now();
    const visible = this.messages(url).filter(({ visibleAt }) => visibleAt <= now);
    const taken: Message[] = [];
    for (const message of choose(visible)) {
      if (queue.redrive && message.receives >= queue.redrive.after) {
        this.remove(url, message);
        this.#queue(queue.redrive.to).messages.push({ ...message, visibleAt: now });
        this.onRedrive(url, message);
        continue;
      }
      if (taken.length === max) break;
      message.receives++;
      message.firstReceivedAt ??= now;
      message.visibleAt = now + (hideSeconds ?? queue.visibilitySeconds) * 1000;
      message.receipt = `${message.id}/${message.receives}`;
      taken.push(message);
    }
    return taken;
  }

  execute({ operation, input }: QueueCall): Record<string, unknown> {
    switch (operation) {
      case 'SendMessage':
        return { MessageId: this.#send(input.QueueUrl, { Id: '', ...input } as Entry) };
      case 'SendMessageBatch':
        return this.#sendBatch(input.QueueUrl, input.Entries ?? []);
      case 'ReceiveMessage':
        return {
          Messages: this.receive(input.QueueUrl, input.MaxNumberOfMessages ?? 1, undefined, input.VisibilityTimeout).map((message) => ({
            MessageId: message.id,
            ReceiptHandle: message.receipt,
            Body: message.body,
            MessageAttributes: message.attributes,
            Attributes: {
              ApproximateReceiveCount: String(message.receives),
              ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
              SentTimestamp: String(message.sentAt),
            },
          })),
        };
      case 'ChangeMessageVisibility': {
        const message = this.#received(input);
        if (message) message.visibleAt = this.#now() + input.VisibilityTimeout! * 1000;
        return {};
      }
      case 'DeleteMessage': {
        const message = this.#received(input);
        if (message) this.remove(input.QueueUrl, message);
        return {};
      }
      case 'GetQueueAttributes': {
        const messages = this.messages(input.QueueUrl);
        const visible = messages.filter(({ visibleAt }) => visibleAt <= this.#now()).length;
        return {
          Attributes: {
            ApproximateNumberOfMessages: String(visible),
            ApproximateNumberOfMessagesNotVisible: String(messages.length - visible),
          },
        };
      }
      default:
        throw new Error(`the in-memory queues do not know ${operation}`);
    }
  }

  /** A receipt of an earlier receive still names its message: a late acknowledgement deletes what was received again meanwhile. */
  #received({ QueueUrl, ReceiptHandle = '' }: QueueInput): Message | undefined {
    const id = ReceiptHandle.split('/')[0];
    return this.#queue(QueueUrl).messages.find((message) => message.id === id);
  }

  #sendBatch(url: string, entries: readonly Entry[]): Record<string, unknown> {
    if (entries.length === 0 || entries.length > 10) throw new QueueProblem('TooManyEntriesInBatchRequest', 'a batch has 1 to 10 entries');
    if (new Set(entries.map(({ Id }) => Id)).size < entries.length) throw new QueueProblem('BatchEntryIdsNotDistinct', 'ids must differ');
    const size = entries.reduce((bytes, { MessageBody }) => bytes + Buffer.byteLength(MessageBody), 0);
    if (size > maxBytes) throw new QueueProblem('BatchRequestTooLong', `a batch is at most ${maxBytes} bytes`);
    const Successful: unknown[] = [];
    const Failed: unknown[] = [];
    for (const entry of entries) {
      try {
        Successful.push({ Id: entry.Id, MessageId: this.#send(url, entry) });
      } catch (error) {
        Failed.push({ Id: entry.Id, SenderFault: true, Code: (error as Error).name, Message: (error as Error).message });
      }
    }
    return { Successful, ...(Failed.length > 0 ? { Failed } : {}) };
  }

  #send(url: string, { MessageBody, MessageAttributes = {}, MessageGroupId }: Entry): string {
    const values = Object.values(MessageAttributes).map(({ StringValue = '' }) => StringValue);
    if (MessageBody === '' || ![MessageBody, ...values].every((text) => allowed.test(text))) {
      throw new QueueProblem('InvalidMessageContents', 'the message is empty or contains a character that is not allowed');
    }
    const now = this.#now();
    const id = `sqs-${++this.#count}`;
    this.#queue(url).messages.push({
      id,
      body: MessageBody,
      attributes: MessageAttributes,
      groupId: MessageGroupId,
      sentAt: now,
      visibleAt: now,
      receives: 0,
      firstReceivedAt: undefined,
      receipt: undefined,
    });
    return id;
  }

  #queue(url: string): Queue {
    const queue = this.#queues.get(url);
    if (!queue) throw new QueueProblem('QueueDoesNotExist', `there is no queue ${url}`);
    return queue;
  }
}

/** The client of SQS over one function that runs calls. */
export function queuePort(run: (call: QueueCall) => Promise<Record<string, unknown>>): SQSClient {
  const send = (command: object): Promise<unknown> =>
    run({ operation: command.constructor.name.replace('Command', ''), input: (command as { input: QueueInput }).input });
  return { send, destroy: () => undefined } as unknown as SQSClient;
}
