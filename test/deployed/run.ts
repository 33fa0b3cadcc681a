/**
 * `npm run test:deployed`: deploys the stack with the CDK CLI to a LocalStack-compatible emulator, runs the end-to-end suite
 * against it, and destroys it again. Needs AWS_ENDPOINT_URL; never talks to an endpoint that is not on this machine.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const endpoint = process.env['AWS_ENDPOINT_URL'];
const stage = 'test';
const account = '000000000000';

if (!endpoint) {
  const line = '!'.repeat(78);
  process.stdout.write(
    `\n${line}\n!! test:deployed was NOT RUN: AWS_ENDPOINT_URL is not set.\n` +
      '!! It deploys to a LocalStack-compatible emulator; CONTRIBUTING.md tells how to start one.\n' +
      `!! Nothing is proven about the deployed system by this run.\n${line}\n\n`,
  );
  process.exit(0);
}
if (!['localhost', '127.0.0.1', '[::1]'].includes(new URL(endpoint).hostname)) {
  process.stderr.write(`AWS_ENDPOINT_URL=${endpoint}: this command bootstraps, deploys and destroys; it does so only on this machine\n`);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'order-saga-deployed-'));
const outputsFile = join(folder, 'outputs.json');
const environment = {
  ...process.env,
  AWS_ENDPOINT_URL: endpoint,
  AWS_ENDPOINT_URL_S3: endpoint,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  CDK_DEFAULT_ACCOUNT: account,
  CDK_DEFAULT_REGION: 'us-east-1',
};

/** @returns whether the command succeeded */
function run(what: string, command: string, args: readonly string[], extra: NodeJS.ProcessEnv = {}): boolean {
  const startedAt = Date.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...environment, ...extra } });
  process.stdout.write(
    `\n-- ${what}: ${status === 0 ? 'ok' : `failed with ${status}`} after ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`,
  );
  return status === 0;
}

const cdk = (...args: string[]): [string, string[]] => [
  join(root, 'node_modules/.bin/cdk'),
  // The emulator lets everybody past IAM, and tells functions of no identity: they must not ask for one, as on any laptop.
  [...args, '--context', `stage=${stage}`, '--context', 'local=open', '--output', join(folder, 'cdk.out')],
];

let passed = false;
try {
  passed =
    run('bootstrap', ...cdk('bootstrap', `aws://${account}/us-east-1`)) &&
    run('deploy', ...cdk('deploy', '--all', '--require-approval', 'never', '--outputs-file', outputsFile)) &&
    run('end-to-end suite', join(root, 'node_modules/.bin/vitest'), ['run', '--project', 'e2e'], {
      ORDER_SAGA_URL: apiUrl(),
      ORDER_SAGA_OUTPUTS: outputsFile,
    });
} finally {
  const destroyed = run('destroy', ...cdk('destroy', '--all', '--force')) || (await deletedByName(`OrderSaga-${stage}`));
  passed = destroyed && passed;
  rmSync(folder, { recursive: true, force: true });
}
process.exit(passed ? 0 : 1);

/**
 * The CLI deletes a stack by its ARN, which MiniStack 1.4.21 does not find and answers with success; by name it does.
 *
 * @returns whether the stack is gone
 */
async function deletedByName(stack: string): Promise<boolean> {
  const call = async (action: string): Promise<string> => {
    const response = await fetch(endpoint!, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/cloudformation/aws4_request, SignedHeaders=host, Signature=0',
      },
      body: new URLSearchParams({ Action: action, Version: '2010-05-15', StackName: stack }).toString(),
    });
    return response.text();
  };
  await call('DeleteStack');
  for (let look = 0; look < 60; look++) {
    const answer = await call('DescribeStacks');
    if (/does not exist|DELETE_COMPLETE/.test(answer)) {
      process.stdout.write(`-- destroy: ok by name (the emulator does not find stacks by ARN)\n`);
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return false;
}

/** The emulator serves an API below a path of its own endpoint, not at the host that the stack names. */
function apiUrl(): string {
  const stacks = JSON.parse(readFileSync(outputsFile, 'utf8')) as Record<string, { ApiUrl: string }>;
  const named = new URL(Object.values(stacks)[0]!.ApiUrl);
  return `${endpoint}/_aws/execute-api/${named.hostname.split('.')[0]}/$default`;
}
