import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { conditionFailed, type Database } from '../kit/aws.ts';
import type { World } from '../kit/world.ts';
import type { Mailer } from './mailer.ts';
import { notificationOf, type Settled } from './notification.ts';

export interface NotificationStore {
  readonly database: Database;
  readonly table: string;
  readonly world: World;
  /** Absent: nobody is mailed. */
  readonly mailer?: Mailer | undefined;
}

/**
 * Records a settled order once, under the order's id. The e-mail goes out after the record and is marked on it,
 * so that a crash in between sends it again rather than never: at least once.
 *
 * @returns a word for the log line
 */
export async function notify(store: NotificationStore, message: Settled): Promise<string> {
  const email = store.mailer ? message.data.email : undefined;
  const created = await recordOnce(store, message, email === undefined ? 'none' : 'due');
  if (email === undefined || store.mailer === undefined) return created ? 'recorded' : 'duplicate';
  if (!created && (await emailState(store, message.aggregateId)) !== 'due') return 'duplicate';
  const { subject, text } = notificationOf(message);
  await store.mailer(email, subject, text);
  await store.database.send(
    new UpdateCommand({
      TableName: store.table,
      Key: { orderId: message.aggregateId },
      UpdateExpression: 'SET email = :sent',
      ConditionExpression: 'attribute_exists(orderId)',
      ExpressionAttributeValues: { ':sent': 'sent' },
    }),
  );
  return created ? 'recorded and mailed' : 'mailed';
}

async function recordOnce(store: NotificationStore, message: Settled, email: 'none' | 'due'): Promise<boolean> {
  try {
    await store.database.send(
      new PutCommand({
        TableName: store.table,
        Item: {
          orderId: message.aggregateId,
          outcome: message.type,
          customerId: message.data.customerId,
          email,
          notifiedAt: store.world.now(),
        },
        ConditionExpression: 'attribute_not_exists(orderId)',
      }),
    );
    return true;
  } catch (error) {
    if (conditionFailed(error)) return false;
    throw error;
  }
}

async function emailState(store: NotificationStore, orderId: string): Promise<unknown> {
  const { Item } = await store.database.send(new GetCommand({ TableName: store.table, Key: { orderId }, ConsistentRead: true }));
  return Item?.['email'];
}
