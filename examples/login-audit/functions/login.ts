import { start } from '@outbox-saga/kit/function/start';
import { commitsTo } from '@outbox-saga/kit/function/wiring';
import { createHttpHandler, readJson } from '@outbox-saga/kit/http/http';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { commit } from '@outbox-saga/kit/outbox/commit';
import * as z from 'zod';
import { durations, functions, topology, userIdSchema } from '../contract.ts';

const loginSchema = z.strictObject({ userId: userIdSchema });

/** Whoever checked the password says so here. The user's record and the message commit in one transaction. */
export const handler = start('login', functions.login, (environment, connections) => {
  const context = commitsTo(environment, durations[environment.STAGE], connections);
  const makeMessage = messageMaker(topology, connections.world);
  return createHttpHandler({
    ...connections,
    callers: { proof: environment.AUTHENTICATION },
    routes: {
      operators: {
        'POST /logins': async (request) => {
          const { userId } = readJson(request, loginSchema, 1024).value;
          const loggedInAt = connections.world.now();
          const { correlationId } = request;
          const about = { aggregateId: userId, groupId: userId, correlationId, causationId: correlationId };
          const message = makeMessage('PasswordUserLoggedIn', { userId, loggedInAt }, about);
          await commit(context, { user: { Put: { TableName: environment.USERS_TABLE, Item: { userId, loggedInAt } } } }, [message]);
          return { status: 202, outcome: 'logged in', aggregateId: userId, body: { messageId: message.messageId } };
        },
      },
    },
  });
});
