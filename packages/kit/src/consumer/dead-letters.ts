import type { FailureClass } from '../errors.ts';

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

/**
 * Reads the messages of one dead-letter queue. Copies of one message become one letter with the reason of the first that has one. A copy has the
 * same body, byte by byte: a redrive deletes copies, and sharing an id is not enough for that.
 */
export function readDeadLetters<Message extends DeadLetterMessage>(messages: readonly Message[]): DeadLetter<Message>[] {
  const letters = new Map<string, { messageId: string | undefined; reason: DeadLetter['reason']; copies: Message[] }>();
  for (const message of messages) {
    const body = message.Body ?? '';
    const letter = letters.get(body) ?? { messageId: envelopeIdOf(body), reason: 'UNACKNOWLEDGED' as const, copies: [] };
    letter.copies.push(message);
    if (letter.reason === 'UNACKNOWLEDGED') letter.reason = reasonOf(message);
    letters.set(body, letter);
  }
  return [...letters.values()];
}

function reasonOf({ MessageAttributes }: DeadLetterMessage): DeadLetter['reason'] {
  const reason = parsed(MessageAttributes?.[failureAttribute]?.StringValue ?? '') as Partial<DeadLetterReason> | null | undefined;
  // Somebody else may have put anything there by hand.
  return typeof reason?.fingerprint === 'string' ? (reason as DeadLetterReason) : 'UNACKNOWLEDGED';
}

function envelopeIdOf(body: string): string | undefined {
  const envelope = parsed(body) as { readonly messageId?: unknown } | null | undefined;
  return typeof envelope?.messageId === 'string' ? envelope.messageId : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
