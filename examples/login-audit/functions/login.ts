import { start } from '@outbox-saga/kit/function/start';
import { commitsTo } from '@outbox-saga/kit/function/wiring';
import { createHttpHandler } from '@outbox-saga/kit/http/http';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { commit } from '@outbox-saga/kit/outbox/commit';
import { durations, functions, operations, topology } from '../contract.ts';

/** Whoever checked the password says so here. The user's record and the message commit in one transaction. */
export const handler = start('login', functions.login, (environment, connections) => {
  const context = commitsTo(environment, durations[environment.STAGE], connections);
  const makeMessage = messageMaker(topology, connections.world);
  return createHttpHandler({
    ...connections,
    callers: { proof: environment.AUTHENTICATION },
    operations,
    handlers: {
      logIn: async ({ body: { userId }, correlationId }) => {
        const loggedInAt = connections.world.now();
        const about = { aggregateId: userId, groupId: userId, correlationId, causationId: correlationId };
        const message = makeMessage('PasswordUserLoggedIn', { userId, loggedInAt }, about);
        await commit(context, { user: { Put: { TableName: environment.USERS_TABLE, Item: { userId, loggedInAt } } } }, [message]);
        return { status: 202, outcome: 'logged in', aggregateId: userId, body: { messageId: message.messageId } };
      },
    },
  });
});
