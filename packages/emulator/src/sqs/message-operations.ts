import { AwsError } from '../aws-error.ts';
import type { Directory, Move } from './directory.ts';
import { invalidValue, missing, queryErrorOf, unknownAttribute } from './errors.ts';
import { entriesOf, integerOf, requiredText, textOf, textsOf, type Input } from './input.ts';
import {
  checkContent,
  contentOf,
  digestOf,
  digestOfAttributes,
  maxBytes,
  sizeOf,
  type Content,
  type Message,
  type MessageAttributes,
} from './message.ts';
import type { Queue } from './queue.ts';
import { messageIdOf, receiptOf } from './receipts.ts';

type Output = Record<string, unknown>;
/** Which of the visible messages a receive takes, and in which order; they come oldest first. */
export type Choose = (visible: Message[]) => Message[];

const maxBatch = 10;
const maxInFlight = 120_000;
const maxVisibilitySeconds = 43_200;
const maxDelaySeconds = 900;
const maxWaitSeconds = 20;
const entryId = /^[\w-]{1,80}$/;

const systemAttributes = new Set([
  'All',
  'ApproximateFirstReceiveTimestamp',
  'ApproximateReceiveCount',
  'AWSTraceHeader',
  'DeadLetterQueueSourceArn',
  'MessageDeduplicationId',
  'MessageGroupId',
  'SenderId',
  'SentTimestamp',
  'SequenceNumber',
]);

/** What SQS does with messages. */
export class MessageOperations {
  readonly #directory: Directory;
  readonly #digests: boolean;
  /** Told of each message that is moved to a dead-letter queue. */
  onRedrive: (queue: string, message: Message) => void = () => undefined;

  /** @param digests whether answers have the checksums that SDKs compare */
  constructor(directory: Directory, digests: boolean) {
    this.#directory = directory;
    this.#digests = digests;
  }

  sendMessage(input: Input): Output {
    const queue = this.#directory.of(input);
    const message = this.#newMessage(queue, input, contentOf(input, requiredText(input, 'MessageBody')));
    this.#directory.add(queue, [message]);
    return this.#sent(message);
  }

  sendMessageBatch(input: Input): Output {
    const queue = this.#directory.of(input);
    const entries = batchOf(input, 'SendMessageBatchRequestEntry');
    const contents = entries.map((entry, i) => {
      const body = textOf(entry, 'MessageBody');
      if (!body) throw missing(`SendMessageBatchRequestEntry.${i + 1}.MessageBody`);
      return contentOf(entry, body);
    });
    const bytes = contents.reduce((sum, content) => sum + sizeOf(content), 0);
    if (bytes > maxBytes)
      throw new AwsError('BatchRequestTooLong', `Batch requests cannot be longer than ${maxBytes} bytes. You have sent ${bytes} bytes.`);
    const messages: Message[] = [];
    const answer = eachOf(entries, (entry, i) => {
      const message = this.#newMessage(queue, entry, contents[i]!);
      messages.push(message);
      return this.#sent(message);
    });
    this.#directory.add(queue, messages);
    return answer;
  }

  #newMessage(queue: Queue, input: Input, content: Content): Message {
    const delay = integerOf(input, 'DelaySeconds');
    if (delay !== undefined && (delay < 0 || delay > maxDelaySeconds))
      throw invalidValue(delay, 'DelaySeconds', `DelaySeconds must be >= 0 and <= ${maxDelaySeconds}.`);
    checkContent(content, queue.number('MaximumMessageSize'));
    return this.#directory.newMessage(content, delay ?? queue.number('DelaySeconds'));
  }

  #sent({ id, body, attributes, traceHeader }: Message): Output {
    if (!this.#digests) return { MessageId: id };
    const ofAttributes = digestOfAttributes(attributes);
    const ofSystem = traceHeader && digestOfAttributes({ AWSTraceHeader: { DataType: 'String', StringValue: traceHeader } });
    return {
      MessageId: id,
      MD5OfMessageBody: digestOf(body),
      ...(ofAttributes ? { MD5OfMessageAttributes: ofAttributes } : {}),
      ...(ofSystem ? { MD5OfMessageSystemAttributes: ofSystem } : {}),
    };
  }

  /** How long a receive waits for the first message. */
  waitSeconds(input: Input): number {
    return waitOf(input) ?? this.#directory.of(input).number('ReceiveMessageWaitTimeSeconds');
  }

  receiveMessage(input: Input): Output {
    const queue = this.#directory.of(input);
    const max = integerOf(input, 'MaxNumberOfMessages') ?? 1;
    if (max < 1 || max > maxBatch) throw invalidValue(max, 'MaxNumberOfMessages', `Must be between 1 and ${maxBatch}, if provided.`);
    const wait = waitOf(input) ?? queue.number('ReceiveMessageWaitTimeSeconds');
    const visibility = visibilityOf(input);
    const system = new Set([...textsOf(input, 'AttributeNames'), ...textsOf(input, 'MessageSystemAttributeNames')]);
    for (const name of system) if (!systemAttributes.has(name)) throw unknownAttribute(name);
    const names = textsOf(input, 'MessageAttributeNames');
    // One that waits is not refused: somebody may delete something meanwhile.
    if (queue.inFlight >= maxInFlight && wait === 0)
      throw new AwsError('OverLimit', `Too many messages in flight: a queue has at most ${maxInFlight}.`);
    const messages = this.receive(queue, max, undefined, visibility);
    if (messages.length === 0) return {};
    return { Messages: messages.map((message) => this.#received(queue, message, system, names)) };
  }

  /** Takes visible messages; those that were received too often go to the dead-letter queue instead. */
  receive(queue: Queue, max: number, choose?: Choose, hideSeconds = queue.number('VisibilityTimeout')): Message[] {
    const { now } = this.#directory;
    const most = Math.min(max, maxInFlight - queue.inFlight);
    const { redrive } = queue;
    const taken: Message[] = [];
    const moves: Move[] = [];
    const takes = (message: Message): boolean => {
      const to = redrive && message.receives >= redrive.maxReceiveCount ? this.#directory.byArn(redrive.deadLetterTargetArn) : undefined;
      if (to) moves.push({ message, to, as: this.#directory.deadLetter(message, queue) });
      else if (taken.length < most) taken.push(message);
      else return false;
      return true;
    };
    queue.take(takes, choose);
    if (taken.length + moves.length === 0) return taken;
    const before = taken.map(({ receives, firstReceivedAt }) => ({ receives, firstReceivedAt }));
    for (const message of taken) {
      message.receives++;
      message.firstReceivedAt ??= now;
    }
    try {
      this.#directory.received(queue, taken, moves);
    } catch (error) {
      taken.forEach((message, i) => Object.assign(message, before[i]));
      for (const message of [...taken, ...moves.map((move) => move.message)]) queue.hide(message, now);
      throw error;
    }
    for (const message of taken) {
      message.receivedAt = now;
      queue.hide(message, now + hideSeconds * 1000);
    }
    for (const { message } of moves) this.onRedrive(queue.name, message);
    return taken;
  }

  #received(queue: Queue, message: Message, system: ReadonlySet<string>, names: readonly string[]): Output {
    const attributes = selected(message.attributes, names);
    const digest = this.#digests ? digestOfAttributes(attributes) : undefined;
    const shown = Object.entries(this.#systemAttributes(message)).filter(
      ([name, value]) => value !== undefined && (system.has('All') || system.has(name)),
    );
    return {
      MessageId: message.id,
      ReceiptHandle: receiptOf(queue, message),
      ...(this.#digests ? { MD5OfBody: digestOf(message.body) } : {}),
      Body: message.body,
      ...(shown.length > 0 ? { Attributes: Object.fromEntries(shown) } : {}),
      ...(digest ? { MD5OfMessageAttributes: digest } : {}),
      ...(Object.keys(attributes).length > 0 ? { MessageAttributes: attributes } : {}),
    };
  }

  #systemAttributes(message: Message): Record<string, string | undefined> {
    return {
      SenderId: this.#directory.options.account,
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
      ApproximateReceiveCount: String(message.receives),
      SentTimestamp: String(message.sentAt),
      MessageGroupId: message.groupId,
      AWSTraceHeader: message.traceHeader,
      DeadLetterQueueSourceArn: message.sourceArn,
    };
  }

  deleteMessage(input: Input): Output {
    const queue = this.#directory.of(input);
    this.#directory.remove(queue, this.#named(queue, input));
    return {};
  }

  deleteMessageBatch(input: Input): Output {
    const queue = this.#directory.of(input);
    const gone = new Set<Message>();
    const answer = eachOf(batchOf(input, 'DeleteMessageBatchRequestEntry'), (entry) => {
      for (const message of this.#named(queue, entry)) gone.add(message);
      return {};
    });
    this.#directory.remove(queue, [...gone]);
    return answer;
  }

  changeMessageVisibility(input: Input): Output {
    this.#changeVisibility(this.#directory.of(input), input);
    return {};
  }

  changeMessageVisibilityBatch(input: Input): Output {
    const queue = this.#directory.of(input);
    return eachOf(batchOf(input, 'ChangeMessageVisibilityBatchRequestEntry'), (entry) => {
      this.#changeVisibility(queue, entry);
      return {};
    });
  }

  #changeVisibility(queue: Queue, input: Input): void {
    const [message] = this.#named(queue, input);
    const timeout = visibilityOf(input);
    if (timeout === undefined) throw missing('VisibilityTimeout');
    if (!message)
      throw invalidValue(
        input['ReceiptHandle'],
        'ReceiptHandle',
        'Message does not exist or is not available for visibility timeout change.',
      );
    // AWS documents MessageNotInflight for one that is visible again, but answers as if it had done it, and leaves the message as it is.
    if (message.state !== 'in flight') return;
    const { now } = this.#directory;
    if (now + timeout * 1000 > message.receivedAt! + maxVisibilitySeconds * 1000)
      throw invalidValue(
        timeout,
        'VisibilityTimeout',
        `Total VisibilityTimeout for the message is beyond the limit [${maxVisibilitySeconds} seconds]`,
      );
    queue.hide(message, now + timeout * 1000);
    queue.wake();
  }

  /** The message of a receipt, unless it is gone. A receipt of an earlier receive names it as well. */
  #named(queue: Queue, input: Input): Message[] {
    const message = queue.find(messageIdOf(queue, requiredText(input, 'ReceiptHandle')));
    return message ? [message] : [];
  }
}

function waitOf(input: Input): number | undefined {
  const wait = integerOf(input, 'WaitTimeSeconds');
  if (wait !== undefined && (wait < 0 || wait > maxWaitSeconds))
    throw invalidValue(wait, 'WaitTimeSeconds', `Must be >= 0 and <= ${maxWaitSeconds}, if provided.`);
  return wait;
}

function visibilityOf(input: Input): number | undefined {
  const timeout = integerOf(input, 'VisibilityTimeout');
  if (timeout !== undefined && (timeout < 0 || timeout > maxVisibilitySeconds))
    throw invalidValue(timeout, 'VisibilityTimeout', `Must be between 0 and ${maxVisibilitySeconds}, if provided.`);
  return timeout;
}

/** All, those of a name, or those whose names begin with what stands before `.*`. */
function selected(attributes: MessageAttributes, names: readonly string[]): MessageAttributes {
  if (names.length === 0 || Object.keys(attributes).length === 0) return {};
  if (names.some((name) => name === 'All' || name === '.*' || name === '*')) return attributes;
  const matches = (attribute: string): boolean =>
    names.some((name) => name === attribute || (name.endsWith('.*') && attribute.startsWith(name.slice(0, -2))));
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => matches(name)));
}

/** @param what AWS calls an entry of this batch */
function batchOf(input: Input, what: string): readonly Input[] {
  const entries = entriesOf(input);
  if (entries.length === 0) throw new AwsError('EmptyBatchRequest', `There should be at least one ${what} in the request.`);
  if (entries.length > maxBatch)
    throw new AwsError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${maxBatch}. You have sent ${entries.length}.`,
    );
  const ids = new Set<string>();
  for (const entry of entries) {
    const id = textOf(entry, 'Id') ?? '';
    if (!entryId.test(id))
      throw new AwsError(
        'InvalidBatchEntryId',
        'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
      );
    if (ids.has(id)) throw new AwsError('BatchEntryIdsNotDistinct', `Id ${id} repeated.`);
    ids.add(id);
  }
  return entries;
}

/** Carries out each entry of a batch by itself, and says of each what became of it. */
function eachOf(entries: readonly Input[], run: (entry: Input, i: number) => Output): Output {
  const Successful: Output[] = [];
  const Failed: Output[] = [];
  entries.forEach((entry, i) => {
    try {
      Successful.push({ Id: entry['Id'], ...run(entry, i) });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      Failed.push({ Id: entry['Id'], SenderFault: true, Code: queryErrorOf(error.name).code, Message: error.message });
    }
  });
  return { ...(Successful.length > 0 ? { Successful } : {}), ...(Failed.length > 0 ? { Failed } : {}) };
}
