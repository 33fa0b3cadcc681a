import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identitiesFile } from './identities.ts';
import { StartProblem } from './problem.ts';
import { commandOf } from './processes.ts';

const lockName = 'runtime.pid';
/** Tables, streams and queues, and what SQLite keeps beside its file. */
export const engineFile = 'aws.sqlite';
/** Of 0.3.0 and before, which kept them with other emulators. */
const formerly = ['dynamodb', 'sqs'];
/** What a data directory may hold; `--fresh` deletes nothing else. */
const ours = new Set([
  lockName,
  engineFile,
  `${engineFile}-wal`,
  `${engineFile}-shm`,
  ...formerly,
  'checkpoints.json',
  'checkpoints.json.new',
  identitiesFile,
  'processes',
  'app',
  'reload',
]);

/**
 * Takes a data directory for this process.
 *
 * @returns gives it back
 * @throws StartProblem when another runtime works in it, or when `fresh` would delete what is not the runtime's
 */
export function openDataDir(dataDir: string, fresh: boolean): () => void {
  mkdirSync(dataDir, { recursive: true });
  const lock = join(dataDir, lockName);
  if (existsSync(lock)) {
    const pid = Number(readFileSync(lock, 'utf8'));
    if (pid !== process.pid && /node|vitest/.test(commandOf(pid))) {
      throw new StartProblem(`${dataDir} is in use by process ${pid}. Stop it, or choose another folder: npm start -- --data-dir <folder>`);
    }
  }
  const former = formerly.filter((name) => existsSync(join(dataDir, name)));
  if (!fresh && former.length > 0) {
    throw new StartProblem(
      `${dataDir} is of release 0.3.0 or before, whose tables and queues (${former.join(', ')}) this release does not read. Finish its orders with that release ` +
        'and start from nothing with: npm start -- --fresh\nOr keep it, and choose another folder: npm start -- --data-dir <folder>',
    );
  }
  if (fresh) {
    const foreign = readdirSync(dataDir).filter((name) => !ours.has(name));
    if (foreign.length > 0) {
      throw new StartProblem(`--fresh would delete ${dataDir}, but it holds ${foreign.slice(0, 3).join(', ')}, which is not the runtime's`);
    }
    for (const name of readdirSync(dataDir)) rmSync(join(dataDir, name), { recursive: true, force: true });
  }
  writeFileSync(lock, String(process.pid));
  return () => rmSync(lock, { force: true });
}
