import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { PermanentError, TransientError } from '../errors.ts';
import type { Envelope } from '../messages/envelope.ts';
import { longestPauseMs, type Database } from '../aws/clients.ts';
import { newRow, type RowSettings } from './row.ts';
import type { World } from '../function/world.ts';

export type Write = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

/** The writes of a transaction, in their order. A refusal says by its name which of them was refused. A name of digits alone would lose its place. */
export type Writes = Readonly<Record<string, Write>>;

/** What every commit needs to know of its surroundings. */
export interface CommitContext extends RowSettings {
  readonly database: Database;
  readonly outboxTable: string;
  readonly world: World;
}

/** What a refused write met: the item, when the write asked for ALL_OLD and there was one. */
type Refused = Readonly<Record<string, unknown>> | undefined;

/** Conditions did not hold and nothing was written. Only the caller knows whether that means "already done". */
export class CommitRefused extends Error {
  override readonly name = 'CommitRefused';
  /** By the names of the refused writes, in their order: what each of them met. */
  readonly refusals: ReadonlyMap<string, Refused>;

  constructor(refusals: ReadonlyMap<string, Refused>, cause: unknown) {
    super(`conditions of write ${[...refusals.keys()].join(', ')} do not hold`, { cause });
    this.refusals = refusals;
  }
}

const conflictTries = 4;

/**
 * The one door for state and messages: both are written in one transaction, or neither is.
 * A row of the outbox is all it takes to send; nothing else in this system sends business messages.
 *
 * Contention with another transaction is retried at once, a few times, with jitter of at most 200 ms.
 *
 * @throws CommitRefused when a condition does not hold
 * @throws TransientError when contention or throttling persists; nothing was written
 */
export async function commit(context: CommitContext, writes: Writes, messages: readonly Envelope[]): Promise<void> {
  const rows = messages.map((message): Write => ({
    Put: { TableName: context.outboxTable, Item: newRow(message, context) },
  }));
  const command = new TransactWriteCommand({ TransactItems: [...Object.values(writes), ...rows] });
  const names = [...Object.keys(writes), ...messages.map(({ type }) => type)];
  for (let attempt = 1; ; attempt++) {
    try {
      await context.database.send(command);
      return;
    } catch (error) {
      const contention = contentionOf(error, names);
      if (!contention) throw error;
      if (attempt === conflictTries) throw contention;
      await context.world.pause(context.world.random() * Math.min(longestPauseMs, 25 * 2 ** attempt));
    }
  }
}

/** As `commit`, for callers to whom every refusal means the same: false when a condition did not hold, and nothing was written. */
export async function tryCommit(context: CommitContext, writes: Writes, messages: readonly Envelope[]): Promise<boolean> {
  try {
    await commit(context, writes, messages);
    return true;
  } catch (error) {
    if (error instanceof CommitRefused) return false;
    throw error;
  }
}

/**
 * The error to end with when the transaction met contention; throws at once for everything that trying again cannot cure.
 *
 * @param names of the transaction's writes, in their order
 */
function contentionOf(error: unknown, names: readonly string[]): TransientError | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === 'TransactionInProgressException') {
    return new TransientError('conflict', 'the same transaction is still in progress', { cause: error });
  }
  if (error.name !== 'TransactionCanceledException') return undefined;
  const reasons = (error as { CancellationReasons?: { Code?: string; Message?: string; Item?: Record<string, AttributeValue> }[] })
    .CancellationReasons;
  if (!reasons) return undefined;
  const codes = reasons.map((reason) => reason.Code ?? 'None');
  if (codes.includes('ValidationError')) {
    throw new PermanentError(
      `transaction is invalid: ${reasons
        .map((reason) => reason.Message)
        .filter(Boolean)
        .join('; ')}`,
      {
        cause: error,
      },
    );
  }
  if (codes.includes('TransactionConflict')) {
    return new TransientError('conflict', 'another transaction holds an item of this one', { cause: error });
  }
  if (codes.some((code) => code === 'ThrottlingError' || code === 'ProvisionedThroughputExceeded')) {
    throw new TransientError('throttled', 'DynamoDB throttled the transaction', { cause: error });
  }
  // The document client converts answers, not errors.
  const refusals = new Map(
    reasons.flatMap(({ Code, Item }, i): [string, Refused][] =>
      Code === 'ConditionalCheckFailed' ? [[names[i] ?? String(i), Item && unmarshall(Item)]] : [],
    ),
  );
  if (refusals.size > 0) throw new CommitRefused(refusals, error);
  return undefined;
}
