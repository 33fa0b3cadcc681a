import type { FailureClass } from './errors.ts';

/** Name of the message attribute that says why a message lies in a dead-letter queue. */
export const failureAttribute = 'failure';

/** Why a message lies in a dead-letter queue: the `failure` attribute, as JSON. Times in milliseconds since 1970. */
export interface DeadLetterReason {
  readonly class: FailureClass;
  readonly consumer: string;
  readonly error: string;
  /** Same failure, same fingerprint: what triage groups by. */
  readonly fingerprint: string;
  /** How often it failed for this reason, counted by the consumer itself. */
  readonly attempts: number;
  readonly firstFailedAt: number;
  readonly lastFailedAt: number;
  /** How often SQS delivered it, whatever became of it. */
  readonly receives: number;
  readonly correlationId?: string;
}

/** A message of a dead-letter queue, as SQS gives it. */
export interface DeadLetterMessage {
  readonly Body?: string | undefined;
  readonly MessageAttributes?: Readonly<Record<string, { readonly StringValue?: string | undefined }>> | undefined;
}

/** One message that somebody must look at, however many copies of it lie in the queue. */
export interface DeadLetter<Message extends DeadLetterMessage = DeadLetterMessage> {
  /** Id of its envelope; undefined when the body has none that can be read. */
  readonly messageId: string | undefined;
  /** UNACKNOWLEDGED: SQS itself gave it up, because its consumer died or never began each time. Nobody could write down why. */
  readonly reason: DeadLetterReason | 'UNACKNOWLEDGED';
  /** More than one when a consumer died between the move and the acknowledgement: the message was moved again. */
  readonly copies: readonly Message[];
}

/** Reads the messages of one dead-letter queue. Copies of one message, told by the envelope's id, become one letter with the reason of the first that has one. */
export function readDeadLetters<Message extends DeadLetterMessage>(messages: readonly Message[]): DeadLetter<Message>[] {
  const letters = new Map<string, { messageId: string | undefined; reason: DeadLetter['reason']; copies: Message[] }>();
  for (const message of messages) {
    const messageId = envelopeIdOf(message.Body ?? '');
    const key = messageId ?? `body ${message.Body ?? ''}`;
    const letter = letters.get(key) ?? { messageId, reason: 'UNACKNOWLEDGED' as const, copies: [] };
    letter.copies.push(message);
    if (letter.reason === 'UNACKNOWLEDGED') letter.reason = reasonOf(message);
    letters.set(key, letter);
  }
  return [...letters.values()];
}

function reasonOf({ MessageAttributes }: DeadLetterMessage): DeadLetter['reason'] {
  const text = MessageAttributes?.[failureAttribute]?.StringValue;
  try {
    return text === undefined ? 'UNACKNOWLEDGED' : (JSON.parse(text) as DeadLetterReason);
  } catch {
    return 'UNACKNOWLEDGED';
  }
}

function envelopeIdOf(body: string): string | undefined {
  try {
    const { messageId } = JSON.parse(body) as { messageId?: unknown };
    return typeof messageId === 'string' ? messageId : undefined;
  } catch {
    return undefined;
  }
}
