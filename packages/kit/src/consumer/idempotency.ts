import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Context } from 'aws-lambda';

/** Runs a handler at most once per message id and consumer, as far as Powertools can tell. */
export type RunOnce = (messageId: string, context: Context, run: () => Promise<string>) => Promise<string>;

/**
 * Record-level Powertools idempotency, the first of two guards: it turns away the common duplicate before any business read.
 * It has no fencing and forgets when a handler throws, so the condition inside the business transaction stays the second.
 *
 * @param consumer prefix of the keys, so that copies of one message at several consumers do not collide
 * @param expiresAfterSeconds longer than any message can come back from a dead-letter queue
 */
export function runOncePerMessage(client: DynamoDBClient, tableName: string, consumer: string, expiresAfterSeconds: number): RunOnce {
  const persistenceStore = new DynamoDBPersistenceLayer({ tableName, awsSdkV3Client: client });
  const config = new IdempotencyConfig({ expiresAfterSeconds, hashFunction: 'sha256' });
  const once = makeIdempotent(
    // The key is the first argument: a string, so that nothing the handler does can change it.
    (_messageId: string, run: () => Promise<void>) => run(),
    { persistenceStore, config, keyPrefix: consumer },
  );
  return async (messageId, context, run) => {
    // Without the context an environment that dies holds its lock for an hour instead of until its time limit.
    config.registerLambdaContext(context);
    let outcome: string | undefined;
    await once(messageId, async () => {
      outcome = await run();
    });
    return outcome ?? 'duplicate';
  };
}
