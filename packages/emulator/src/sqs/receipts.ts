import { AwsError } from '../aws-error.ts';
import type { Message } from './message.ts';
import type { Queue } from './queue.ts';

/** What a receiver gets to delete a message with: it names the message, and which of its receives this was. */
export const receiptOf = ({ arn }: Queue, { id, receives }: Message): string => btoa(`${arn}\n${id}\n${receives}`);

/** @returns the id of the message that a receipt was given for, by this queue @throws AwsError when it was not */
export function messageIdOf(queue: Queue, receipt: string): string {
  const [arn, id, receives] = Buffer.from(receipt, 'base64').toString('utf8').split('\n');
  if (arn === queue.arn && id !== undefined && receives !== undefined) return id;
  throw new AwsError('ReceiptHandleIsInvalid', `The input receipt handle "${receipt}" is not a valid receipt handle.`);
}
