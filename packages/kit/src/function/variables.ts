import * as z from 'zod';

/** Schemas of the variables that deploy time gives to functions, to be spread into a definition's `environment`. Every variable is text on the way in. */

/** The name of a table, a queue's URL: any text but the empty one, which counts as absent. */
export const text = z.string().min(1);

/** `true` or `false`. Default: false. */
export const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');

/** A consumer's own queue (to change a message's visibility), its dead-letter queue, and where it counts failures. */
export const consumerVariables = { QUEUE_URL: text, DEAD_LETTER_QUEUE_URL: text, IDEMPOTENCY_TABLE: text };

/** Whoever commits messages. */
export const senderVariables = { OUTBOX_TABLE: text, OUTBOX_INDEX_PENDING: flag };

/** `{"audit": "https://…"}`: consumer → queue URL. */
const queueUrls = z
  .string()
  .transform((json, context) => {
    try {
      return JSON.parse(json) as unknown;
    } catch {
      context.addIssue('is not JSON');
      return z.NEVER;
    }
  })
  .pipe(z.record(z.string(), text));

/** Publisher and relay. */
export const publishingVariables = { OUTBOX_TABLE: text, QUEUE_URLS: queueUrls };
