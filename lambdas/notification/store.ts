import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { TransientError } from '@outbox-saga/kit/errors';
import { conditionFailed, tryUpdate, type Database } from '@outbox-saga/kit/aws/clients';
import type { World } from '@outbox-saga/kit/function/world';
import type { Settled } from './notification.ts';

export interface NotificationStore {
  readonly database: Database;
  readonly table: string;
  readonly world: World;
  /** How long one invocation may work on an e-mail before another one may take it over: longer than a function lives. */
  readonly leaseSeconds: number;
}

/** An e-mail that is this invocation's to send. */
export interface Claim {
  readonly orderId: string;
  readonly leaseUntil: number;
  /** Whether the notification was recorded just now. */
  readonly created: boolean;
}

/** Records a settled order of which nobody is mailed. @returns false when that is known already */
export async function recordQuietly(store: NotificationStore, message: Settled): Promise<boolean> {
  // An e-mail that was due has nobody left to go to: the address was erased, or there is no sender any more.
  const refused = await put(store, message, { email: 'none' }, 'attribute_not_exists(orderId) OR email = :due');
  return refused === undefined;
}

/**
 * Records a settled order together with the claim to its e-mail, or claims an e-mail that is still due.
 *
 * @returns undefined when the e-mail is not due any more
 * @throws TransientError while somebody else may be sending it. Not "done": SQS may have delivered one message twice, and to acknowledge
 * either copy would delete it, whatever becomes of the other
 */
export async function claimMail(store: NotificationStore, message: Settled): Promise<Claim | undefined> {
  const now = store.world.now();
  const orderId = message.aggregateId;
  const leaseUntil = now + store.leaseSeconds * 1000;
  const stored = await put(store, message, { email: 'due', leaseUntil }, 'attribute_not_exists(orderId)');
  if (stored === undefined) return { orderId, leaseUntil, created: true };
  if (stored.email !== 'due') return undefined;
  const claimed = await update(store, orderId, {
    expression: 'SET leaseUntil = :until',
    condition: 'email = :due AND (attribute_not_exists(leaseUntil) OR leaseUntil < :now)',
    values: { ':until': leaseUntil, ':now': now },
  });
  if (!claimed) throw new TransientError('in-progress', 'another invocation is sending the e-mail');
  return { orderId, leaseUntil, created: false };
}

/** What became of an e-mail. A refusal has its reason; `due` gives the claim back. */
export type MailOutcome = { readonly email: 'sent' | 'due' } | { readonly email: 'refused'; readonly refusal: string };

/** Ends a claim, unless somebody else has taken the e-mail over. */
export async function endClaim(store: NotificationStore, { orderId, leaseUntil }: Claim, outcome: MailOutcome): Promise<void> {
  const refusal = outcome.email === 'refused' ? outcome.refusal : undefined;
  await update(store, orderId, {
    expression: `SET email = :email${refusal === undefined ? '' : ', refusal = :refusal'} REMOVE leaseUntil`,
    condition: 'email = :due AND leaseUntil = :until',
    values: { ':email': outcome.email, ':until': leaseUntil, ...(refusal === undefined ? {} : { ':refusal': refusal }) },
  });
}

interface Change {
  readonly expression: string;
  readonly condition: string;
  readonly values: Readonly<Record<string, unknown>>;
}

function update({ database, table }: NotificationStore, orderId: string, { expression, condition, values }: Change): Promise<boolean> {
  return tryUpdate(database, {
    TableName: table,
    Key: { orderId },
    UpdateExpression: expression,
    ConditionExpression: condition,
    ExpressionAttributeValues: { ':due': 'due', ...values },
  });
}

/** @returns undefined when it was written, otherwise what is there */
async function put(
  { database, table, world }: NotificationStore,
  message: Settled,
  mail: { readonly email: 'none' | 'due'; readonly leaseUntil?: number },
  condition: string,
): Promise<{ readonly email: string | undefined } | undefined> {
  try {
    await database.send(
      new PutCommand({
        TableName: table,
        Item: {
          orderId: message.aggregateId,
          outcome: message.type,
          customerId: message.data.customerId,
          notifiedAt: world.now(),
          ...mail,
        },
        ConditionExpression: condition,
        ...(condition.includes(':due') ? { ExpressionAttributeValues: { ':due': 'due' } } : {}),
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
    return undefined;
  } catch (error) {
    if (!conditionFailed(error)) throw error;
    return { email: error.Item?.['email']?.S };
  }
}
