import type { Envelope } from '@outbox-saga/kit/messages/envelope';

const read = new Map<string, Envelope | undefined>();
const mostRead = 10_000;

/** What a body says; undefined where it is no JSON. The same text comes by at each step of its way, and is parsed once. */
function tryEnvelopeOf(body: string): Envelope | undefined {
  if (read.has(body)) return read.get(body);
  let envelope: Envelope | undefined;
  try {
    envelope = JSON.parse(body) as Envelope;
  } catch {
    // A poison message.
  }
  if (read.size >= mostRead) read.clear();
  read.set(body, envelope);
  return envelope;
}

/** What a message of ours says. @throws Error when it is no JSON */
export function envelopeOf(body: string): Envelope {
  const envelope = tryEnvelopeOf(body);
  if (!envelope) throw new Error(`this is no message: ${body}`);
  return envelope;
}

/** The message id in a body; the body itself where there is none. */
export const idOf = (body: string): string => tryEnvelopeOf(body)?.messageId ?? body;
