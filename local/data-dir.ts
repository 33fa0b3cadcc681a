import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identitiesFile } from './identities.ts';
import { StartProblem } from './problem.ts';
import { commandOf } from './processes.ts';

const lockName = 'runtime.pid';
/** What a data directory may hold; `--fresh` deletes nothing else. */
const ours = new Set([
  lockName,
  'dynamodb',
  'sqs',
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
