import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import type { Sabotage } from './cloud.ts';
import {
  everywhere,
  intercept,
  only,
  onTransaction,
  onWrite,
  reasonsOf,
  tableOf,
  unconditioned,
  withoutCondition,
} from '@outbox-saga/testing/simulation/interception';
import type { Input, TransactItem } from '@outbox-saga/testing/simulation/database';
import { relapses } from './relapses.ts';

const sagaFunctions = ['order-saga', 'order-cancel', 'order-sweep'];

/**
 * Mistakes that the machinery exists to prevent. Each is made here, outside of the product, by a wrapped port; for each the simulation must
 * find a violation. One that it cannot find would mean that the proof proves nothing about it.
 */
export const sabotages: readonly Sabotage[] = [
  {
    name: 'no-version-condition',
    what: 'an order is written whatever version it has',
    wrap: only(sagaFunctions, { database: unconditioned('orders', 'version = :version') }),
  },
  {
    name: 'lost-race-is-done',
    what: 'a lost version race counts as done',
    wrap: only(sagaFunctions, {
      database: onTransaction((items, next) =>
        next(items).catch((error: unknown) => {
          if (reasonsOf(error)[0] === 'ConditionalCheckFailed') return {};
          throw error;
        }),
      ),
    }),
  },
  {
    name: 'acknowledge-before-commit',
    what: 'a message is acknowledged while its transaction is still on the way',
    wrap: only(['order-saga', 'inventory', 'payment', 'shipping'], {
      database: onTransaction((items, next) => {
        next(items).catch(() => undefined);
        return Promise.resolve({});
      }),
    }),
  },
  {
    name: 'ignore-failed-entries',
    what: 'the publisher does not look at Failed[]',
    wrap: everywhere({
      queues: async (command, input, next) =>
        command === 'SendMessageBatchCommand' ? { ...(await next(input)), Failed: [] } : next(input),
    }),
  },
  {
    name: 'failed-call-is-sent',
    what: 'a call to SQS that failed as a whole counts as sent',
    wrap: only(['outbox-publisher', 'outbox-relay'], { queues: (_command, input, next) => next(input).catch(() => ({})) }),
  },
  {
    name: 'sent-before-sending',
    what: 'a row is marked SENT before it is sent',
    wrap: (name, connections) =>
      name === 'outbox-publisher'
        ? intercept(connections, {
            queues: async (_command, input, next) => {
              for (const { MessageBody } of input.Entries ?? []) {
                const { aggregateId, messageId } = JSON.parse(MessageBody) as Envelope;
                await markSent(connections, aggregateId, messageId);
              }
              return next(input);
            },
          })
        : connections,
  },
  {
    name: 'no-stock-tombstone',
    what: 'a release that comes first leaves no tombstone',
    wrap: only(['inventory'], {
      database: onWrite((item) => (item.Put?.Item?.['status'] === 'RELEASED' ? undefined : item)),
    }),
  },
  {
    name: 'no-payment-tombstone',
    what: 'a refund that comes first leaves no tombstone',
    wrap: only(['payment'], { database: onWrite((item) => (item.Put?.Item?.['status'] === 'VOIDED' ? undefined : item)) }),
  },
  {
    name: 'no-intent',
    what: 'the gateway is called without an intent',
    wrap: (name, connections) => {
      if (name !== 'payment') return connections;
      const intents = new Map<unknown, Record<string, unknown>>();
      const plain = intercept(connections, {
        database: (command, input, next) => {
          if (command !== 'PutCommand' || input.TableName !== 'payments') return next(input);
          intents.set(input.Item!['orderId'], { ...input.Item });
          return Promise.resolve({});
        },
      });
      return intercept(plain, {
        database: onWrite((item) => {
          const { Update: update } = item;
          if (update?.TableName !== 'payments' || update.ExpressionAttributeValues?.[':from'] !== 'CAPTURING') return item;
          const { ':to': status, ':reference': reference } = update.ExpressionAttributeValues;
          return { Put: { TableName: 'payments', Item: { ...intents.get(update.Key!['orderId']), status, reference } } };
        }),
      });
    },
  },
  {
    name: 'new-key-for-each-call',
    what: 'each call to a provider has an idempotency key of its own',
    fetch: (() => {
      let calls = 0;
      return (url, init, next) => next(url, { ...init, headers: { ...(init.headers as object), 'idempotency-key': `call-${++calls}` } });
    })(),
  },
  {
    name: 'no-answer-is-a-no',
    what: 'a provider that does not answer counts as having declined',
    fetch: (url, init, next) =>
      next(url, init).catch(
        () => ({ status: 200, text: () => Promise.resolve('{"outcome":"declined","reason":"no answer"}') }) as unknown as Response,
      ),
  },
  {
    name: 'settle-in-any-state',
    what: 'the outcome of a capture is written whatever became of its record meanwhile',
    wrap: only(['payment', 'shipping'], {
      database: onWrite((item) => (item.Update?.ConditionExpression?.startsWith('#status = :from') ? withoutCondition(item) : item)),
    }),
  },
  {
    name: 'relay-without-claim',
    what: 'the relay sends rows without claiming them',
    wrap: (name, connections, cloud) =>
      name === 'outbox-relay'
        ? intercept(connections, {
            database: async (command, input, next) =>
              command === 'UpdateCommand' && input.ReturnValues === 'ALL_NEW'
                ? { Attributes: cloud.database.find('outbox', input.Key!) }
                : next(input),
          })
        : connections,
  },
  {
    name: 'no-checkpoint',
    what: 'the read model applies whatever comes',
    wrap: only(['order-view'], {
      database: (_command, input, next) => next({ ...input, ConditionExpression: undefined }),
    }),
  },
  {
    name: 'conflict-is-done',
    what: 'a transaction that met another one counts as done',
    wrap: everywhere({
      database: onTransaction((items, next) =>
        next(items).catch((error: unknown) => {
          if (reasonsOf(error).includes('TransactionConflict')) return {};
          throw error;
        }),
      ),
    }),
  },
  {
    name: 'failure-is-remembered',
    what: 'failures are dead-lettered inside the idempotent wrapper, which remembers them as handled',
    wrap: (_name, connections) =>
      intercept(connections, {
        powertools: (command, input, next) =>
          command === 'DeleteItemCommand' ? connections.client.send(completed(input)).then(() => ({})) : next(input),
      }),
  },
  {
    name: 'nudge-under-old-id',
    what: 'a nudge has the id of the message that nobody answered',
    wrap: (name, connections, cloud) =>
      name === 'order-sweep'
        ? intercept(connections, {
            database: onWrite((item) => {
              const row = item.Put?.TableName === 'outbox' ? item.Put.Item! : undefined;
              if (!row) return item;
              const said = JSON.parse(row['body'] as string) as Envelope;
              const old = cloud.database
                .items('outbox')
                .find(
                  ({ aggregateId, body }) =>
                    aggregateId === said.aggregateId && (JSON.parse(body as string) as Envelope).type === said.type,
                );
              if (!old) return item;
              const messageId = old['messageId'] as string;
              return { Put: { TableName: 'outbox', Item: { ...row, messageId, body: JSON.stringify({ ...said, messageId }) } } };
            }),
          })
        : connections,
  },
  {
    name: 'no-closing-check',
    what: 'a settled order is closed without asking who knows of it',
    wrap: only(['order-sweep'], {
      database: async (command, input, next) => {
        const answer = await next(input);
        if (input.TableName === 'orderView') return { Item: { sequence: Number.MAX_SAFE_INTEGER } };
        if (input.TableName === 'notifications') return { Item: {} };
        if (command !== 'QueryCommand' || input.TableName !== 'outbox') return answer;
        return { Items: (answer['Items'] as object[]).map((row) => ({ ...row, status: 'SENT' })) };
      },
    }),
  },
  {
    name: 'impatient-closing',
    what: 'the closing check sends again every few minutes, however often it did',
    wrap: only(['order-sweep'], {
      database: async (command, input, next) => {
        const answer = await next(input);
        if (command !== 'QueryCommand' || input.TableName !== 'outbox') return answer;
        return { Items: (answer['Items'] as object[]).map((row) => ({ ...row, resends: 0 })) };
      },
    }),
  },
  {
    name: 'no-stock-condition',
    what: 'stock is reserved whether or not there is enough',
    wrap: only(['inventory'], { database: unconditioned('inventory', 'available >= :qty') }),
  },
  {
    name: 'no-reservation-key',
    what: 'an order may reserve again what it has reserved',
    wrap: only(['inventory'], { database: unconditioned('inventory', 'attribute_not_exists(pk)') }),
  },
  {
    name: 'no-order-key',
    what: 'a repeated request writes its order anew',
    wrap: only(['place-order'], { database: unconditioned('orders', 'attribute_not_exists(orderId)') }),
  },
  {
    name: 'dual-write',
    what: 'state and message are written one after the other',
    wrap: everywhere({
      database: onTransaction(async (items, next) => {
        const messages = items.filter((item) => tableOf(item) === 'outbox');
        if (messages.length < items.length) await next(items.filter((item) => !messages.includes(item)));
        return next(messages);
      }),
    }),
  },
  {
    name: 'undo-known-steps-only',
    what: 'cancelling undoes only what is known to have happened',
    wrap: only(['order-cancel'], {
      database: onTransaction((items, next) => {
        const row = items.find(({ Put }) => Put?.TableName === 'outbox')?.Put?.Item;
        const said = row && (JSON.parse(row['body'] as string) as Envelope<string, { customerId: string; placedAt: number }>);
        if (said?.type !== 'RefundRequested') return next(items);
        const { customerId, placedAt } = said.data;
        const body = JSON.stringify({ ...said, type: 'StockReleaseRequested', data: { customerId, placedAt } });
        return next(
          items.map(({ Put, Update }): TransactItem =>
            Put
              ? { Put: { ...Put, Item: { ...row, body } } }
              : { Update: { ...Update!, ExpressionAttributeValues: { ...Update!.ExpressionAttributeValues, ':step': 'RELEASING_STOCK' } } },
          ),
        );
      }),
    }),
  },
  {
    name: 'silent-when-asked-again',
    what: 'a participant that finds its record does not answer again',
    wrap: only(['inventory', 'payment', 'shipping'], {
      database: onTransaction((items, next) => (items.every((item) => tableOf(item) === 'outbox') ? Promise.resolve({}) : next(items))),
    }),
  },
  ...relapses,
];

/** What Powertools writes when a handler is done. */
function completed({ TableName, Key }: Input): UpdateItemCommand {
  return new UpdateItemCommand({
    TableName,
    Key: Key as never,
    UpdateExpression: 'SET #status = :status',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: { ':status': { S: 'COMPLETED' } },
  });
}

async function markSent({ database }: QueueConnections, aggregateId: string, messageId: string): Promise<void> {
  await database.send(
    new UpdateCommand({
      TableName: 'outbox',
      Key: { aggregateId, messageId },
      UpdateExpression: 'SET #status = :sent',
      ExpressionAttributeNames: { '#status': 'status' },
      ExpressionAttributeValues: { ':sent': 'SENT' },
    }),
  );
}
