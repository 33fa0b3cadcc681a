import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type Message,
  type MessageAttributeValue,
} from '@aws-sdk/client-sqs';
import { failureAttribute, readDeadLetters, type DeadLetter } from '@outbox-saga/kit/consumer/dead-letters';
import { decodeEnvelope, type Envelope } from '@outbox-saga/kit/messages/envelope';
import { describeError } from '@outbox-saga/kit/errors';
import type { Queues } from '@outbox-saga/kit/aws/clients';

/** A consumer and its two queues. */
export interface ConsumerQueues {
  readonly consumer: string;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
}

/** One message that lies in a dead-letter queue, and what is known of it. */
export interface Letter extends DeadLetter<Message> {
  /** What `--message` names it by: its envelope's id; SQS's own when it has none. */
  readonly id: string;
  /** Undefined when the body is no message of ours: whoever reads it again fails again. */
  readonly envelope: Envelope | undefined;
  readonly fingerprint: string;
  readonly firstFailedAt: number;
  readonly lastFailedAt: number;
}

/** What lies in one dead-letter queue, as far as it was looked at. Until they are released nobody else sees the letters. */
export interface Look {
  readonly letters: readonly Letter[];
  /** Messages received, copies counted. */
  readonly messages: number;
  /** Whether the look ended at its bound: there may be more. */
  readonly bounded: boolean;
  /** How many SQS says there are, in flight or not. It may be a minute behind. */
  readonly counted: number;
}

/** Long enough to look at a thousand messages and to redrive them; a tool that is killed hides what it took no longer than this. */
const takenSeconds = 120;
/** On the embedded SQS a message that is released with 0 seconds is lost. */
const releasedSeconds = 1;
const atOnce = 10;

/** The consumers of a stack, by the names of its outputs. */
export function consumersOf(outputs: Readonly<Record<string, string>>): ConsumerQueues[] {
  return Object.entries(outputs).flatMap(([output, deadLetterQueueUrl]) => {
    const name = /^(.+)DeadLetterQueueUrl$/.exec(output)?.[1];
    const queueUrl = name === undefined ? undefined : outputs[`${name}QueueUrl`];
    if (name === undefined || queueUrl === undefined) return [];
    return [{ consumer: name.replaceAll(/(?<=.)([A-Z])/g, '-$1').toLowerCase(), queueUrl, deadLetterQueueUrl }];
  });
}

/** Takes what lies in a dead-letter queue, at most `most` messages. */
export async function takeLetters(queues: Queues, { deadLetterQueueUrl: QueueUrl }: ConsumerQueues, most: number): Promise<Look> {
  const { Attributes = {} } = await queues.send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'ApproximateNumberOfMessagesDelayed'],
    }),
  );
  const taken = new Map<string | undefined, Message>();
  while (taken.size < most) {
    const { Messages = [] } = await queues.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: Math.min(10, most - taken.size),
        VisibilityTimeout: takenSeconds,
        // A short poll asks only some of SQS's servers and may find nothing where there is something.
        WaitTimeSeconds: 1,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['SentTimestamp'],
      }),
    );
    // By SQS's id: a standard queue may give a message twice, and only the latest receipt is good.
    for (const message of Messages) taken.set(message.MessageId, message);
    if (Messages.length === 0) break;
  }
  const counted = Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0);
  const messages = [...taken.values()];
  return { letters: readDeadLetters(messages).map(letterOf), messages: messages.length, bounded: taken.size >= most, counted };
}

function letterOf(letter: DeadLetter<Message>): Letter {
  const { messageId, reason, copies } = letter;
  const [first] = copies;
  const sentAt = Number(first!.Attributes?.SentTimestamp ?? 0);
  const known = reason === 'UNACKNOWLEDGED' ? { fingerprint: reason, firstFailedAt: sentAt, lastFailedAt: sentAt } : reason;
  const { fingerprint, firstFailedAt, lastFailedAt } = known;
  return {
    ...letter,
    id: messageId ?? first!.MessageId ?? '',
    envelope: envelopeOf(first!.Body ?? ''),
    fingerprint,
    firstFailedAt,
    lastFailedAt,
  };
}

function envelopeOf(body: string): Envelope | undefined {
  try {
    return decodeEnvelope(body);
  } catch {
    return undefined;
  }
}

/** Lets everybody see the letters again in a second. Where that fails they are seen when they were taken long enough ago. */
export async function releaseLetters(queues: Queues, { deadLetterQueueUrl }: ConsumerQueues, letters: readonly Letter[]): Promise<void> {
  const receipts = letters.flatMap(({ copies }) => copies.map(({ ReceiptHandle }) => ReceiptHandle));
  await inTens(receipts, async (ReceiptHandle) => {
    const command = { QueueUrl: deadLetterQueueUrl, ReceiptHandle, VisibilityTimeout: releasedSeconds };
    await queues.send(new ChangeMessageVisibilityCommand(command)).catch(() => undefined);
  });
}

/** What became of a letter. `kept` says why it still lies there; when it was sent all the same, its consumer absorbs the second time. */
export type Redrive = { readonly letter: Letter } & (
  | { readonly outcome: 'redriven' }
  | { readonly outcome: 'kept'; readonly sent: boolean; readonly error: string }
);

/**
 * Sends letters back to their consumer, without the reason why they failed, and deletes them, copies included. One by one: of a batch that
 * was sent and not deleted all would come twice.
 */
export async function redriveLetters(queues: Queues, consumer: ConsumerQueues, letters: readonly Letter[]): Promise<Redrive[]> {
  return inTens(letters, (letter) => redriveLetter(queues, consumer, letter));
}

async function redriveLetter(queues: Queues, consumer: ConsumerQueues, letter: Letter): Promise<Redrive> {
  let sent = false;
  try {
    await queues.send(sendCommand(consumer.queueUrl, letter));
    sent = true;
    for (const { ReceiptHandle } of letter.copies) {
      await queues.send(new DeleteMessageCommand({ QueueUrl: consumer.deadLetterQueueUrl, ReceiptHandle }));
    }
    return { letter, outcome: 'redriven' };
  } catch (error) {
    return { letter, outcome: 'kept', sent, error: describeError(error) };
  }
}

function sendCommand(QueueUrl: string, { copies, envelope }: Letter): SendMessageCommand {
  const { Body, MessageAttributes = {} } = copies[0]!;
  const kept = Object.entries(MessageAttributes).filter(([name]) => name !== failureAttribute);
  return new SendMessageCommand({
    QueueUrl,
    MessageBody: Body,
    MessageAttributes: Object.fromEntries(kept.map(([name, value]) => [name, sendable(value)])),
    ...(envelope ? { MessageGroupId: envelope.groupId } : {}),
  });
}

/** Without the lists that SQS announces for messages and does not take. */
function sendable({ DataType, StringValue, BinaryValue }: MessageAttributeValue): MessageAttributeValue {
  return { DataType, ...(StringValue === undefined ? { BinaryValue } : { StringValue }) };
}

async function inTens<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += atOnce) results.push(...(await Promise.all(items.slice(at, at + atOnce).map(work))));
  return results;
}
