import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { TransientReason } from '../errors.ts';
import type { Database } from '../aws/clients.ts';
import type { World } from '../function/world.ts';

/** How often a message failed for one reason, and since when (milliseconds since 1970). */
export interface Failures {
  readonly count: number;
  readonly firstAt: number;
}

/** Counts a message's failures by reason. @param sqsMessageId of this copy: a redriven message is another one and starts over */
export type CountFailure = (sqsMessageId: string, reason: TransientReason) => Promise<Failures>;

export interface FailureCounterOptions {
  readonly database: Database;
  /** The table of idempotency records, which expire. */
  readonly table: string;
  readonly consumer: string;
  readonly expiresAfterSeconds: number;
  readonly world: World;
}

/**
 * Counts in a table, by consumer, copy and reason. SQS's own numbers say how often and since when a message was *delivered*: a consumer that
 * could not even start for hours would have used up the whole window of a message that it has not tried once.
 * A write for each failure, none for a success.
 */
export function failureCounter({ database, table, consumer, expiresAfterSeconds, world }: FailureCounterOptions): CountFailure {
  return async (sqsMessageId, reason) => {
    const now = world.now();
    const { Attributes } = await database.send(
      new UpdateCommand({
        TableName: table,
        Key: { id: `${consumer}#failed#${sqsMessageId}` },
        UpdateExpression: 'SET #first = if_not_exists(#first, :now), #expiry = :expiry ADD #count :one',
        ExpressionAttributeNames: { '#first': `${reason}Since`, '#count': `${reason}Count`, '#expiry': 'expiration' },
        ExpressionAttributeValues: { ':now': now, ':one': 1, ':expiry': Math.floor(now / 1000) + expiresAfterSeconds },
        ReturnValues: 'ALL_NEW',
      }),
    );
    return { count: Number(Attributes?.[`${reason}Count`]), firstAt: Number(Attributes?.[`${reason}Since`]) };
  };
}
