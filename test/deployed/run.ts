/**
 * `npm run test:deployed`: deploys stage test with the CDK CLI to a LocalStack-compatible emulator, runs the end-to-end suite
 * against it, and destroys it again; then deploys stage dev, which has alarms, as far as the emulator takes them. At last MiniStack, if it is that one,
 * is held to the suite of our own engine. Needs AWS_ENDPOINT_URL; never talks to an endpoint that is not on this machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments } from '../../cli/arguments.ts';
import { deployWithAlarms } from './alarms.ts';
import { emulatorEndpoint, Emulator } from './emulator.ts';

const usage = `AWS_ENDPOINT_URL=http://localhost:4566 npm run test:deployed

  Deploys stage test with the CDK CLI to a LocalStack-compatible emulator on this machine, runs the end-to-end suite against it, and destroys it
  again; then stage dev with its alarms, as far as the emulator takes them. MiniStack is also held to the suite of our own engine.
  CONTRIBUTING.md tells how to start an emulator.
  --help`;
const endpoint = readArguments({ usage, options: {} }, emulatorEndpoint);

if (!endpoint) {
  const line = '!'.repeat(78);
  process.stdout.write(
    `\n${line}\n!! test:deployed was NOT RUN: AWS_ENDPOINT_URL is not set.\n` +
      '!! It deploys to a LocalStack-compatible emulator; CONTRIBUTING.md tells how to start one.\n' +
      `!! Nothing is proven about the deployed system by this run.\n${line}\n\n`,
  );
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'order-saga-deployed-'));
const emulator = new Emulator(endpoint, folder);

let passed = false;
try {
  passed = emulator.bootstrap() && endToEnd() && (await deployWithAlarms(emulator)) && (await engineSuite());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(passed ? 0 : 1);

function endToEnd(): boolean {
  let suitePassed = false;
  try {
    const outputs = emulator.deploy('test', emulator.synthesized('test'));
    suitePassed = outputs !== undefined && emulator.run('end-to-end suite', 'vitest', ['run', '--project', 'e2e'], outputs.environment);
  } finally {
    suitePassed = emulator.destroy('test') && suitePassed;
  }
  return suitePassed;
}

/** Holds the emulator to the suite of our own engine. The known differences are those of MiniStack: no other emulator is asked. */
async function engineSuite(): Promise<boolean> {
  const { ok: isMiniStack } = await fetch(new URL('/_ministack/health', endpoint));
  if (!isMiniStack) {
    process.stdout.write('\n-- suite of the engine: NOT RUN, as this emulator is not MiniStack\n');
    return true;
  }
  return emulator.run(
    'suite of the engine',
    'vitest',
    ['run', '--project', 'engine', 'packages/emulator/test/dynamodb', 'packages/emulator/test/sqs.test.ts'],
    {
      TEST_DYNAMODB_ENDPOINT: endpoint,
      TEST_DYNAMODB_EMULATOR: 'MiniStack',
      TEST_SQS_ENDPOINT: endpoint,
      TEST_SQS_EMULATOR: 'MiniStack',
    },
  );
}
