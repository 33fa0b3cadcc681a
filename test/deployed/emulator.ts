import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageProblem } from '../../cli/arguments.ts';
import { callService } from '@outbox-saga/emulator/call';

const root = join(import.meta.dirname, '../..');
const account = '000000000000';

/**
 * Of the emulator that the environment names; undefined when it names none.
 *
 * @throws UsageProblem when it is not on this machine: these commands deploy and destroy
 */
export function emulatorEndpoint(): string | undefined {
  const endpoint = process.env['AWS_ENDPOINT_URL'] || undefined;
  if (endpoint && !['localhost', '127.0.0.1', '[::1]'].includes(new URL(endpoint).hostname)) {
    throw new UsageProblem(`AWS_ENDPOINT_URL=${endpoint}: this command deploys and destroys; it does so only on this machine`);
  }
  return endpoint;
}

/** A deployed stack, as the end-to-end suite wants to know of it. */
export interface Deployed {
  readonly url: string;
  readonly outputs: Record<string, string>;
  /** ORDER_SAGA_URL and ORDER_SAGA_OUTPUTS. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A LocalStack-compatible emulator on this machine, and the CDK CLI pointed at it. */
export class Emulator {
  readonly #endpoint: string;
  readonly #folder: string;
  readonly #project: string;
  readonly #environment: NodeJS.ProcessEnv;

  /**
   * @param folder for assemblies and outputs; the caller deletes it
   * @param project whose commands are run. Default: this one
   */
  constructor(endpoint: string, folder: string, project = root) {
    this.#project = project;
    this.#endpoint = endpoint;
    this.#folder = folder;
    this.#environment = {
      ...process.env,
      AWS_ENDPOINT_URL: endpoint,
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      CDK_DEFAULT_ACCOUNT: account,
      CDK_DEFAULT_REGION: 'us-east-1',
    };
  }

  /** Runs one of the project's commands. @returns whether it succeeded */
  run(what: string, command: string, args: readonly string[], extra: NodeJS.ProcessEnv = {}): boolean {
    const startedAt = Date.now();
    const { status } = spawnSync(join(this.#project, 'node_modules/.bin', command), args, {
      cwd: this.#project,
      stdio: 'inherit',
      env: { ...this.#environment, ...extra },
    });
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    process.stdout.write(`\n-- ${what}: ${status === 0 ? 'ok' : `failed with ${status}`} after ${seconds} s\n`);
    return status === 0;
  }

  bootstrap(): boolean {
    return this.#cdk('bootstrap', 'test', join(this.#folder, 'bootstrap'), `aws://${account}/us-east-1`);
  }

  /** @returns the folder of a stage's assembly. @throws Error when it cannot be synthesized */
  synthesized(stage: string): string {
    const assembly = join(this.#folder, `cdk-${stage}`);
    if (!this.#cdk('synth', stage, assembly, '--quiet')) throw new Error(`stage ${stage} was not synthesized`);
    return assembly;
  }

  /** Deploys an assembly. @returns undefined when that failed */
  deploy(stage: string, assembly: string): Deployed | undefined {
    const file = join(this.#folder, `outputs-${stage}.json`);
    const args = ['deploy', '--all', '--app', assembly, '--require-approval', 'never', '--outputs-file', file];
    if (!this.run(`deploy ${stage}`, 'cdk', args)) return undefined;
    const stacks = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>;
    const outputs = Object.values(stacks)[0]!;
    // The emulator serves an API below a path of its own endpoint, not at the host that the stack names.
    const url = `${this.#endpoint}/_aws/execute-api/${new URL(outputs['ApiUrl']!).hostname.split('.')[0]}/$default`;
    return { url, outputs, environment: { ORDER_SAGA_URL: url, ORDER_SAGA_OUTPUTS: file } };
  }

  /** Destroys a stage's stack. @returns whether it is gone */
  destroy(stage: string): boolean {
    return this.run(`destroy ${stage}`, 'cdk', ['destroy', '--all', '--force', '--app', join(this.#folder, `cdk-${stage}`)]);
  }

  /** One call in AWS's JSON protocol. @param target such as `AmazonSQS.ListQueues` */
  call(target: string, body: unknown): Promise<Record<string, unknown>> {
    return callService(this.#endpoint, target, body);
  }

  #cdk(command: string, stage: string, output: string, ...args: string[]): boolean {
    return this.run(`${command} ${stage}`, 'cdk', [command, ...args, '--context', `stage=${stage}`, '--output', output]);
  }
}
