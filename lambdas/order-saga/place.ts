import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { describeError } from '@outbox-saga/kit/errors';
import { openShards } from '../contract/tables.ts';
import { conditionFailed, findItem, type Database } from '@outbox-saga/kit/aws/clients';
import type { Telemetry } from '@outbox-saga/kit/telemetry/telemetry';
import type { World } from '@outbox-saga/kit/function/world';
import type { OpenKey } from './store.ts';

/** A place in the open index: after an order of a shard, or at the shard's beginning. */
export interface Place {
  readonly shard: number;
  readonly after?: OpenKey | undefined;
}

/** The sweep's note of where to go on: one item of the idempotency table. */
export interface PlaceStore {
  readonly database: Database;
  readonly table: string;
  readonly telemetry: Telemetry;
  readonly world: World;
}

/** Where a run begins, and which run's note it goes by. */
export interface Start {
  readonly place: Place;
  readonly noteOf: string | undefined;
}

const id = 'order-sweep#place';
/** Runs go on from each other minute by minute. After a note that nobody renews, because runs are killed before they can, they begin anywhere. */
const freshMs = 10 * 60_000;

interface Note {
  readonly run: string;
  readonly writtenAt: number;
  readonly place: Place;
}

/** Where the last run that ended early stopped; without one, any shard. Losing the note costs fairness, so it stops no run. */
export async function startingPlace(store: PlaceStore): Promise<Start> {
  const { database, table, telemetry, world } = store;
  const anywhere: Place = { shard: Math.floor(world.random() * openShards) };
  try {
    const note = (await findItem(database, table, { id })) as Note | undefined;
    if (!note) return { place: anywhere, noteOf: undefined };
    return { place: world.now() - note.writtenAt < freshMs ? note.place : anywhere, noteOf: note.run };
  } catch (error) {
    telemetry.warn('place of the sweep not read', { error: describeError(error) });
    return { place: anywhere, noteOf: undefined };
  }
}

/**
 * Notes where the next run goes on, unless another run has noted a place since this one began: of runs that overlap one counts, so that a slow
 * one does not take the others back.
 */
export async function keepPlace(store: PlaceStore, run: string, { noteOf }: Start, place: Place): Promise<void> {
  const { database, table, telemetry, world } = store;
  const now = world.now();
  const note: Note = { run, writtenAt: now, place };
  try {
    await database.send(
      new PutCommand({
        TableName: table,
        Item: { id, ...note, expiration: Math.ceil((now + freshMs) / 1000) },
        ConditionExpression: noteOf === undefined ? 'attribute_not_exists(id)' : '#run = :seen',
        ...(noteOf === undefined ? {} : { ExpressionAttributeNames: { '#run': 'run' }, ExpressionAttributeValues: { ':seen': noteOf } }),
      }),
    );
  } catch (error) {
    if (!conditionFailed(error)) telemetry.warn('place of the sweep not kept', { error: describeError(error) });
  }
}
