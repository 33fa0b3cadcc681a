import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { failureAttribute } from '@outbox-saga/kit/consumer/dead-letters';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import type { Sabotage } from './cloud.ts';
import { consumers } from './environments.ts';
import { deadLetterUrl, queueUrl } from '@outbox-saga/testing/simulation/queue-names';
import { everywhere, intercept, only, onWrite } from '@outbox-saga/testing/simulation/interception';
import { originalOf } from '@outbox-saga/testing/simulation/versions';

/** Far less than `providerKeySeconds`. */
const livesMs = 5 * 60_000;

/** Mistakes that this system once made: each is put back, and must be found by what the simulation has learnt since. */
export const relapses: readonly Sabotage[] = [
  {
    name: 'one-queue-stops-all',
    what: 'the publisher takes every call for failed while one queue is down',
    wrap: (name, connections, cloud) =>
      name === 'outbox-publisher'
        ? intercept(connections, {
            queues: async (_command, input, next) => {
              const answer = await next(input);
              if (cloud.outages.among(consumers.map(queueUrl))) throw new Error('some queue is down');
              return answer;
            },
          })
        : connections,
  },
  {
    name: 'listener-stops-deadlines',
    what: 'a deadline waits for rows that only a listener lacks',
    wrap: only(['order-sweep'], {
      database: async (command, input, next) => {
        const answer = await next(input);
        if (command !== 'QueryCommand' || input.TableName !== 'outbox') return answer;
        return { ...answer, Items: (answer['Items'] as object[]).map((row) => ({ ...row, owed: undefined })) };
      },
    }),
  },
  {
    name: 'no-request-timeout',
    what: 'clients of AWS wait for an answer for ever',
    requestTimeoutMs: Infinity,
  },
  {
    name: 'service-fault-counts',
    what: 'what a queue refuses by its own fault counts against the row',
    wrap: everywhere({
      queues: async (command, input, next) => {
        const answer = await next(input);
        if (command !== 'SendMessageBatchCommand' || !answer['Failed']) return answer;
        return { ...answer, Failed: (answer['Failed'] as object[]).map((failed) => ({ ...failed, SenderFault: true })) };
      },
    }),
  },
  {
    name: 'no-consistent-read',
    what: 'reads may be stale',
    wrap: everywhere({ database: (_command, input, next) => next({ ...input, ConsistentRead: undefined } as never) }),
  },
  {
    name: 'mail-due-is-mailed',
    what: 'an order is closed while its e-mail is due',
    wrap: only(['order-sweep'], {
      database: async (_command, input, next) => {
        const answer = await next(input);
        const record = input.TableName === 'notifications' ? (answer['Item'] as object | undefined) : undefined;
        return record ? { Item: { ...record, email: 'sent' } } : answer;
      },
    }),
  },
  {
    name: 'mail-is-not-noted',
    what: 'an e-mail that went out is not noted',
    wrap: only(['notification'], {
      database: (command, input, next) =>
        command === 'UpdateCommand' && Object.values(input.ExpressionAttributeValues ?? {}).includes('sent')
          ? Promise.resolve({})
          : next(input),
    }),
  },
  {
    name: 'refusal-is-no-answer',
    what: 'a request that the provider says is wrong is sent again',
    fetch: async (url, init, next) => {
      const answer = await next(url, init);
      return answer.status === 400 || answer.status === 422
        ? ({ status: 503, headers: answer.headers, text: () => answer.text() } as Response)
        : answer;
    },
  },
  {
    name: 'key-is-forgotten-sooner',
    what: 'a provider forgets its keys sooner than it is taken to',
    fetch: (url, init, next) => {
      const headers = init.headers as Record<string, string>;
      const key = headers['idempotency-key'];
      if (key === undefined) return next(url, init);
      return next(url, { ...init, headers: { ...headers, 'idempotency-key': `${key}/${Math.floor(Date.now() / livesMs)}` } });
    },
  },
  {
    name: 'newer-row-is-dead',
    what: 'the publisher gives up at once what it does not know',
    wrap: only(['outbox-publisher'], {
      database: (command, input, next) => {
        const { ExpressionAttributeValues: values = {} } = input;
        const unknown = Object.values(values).some(
          (value) => typeof value === 'string' && /unknown message type|no route|not known here/.test(value),
        );
        if (command !== 'UpdateCommand' || !unknown) return next(input);
        return next({ ...input, ExpressionAttributeValues: asDead(values) });
      },
    }),
  },
  {
    name: 'newer-message-is-dead',
    what: 'a consumer gives up at once what it does not know',
    wrap: (name, connections, cloud) =>
      intercept(connections, {
        queues: async (command, input, next) => {
          const answer = await next(input);
          if (command !== 'ChangeMessageVisibilityCommand') return answer;
          const { queues } = cloud;
          const message = queues.messages(input.QueueUrl).find((of) => queues.receiptOf(input.QueueUrl, of) === input.ReceiptHandle);
          const { type = '', version = 1 } = message?.body.startsWith('{') ? (JSON.parse(message.body) as Partial<Envelope>) : {};
          if (message && (version === 2 || originalOf(type) !== type)) {
            const StringValue = JSON.stringify({ class: 'permanent', error: 'not known here', fingerprint: 'relapse' });
            await connections.queues.send(
              new SendMessageCommand({
                QueueUrl: deadLetterUrl(name),
                MessageBody: message.body,
                MessageAttributes: { [failureAttribute]: { DataType: 'String', StringValue } },
              }),
            );
          }
          return answer;
        },
      }),
  },
  {
    name: 'relayed-before-due',
    what: 'a row that a stale index shows as due is relayed whenever it is due',
    wrap: only(['outbox-relay'], {
      database: (command, input, next) =>
        command === 'UpdateCommand' && input.ReturnValues === 'ALL_NEW'
          ? next({ ...input, ConditionExpression: 'attribute_exists(aggregateId) AND #status IN (:failed, :pending, :sending)' })
          : next(input),
    }),
  },
  {
    name: 'clock-is-asked-twice',
    what: 'an order and its message tell of different times',
    wrap: only(['order-saga'], {
      database: onWrite((item) => {
        const row = item.Put?.TableName === 'outbox' ? item.Put.Item! : undefined;
        if (!row) return item;
        const said = JSON.parse(row['body'] as string) as Envelope;
        return { Put: { ...item.Put!, Item: { ...row, body: JSON.stringify({ ...said, occurredAt: said.occurredAt + 1 }) } } };
      }),
    }),
  },
];

/** A row's new state, but DEAD instead of what it was to be. */
function asDead(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value === 'FAILED' && name.startsWith(':s')
        ? 'DEAD'
        : typeof value === 'string' && value.startsWith('due#')
          ? value.replace('due', 'dead')
          : value,
    ]),
  );
}
