import { invalid } from './problems.ts';

/** Where an iterator reads on. */
export interface StreamIterator {
  readonly stream: string;
  readonly shard: string | undefined;
  /** Behind this place of the log. */
  readonly after: number;
  readonly madeAt: number;
}

/** As a client gets it and gives it back. */
export const iteratorText = (arn: string, iterator: StreamIterator): string =>
  `${arn}|1|${Buffer.from(JSON.stringify(iterator)).toString('base64')}`;

/** @throws ValidationException for what is none */
export function readIterator(text: unknown): { arn: string; iterator: StreamIterator } {
  if (typeof text !== 'string') {
    throw invalid("1 validation error detected: Value null at 'shardIterator' failed to satisfy constraint: Member must not be null");
  }
  const [arn = '', , code = ''] = text.split('|');
  try {
    const iterator = JSON.parse(Buffer.from(code, 'base64').toString('utf8')) as StreamIterator;
    if (Number.isSafeInteger(iterator.after) && Number.isSafeInteger(iterator.madeAt)) return { arn, iterator };
  } catch {
    // Said below.
  }
  throw invalid('Invalid ShardIterator');
}
