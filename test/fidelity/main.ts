/**
 * `npm run fidelity`: the contract suite, the suite of our own engine and the end-to-end suite against emulators that are not ours,
 * Amazon's DynamoDB Local and ElasticMQ with strict limits, and a restart of the local runtime on them. Both need Java 17 or newer;
 * without it nothing runs, and says so.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments } from '../../cli/arguments.ts';
import { callService } from '@outbox-saga/emulator/call';
import { freePort, until } from '@outbox-saga/emulator/ports';
import { Processes } from '@outbox-saga/local/processes';
import { downloadDynamoDbLocal, downloadElasticMq, javaVersion } from './jars.ts';

const usage = `npm run fidelity

  Runs the contract suite, the suite of our own engine, the end-to-end suite and a restart on Amazon's DynamoDB Local and on ElasticMQ,
  which it downloads. Needs Java 17 or newer.

  FIDELITY=required    fail without Java (environment variable)
  --help`;
readArguments({ usage, options: {} }, () => undefined);

const root = join(import.meta.dirname, '../..');
const oldestJava = 17;
const java = javaVersion();

if (java === undefined || java < oldestJava) {
  const line = '!'.repeat(78);
  process.stdout.write(
    `\n${line}\n!! fidelity was NOT RUN: it needs Java ${oldestJava} or newer, and ${java === undefined ? 'there is none' : `this is Java ${java}`}.\n` +
      "!! Nothing is proven about Amazon's DynamoDB Local or ElasticMQ by this run.\n" +
      `${line}\n\n`,
  );
  process.exit(process.env['FIDELITY'] === 'required' ? 1 : 0);
}

const folder = mkdtempSync(join(tmpdir(), 'order-saga-fidelity-'));
const processes = new Processes(folder);
// DynamoDB Local writes a file into the folder that it is started in.
process.chdir(folder);
const startedAt = Date.now();
const say = (text: string): void => void process.stdout.write(`-- ${text} (${((Date.now() - startedAt) / 1000).toFixed(0)} s)\n`);

/** Starts a Java process and waits until it answers. @returns its endpoint */
async function startJava(what: string, port: number, args: readonly string[], probe: string): Promise<string> {
  const child = processes.spawn('java', ['-Xmx512m', ...args]);
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)));
  const ended = new Promise<never>((_, reject) =>
    child.once('exit', (code) => reject(new Error(`${what} ended with ${code}:\n${output}`))),
  );
  // It also ends when this program ends it.
  ended.catch(() => undefined);
  const endpoint = `http://127.0.0.1:${port}`;
  const answers = (): Promise<boolean> =>
    callService(endpoint, probe, {}).then(
      () => true,
      () => false,
    );
  await Promise.race([until(`${what} answers`, 120_000, answers), ended]);
  say(`${what} answers at ${endpoint}`);
  return endpoint;
}

async function startDynamoDbLocal(lib: string, shared: boolean): Promise<string> {
  const port = await freePort();
  const data = join(folder, `dynamodb-${port}`);
  mkdirSync(data);
  // With -sharedDb every caller sees the same tables, as the functions of a stack do; without it each access key has tables of its own.
  const args = [
    `-Djava.library.path=${join(lib, 'DynamoDBLocal_lib')}`,
    '-jar',
    join(lib, 'DynamoDBLocal.jar'),
    '-disableTelemetry',
    '-port',
    String(port),
  ];
  const storage = shared ? ['-sharedDb', '-dbPath', data] : ['-inMemory'];
  return startJava('DynamoDB Local', port, [...args, ...storage], 'DynamoDB_20120810.ListTables');
}

async function startElasticMq(classPath: string): Promise<string> {
  const port = await freePort();
  const config = join(folder, 'elasticmq.conf');
  writeFileSync(
    config,
    `include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
rest-sqs { enabled = true, bind-port = ${port}, bind-hostname = "127.0.0.1", sqs-limits = strict }
rest-stats { enabled = false }
messages-storage { enabled = false }
`,
  );
  return startJava('ElasticMQ', port, [`-Dconfig.file=${config}`, '-cp', classPath, 'org.elasticmq.server.Main'], 'AmazonSQS.ListQueues');
}

/**
 * Waits without standing still: the emulators' output must be read meanwhile. One that writes into a full pipe stops answering, as ElasticMQ did
 * in the middle of the suite on queues.
 */
async function vitest(what: string, args: readonly string[], environment: Readonly<Record<string, string>>): Promise<boolean> {
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  say(`${what}: ${status === 0 ? 'ok' : `failed with ${status}`}`);
  return status === 0;
}

let passed = false;
try {
  const [lib, classPath] = [downloadDynamoDbLocal(join(folder, 'dynamodb-local')), await downloadElasticMq(join(folder, 'elasticmq'))];
  say('downloaded, every file as it was pinned');
  const sqs = await startElasticMq(classPath);
  const perKey = await startDynamoDbLocal(lib, false);
  const suites = { TEST_DYNAMODB_ENDPOINT: perKey, TEST_SQS_ENDPOINT: sqs };
  const contract = await vitest('contract suite', ['--project', 'contract'], suites);
  const engine = await vitest('suite of the engine', ['--project', 'engine'], suites);
  const shared = await startDynamoDbLocal(lib, true);
  const endpoints = { AWS_ENDPOINT_URL_DYNAMODB: shared, AWS_ENDPOINT_URL_SQS: sqs };
  const endToEnd = await vitest('end-to-end suite', ['--project', 'e2e'], endpoints);
  const restart = await vitest('restart', ['--config', join(import.meta.dirname, 'vitest.config.ts')], {
    AWS_ENDPOINT_URL_DYNAMODB: await startDynamoDbLocal(lib, true),
    AWS_ENDPOINT_URL_SQS: sqs,
  });
  passed = contract && engine && endToEnd && restart;
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`);
} finally {
  await processes.killAll();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = passed ? 0 : 1;
