import { tryPut } from '@outbox-saga/kit/aws/clients';
import { startWithQueues } from '@outbox-saga/kit/function/start';
import { consumeFrom } from '@outbox-saga/kit/function/wiring';
import { durations, functions, topology } from '../contract.ts';

/** Records each login once: the message's id is the key, so a second delivery changes nothing. */
export const handler = startWithQueues('audit', functions.audit, (environment, connections) =>
  consumeFrom(environment, connections, {
    consumer: 'audit',
    topology,
    durations: durations[environment.STAGE],
    handlers: {
      PasswordUserLoggedIn: async ({ messageId, type, data }) => {
        const put = { TableName: environment.AUDIT_TABLE, Item: { messageId, type, ...data } };
        const isNew = await tryPut(connections.database, { ...put, ConditionExpression: 'attribute_not_exists(messageId)' });
        return isNew ? 'recorded' : 'duplicate';
      },
    },
  }),
);
