import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { callService } from '../../src/call.ts';
import { SqsEngine } from '../../src/sqs/engine.ts';
import { SqliteQueueStorage } from '../../src/sqs/sqlite-storage.ts';
import { memoryOnly, type QueueStorage } from '../../src/sqs/storage.ts';
import { startFauxqs } from './fauxqs.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

type Answer = Record<string, unknown>;

/** An SQS under test: one of ours, or one behind an endpoint. */
export interface TestSqs {
  call(operation: string, input: object, signal?: AbortSignal): Promise<Answer>;
  stop(): Promise<void>;
}

export const region = 'us-east-1';
export const account = '000000000000';

export function openEngine(storage: QueueStorage, now: () => number = Date.now): SqsEngine {
  return new SqsEngine({ storage, now, region, account, endpoint: () => 'http://localhost:1' });
}

/** A database as the local runtime opens it. */
export function openDatabase(folder: string): DatabaseSync {
  mkdirSync(folder, { recursive: true });
  const database = new DatabaseSync(join(folder, 'engine.sqlite'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  return database;
}

function ofEngine(engine: SqsEngine, close: () => void): TestSqs {
  return {
    call: async (operation, input, signal) => JSON.parse(JSON.stringify(await engine.call(operation, { ...input }, signal))) as Answer,
    stop: () => {
      engine.stop();
      close();
      return Promise.resolve();
    },
  };
}

const ofEndpoint = (endpoint: string, stop: () => Promise<void>): TestSqs => ({
  call: (operation, input, signal) => callService(endpoint, `AmazonSQS.${operation}`, input, signal),
  stop,
});

async function ofFauxqs(): Promise<TestSqs> {
  const { endpoint, stop } = await startFauxqs();
  return ofEndpoint(endpoint, stop);
}

function startOnDisk(): TestSqs {
  const folder = temporaryFolder();
  const database = openDatabase(folder);
  return ofEngine(openEngine(new SqliteQueueStorage(database)), () => {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  });
}

const named = process.env['TEST_SQS_ENDPOINT'];

/** What the suite runs against: ours and the emulator of the tests, or the one that the environment names, which is ElasticMQ unless it says otherwise. */
export const targets: Readonly<Record<string, () => Promise<TestSqs>>> =
  named === undefined
    ? {
        'the engine in memory': () => Promise.resolve(ofEngine(openEngine(memoryOnly), () => undefined)),
        'the engine on SQLite': () => Promise.resolve(startOnDisk()),
        fauxqs: ofFauxqs,
      }
    : { [process.env['TEST_SQS_EMULATOR'] ?? 'ElasticMQ']: () => Promise.resolve(ofEndpoint(named, () => Promise.resolve())) };
