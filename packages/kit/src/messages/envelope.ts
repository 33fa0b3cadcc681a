import * as z from 'zod';
import { PermanentError } from '../errors.ts';

export const messageKinds = ['command', 'event'] as const;
export type MessageKind = (typeof messageKinds)[number];

/**
 * What every message carries, whatever it is about. Times in milliseconds since 1970.
 * Version 1 of the envelope; a field may be added, never renamed (see docs/evolution.md).
 */
export const envelopeSchema = z.object({
  /** Time-ordered and unique: 26 characters of Crockford's base 32. Consumers recognise a duplicate by it. */
  messageId: z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/, 'must be a 26-character time-ordered id'),
  type: z.string().min(1).max(64),
  /** Version of the shape of `data` for this type, from 1. */
  version: z.int().min(1),
  kind: z.enum(messageKinds),
  /** Partition key of the outbox row: what the message is about. */
  aggregateId: z.string().min(1).max(128),
  /** Gapless number of this message in its aggregate's history, from 1. Absent on messages that change no aggregate version. */
  sequence: z.int().min(1).optional(),
  /** Fair-queue group (MessageGroupId): a hash, at most 128 ASCII characters. */
  groupId: z.string().regex(/^[!-~]{1,128}$/),
  correlationId: z.string().regex(/^[!-~]{1,128}$/),
  /** Id of the message, or of the request, that caused this one. */
  causationId: z.string().min(1).max(128),
  /** W3C trace context. */
  traceparent: z.string().max(128).optional(),
  occurredAt: z.int().min(0),
  data: z.unknown(),
});

/** One message with its payload type. */
export interface Envelope<Type extends string = string, Data = unknown> {
  readonly messageId: string;
  readonly type: Type;
  readonly version: number;
  readonly kind: MessageKind;
  readonly aggregateId: string;
  readonly sequence?: number | undefined;
  readonly groupId: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent?: string | undefined;
  readonly occurredAt: number;
  readonly data: Data;
}

/**
 * Writes a message as JSON in ASCII only. SQS refuses some characters (noncharacters, most control characters),
 * so everything outside printable ASCII is escaped: no input can make a message unsendable.
 */
export function encodeEnvelope(envelope: Envelope): string {
  return JSON.stringify(envelope).replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Reads a message's JSON. The payload stays unparsed: its schema depends on type and version.
 *
 * @throws PermanentError that names every field that is wrong
 */
export function decodeEnvelope(text: string): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not with the parser's error as its cause: that quotes the body, and this one is logged.
    throw new PermanentError('message body is not JSON');
  }
  const parsed = envelopeSchema.safeParse(value);
  if (!parsed.success) throw new PermanentError(`message envelope is malformed: ${issuesOf(parsed.error)}`);
  return parsed.data;
}

/** A schema error as one line: `data.items.0.qty: expected number`. */
export function issuesOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`).join('; ');
}
