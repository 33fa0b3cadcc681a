import { functionKinds } from '@outbox-saga/kit/function/kinds';
import { senderVariables, text } from '@outbox-saga/kit/function/variables';
import { usualDurations } from '@outbox-saga/kit/messages/durations';
import { defineTopology, stageDurations } from '@outbox-saga/kit/messages/topology';
import type { Operations } from '@outbox-saga/kit/http/operations';
import { idempotencyTable, outboxTable, type TableDefinition } from '@outbox-saga/kit/tables';
import * as z from 'zod';

const userIdSchema = z.string().regex(/^[A-Za-z0-9._@-]{1,100}$/, 'must be 1 to 100 of A-Z a-z 0-9 . _ @ -');

export const topology = defineTopology({
  messages: {
    /** A user has logged in with a password. Times in milliseconds since 1970. */
    PasswordUserLoggedIn: { version: 1, data: z.object({ userId: userIdSchema, loggedInAt: z.int().min(0) }) },
  },
  consumers: { audit: { role: 'actor', batchSize: 10, maximumConcurrency: 10, maxReceiveCount: 100, idempotent: false } },
  routes: { PasswordUserLoggedIn: { kind: 'event', consumers: ['audit'] } },
});

/** Who may log somebody in has an IAM identity. */
export const operations = {
  logIn: { route: 'POST /logins', access: 'operator', body: { schema: z.strictObject({ userId: userIdSchema }), maxBytes: 1024 } },
} as const satisfies Operations;

export const stageNames = ['dev', 'test'] as const;
/** `test` shows a whole retry window in seconds. */
export const durations = stageDurations<(typeof stageNames)[number]>(topology, {
  dev: usualDurations,
  test: {
    ...usualDurations,
    retry: { baseSeconds: 1, factor: 2, capSeconds: 2, windowSeconds: 6 },
    relay: { ...usualDurations.relay, baseSeconds: 1, factor: 2, capSeconds: 2, pendingSeconds: 2 },
  },
});

export const tables = {
  users: { partitionKey: { name: 'userId', type: 'S' } },
  auditLog: { partitionKey: { name: 'messageId', type: 'S' } },
  outbox: outboxTable,
  idempotency: idempotencyTable,
} as const satisfies Record<string, TableDefinition>;

const { api, consumer, publisher, relay } = functionKinds(stageNames);
export const functions = {
  login: api('functions/login.ts', { ...senderVariables, USERS_TABLE: text, AUTHENTICATION: z.enum(['iam', 'none']) }),
  audit: consumer('functions/audit.ts', { AUDIT_TABLE: text }),
  'outbox-publisher': publisher('functions/publisher.ts', {}),
  'outbox-relay': relay('functions/relay.ts', {}),
} as const;
