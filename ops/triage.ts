import type { DeadLetterReason } from '@outbox-saga/kit/consumer/dead-letters';
import type { Queues } from '@outbox-saga/kit/aws/clients';
import { redriveLetters, releaseLetters, takeLetters, type ConsumerQueues, type Letter, type Look, type Redrive } from './dead-letters.ts';

export type Print = (line: string) => void;

/** Which letters of a consumer; all of them without any. */
export interface Selection {
  readonly fingerprint?: string | undefined;
  readonly message?: string | undefined;
  readonly order?: string | undefined;
  /** At most this many, the longest dead first. */
  readonly limit?: number | undefined;
}

/** Exit codes: everything was done; a part of it was, so look again. */
const done = 0;
const inPart = 2;
/** Of a preview. */
const mostShown = 20;

/** Says what lies in the dead-letter queues, by consumer and cause, and leaves it there. @param look how many messages of a queue */
export async function listDeadLetters(queues: Queues, consumers: readonly ConsumerQueues[], look: number, print: Print): Promise<number> {
  const looks = await Promise.all(
    consumers.map(async (consumer) => {
      const seen = await takeLetters(queues, consumer, look);
      await releaseLetters(queues, consumer, seen.letters);
      return { consumer, seen };
    }),
  );
  for (const { consumer, seen } of looks) printLook(consumer, seen, print);
  return looks.some(({ seen }) => seen.bounded) ? inPart : done;
}

/** Sends letters back to their consumer; without `yes` only says which. */
export async function redriveDeadLetters(
  queues: Queues,
  consumer: ConsumerQueues,
  { selection, look, yes }: { readonly selection: Selection; readonly look: number; readonly yes: boolean },
  print: Print,
): Promise<number> {
  const seen = await takeLetters(queues, consumer, look);
  const staying = new Set(seen.letters);
  try {
    printLook(consumer, seen, print);
    print('');
    const { chosen, unreadable } = choose(seen.letters, selection);
    const left =
      unreadable.length === 0 ? '' : `. Left: ${unreadable.length} that hold no message; --fingerprint or --message sends them too`;
    if (!yes) {
      for (const letter of chosen.slice(0, mostShown)) print(`${title(letter)}  would go back`);
      if (chosen.length > mostShown) print(`and ${chosen.length - mostShown} more`);
      print(`${many(chosen.length, 'letter')} would go back to ${consumer.consumer}${left}.`);
      if (chosen.length > 0) print('Nothing was done. Add --yes to do it.');
      return done;
    }
    const results = await redriveLetters(queues, consumer, chosen);
    for (const result of results) {
      if (result.outcome === 'redriven') staying.delete(result.letter);
      print(`${title(result.letter)}  ${fateOf(result)}`);
    }
    const kept = results.filter(({ outcome }) => outcome === 'kept').length;
    print(`${many(results.length - kept, 'letter')} went back to ${consumer.consumer}, ${kept} could not${left}.`);
    return kept > 0 || seen.bounded ? inPart : done;
  } finally {
    await releaseLetters(queues, consumer, [...staying]);
  }
}

function title({ id, envelope }: Letter): string {
  return envelope ? `${id}  ${envelope.type}  ${envelope.aggregateId}` : `${id}  no message`;
}

function fateOf(result: Redrive): string {
  if (result.outcome === 'kept') {
    return `${result.sent ? 'sent, but not deleted; sent again, it changes nothing' : 'KEPT'}: ${result.error}`;
  }
  const others = result.letter.copies.length - 1;
  return others === 0 ? 'redriven' : `redriven, and ${others === 1 ? 'its copy' : `its ${others} copies`} deleted`;
}

/** What is no message fails again, so it is sent only when its cause or its id is named. */
function choose(letters: readonly Letter[], { fingerprint, message, order, limit }: Selection): { chosen: Letter[]; unreadable: Letter[] } {
  const meant = letters
    .filter((letter) => fingerprint === undefined || letter.fingerprint === fingerprint)
    .filter((letter) => message === undefined || letter.id === message)
    .filter((letter) => order === undefined || letter.envelope?.aggregateId === order)
    .toSorted((a, b) => a.firstFailedAt - b.firstFailedAt);
  const named = fingerprint !== undefined || message !== undefined;
  const unreadable = named ? [] : meant.filter(({ envelope }) => envelope === undefined);
  return { chosen: meant.filter((letter) => !unreadable.includes(letter)).slice(0, limit), unreadable };
}

function printLook({ consumer }: ConsumerQueues, { letters, messages, bounded, counted }: Look, print: Print): void {
  const seen = letters.length === messages ? many(letters.length, 'letter') : `${many(letters.length, 'letter')} in ${messages} messages`;
  print(`${consumer}: ${seen}${letters.length > 0 ? ` of ${many(ordersOf(letters), 'order')}` : ''}`);
  if (bounded)
    print(`  there may be more: the look ended after ${messages} messages, and SQS counts about ${counted}. --look <n> looks at more`);
  else if (counted > messages) {
    print(`  SQS counts about ${counted}: somebody else has taken some, or its count lags by a minute`);
  }
  const causes = Map.groupBy(letters, ({ fingerprint }) => fingerprint);
  for (const [fingerprint, some] of [...causes].toSorted(([, a], [, b]) => b.length - a.length)) printCause(fingerprint, some, print);
}

function printCause(fingerprint: string, letters: readonly Letter[], print: Print): void {
  const first = Math.min(...letters.map(({ firstFailedAt }) => firstFailedAt));
  const last = Math.max(...letters.map(({ lastFailedAt }) => lastFailedAt));
  const [{ reason, id, envelope }] = letters as [Letter];
  print(`  ${fingerprint}  ${many(letters.length, 'letter')} of ${many(ordersOf(letters), 'order')}, ${timeOf(first)} to ${timeOf(last)}`);
  print(`    ${describe(reason)}`);
  const what = envelope
    ? `${envelope.type} of ${envelope.aggregateId}, correlation id ${envelope.correlationId}`
    : 'its body is no message';
  print(`    for example ${id}: ${what}`);
}

function describe(reason: DeadLetterReason | 'UNACKNOWLEDGED'): string {
  if (reason === 'UNACKNOWLEDGED') return 'unacknowledged: the consumer died on it, or never began, until SQS gave it up';
  return `${reason.class} after ${many(reason.attempts, 'attempt')}: ${reason.error}`;
}

function ordersOf(letters: readonly Letter[]): number {
  return new Set(letters.flatMap(({ envelope }) => envelope?.aggregateId ?? [])).size;
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function timeOf(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? new Date(milliseconds).toISOString().slice(0, 19) + 'Z' : 'unknown';
}
