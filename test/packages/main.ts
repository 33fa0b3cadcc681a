/**
 * `npm run test:packages`: packs the packages, installs the tarballs with the example into an empty folder outside of this repository, and there checks its types, runs its
 * tests on the local runtime, and deploys it to a LocalStack-compatible emulator where AWS_ENDPOINT_URL names one on this machine.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments } from '../../cli/arguments.ts';
import { until } from '@outbox-saga/emulator/ports';
import { emulatorEndpoint, Emulator } from '../deployed/emulator.ts';
import { copyFile, projectFiles } from '../support/project-copy.ts';
import { signWith } from '../support/client.ts';

const usage = `AWS_ENDPOINT_URL=http://localhost:4566 npm run test:packages

  Packs the packages, and installs them with examples/login-audit into an empty folder outside of this repository. There it checks the example's types, as
  Node and as a bundler resolve them, and runs its tests on the local runtime. With AWS_ENDPOINT_URL it deploys the example to that emulator, which must be
  on this machine (CONTRIBUTING.md tells how to start one), and logs in.
  --help`;
const endpoint = readArguments({ usage, options: {} }, emulatorEndpoint);

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'outbox-saga-example-'));
const example = join(folder, 'login-audit');
const tarballs = join(folder, 'tarballs');
/** Of the example, without comments and blank lines. */
const mostLines = 150;

function run(what: string, command: string, args: readonly string[], cwd = example): void {
  const startedAt = Date.now();
  // Of this project's packages nothing may be found: neither by npm's own variables nor on the path.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  const path = [join(example, 'node_modules/.bin'), ...(process.env['PATH'] ?? '').split(':').filter((part) => !part.startsWith(root))];
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit', env: { ...env, PATH: path.join(':') } });
  process.stdout.write(
    `\n-- ${what}: ${status === 0 ? 'ok' : `failed with ${status}`} after ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`,
  );
  if (status !== 0) throw new Error(`${what} failed`);
}

function install(): void {
  execFileSync(process.execPath, [join(root, 'bin/pack.ts'), '--out', tarballs], { cwd: root, stdio: 'inherit' });
  for (const file of projectFiles('examples/login-audit')) copyFile(file, join(folder, file.replace(/^examples\//, '')));
  const packed = readdirSync(tarballs).map((name) => join(tarballs, name));
  run('install', 'npm', ['install', '--no-audit', '--no-fund', ...packed]);
}

/** @throws Error when it is longer than an example may be */
function countLines(): void {
  const sources = [example, join(example, 'functions')].flatMap((path) =>
    readdirSync(path)
      .filter((name) => name.endsWith('.ts') && name !== 'vitest.config.ts')
      .map((name) => readFileSync(join(path, name), 'utf8')),
  );
  const lines = sources.flatMap((text) => text.split('\n')).filter((line) => !/^\s*(\/\/|\/?\*|$)/.test(line)).length;
  process.stdout.write(`\n-- the example has ${lines} lines of TypeScript without comments and tests\n`);
  if (lines > mostLines) throw new Error(`the example has more than ${mostLines} lines`);
}

/** Our own declarations are checked too. Those of others are not ours to mend: middy's name a package that is optional. */
function checkTypes(what: string, args: readonly string[]): void {
  const { stdout } = spawnSync(join(example, 'node_modules/.bin/tsc'), args, { cwd: example, encoding: 'utf8' });
  const errors = stdout.split('\n').filter((line) => /error TS\d+/.test(line) && !/^node_modules\/(?!@outbox-saga\/)/.test(line));
  process.stdout.write(`${errors.join('\n')}\n-- ${what}: ${errors.length === 0 ? 'ok' : 'failed'}\n`);
  if (errors.length > 0) throw new Error(`${what} failed`);
}

async function deploy(endpoint: string): Promise<void> {
  const emulator = new Emulator(endpoint, folder, example);
  if (!emulator.bootstrap()) throw new Error('bootstrap failed');
  const deployed = emulator.deploy('dev', emulator.synthesized('dev'));
  if (!deployed) throw new Error('deploy failed');
  const { url, outputs } = deployed;
  const request = {
    method: 'POST',
    url: new URL(`${url}/logins`),
    headers: { 'content-type': 'application/json' },
    body: '{"userId":"ada"}',
  } as const;
  // The route demands an IAM identity, as on AWS.
  const headers = await signWith({ accessKeyId: 'test', secretAccessKey: 'test' })(request);
  const answer = await fetch(request.url, { method: request.method, headers, body: request.body });
  if (answer.status !== 202) throw new Error(`POST /logins answered ${answer.status}: ${await answer.text()}`);
  await until('the login is audited', 60_000, async () => {
    const { Count } = await emulator.call('DynamoDB_20120810.Scan', { TableName: outputs['AuditLogTableName'], ConsistentRead: true });
    return Number(Count) === 1;
  });
  process.stdout.write('\n-- a login on the deployed example: audited\n');
  if (!emulator.destroy('dev')) throw new Error('destroy failed');
}

let passed = 0;
try {
  install();
  countLines();
  checkTypes('types, as Node resolves them', []);
  checkTypes('types, as a bundler resolves them', ['--module', 'esnext', '--moduleResolution', 'bundler']);
  run('tests', 'npm', ['test']);
  passed = 3;
  if (endpoint) {
    await deploy(endpoint);
    passed++;
  } else process.stdout.write('\n!! The example was NOT DEPLOYED: AWS_ENDPOINT_URL is not set.\n');
} catch (error) {
  process.stderr.write(`\n${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`\n${passed} passed, ${process.exitCode ? 1 : 0} failed\n`);
