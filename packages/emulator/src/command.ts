import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EmbeddedAws } from './embedded.ts';
import type { LocalServer } from './http-server.ts';
import { serveEngine } from './server.ts';

const usage = `outbox-saga-emulator [options]

  DynamoDB and SQS on a port of the loopback interface, in AWS's JSON protocol. Any credentials do.

  --port <number>       where it listens                  (default 4000; 0 takes a free port)
  --data-dir <folder>   where everything is kept          (default .aws-emulator)
  --region <name>       that ARNs and queue URLs name     (default us-east-1)
  --help`;

const options = {
  port: { type: 'string', default: '4000' },
  'data-dir': { type: 'string', default: '.aws-emulator' },
  region: { type: 'string', default: 'us-east-1' },
  help: { type: 'boolean', default: false },
} as const;

/** The command: serves until it is told to stop. What is wrong with its arguments, its folder or its port is said in one sentence, and it ends with 1. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true });
    if (values.help) return void process.stdout.write(`${usage}\n`);
    const port = Number(values.port);
    if (!/^\d{1,5}$/.test(values.port) || port > 65_535) throw new Error(`--port ${values.port}: must be a number from 0 to 65535`);
    if (!/^[a-z0-9-]{1,32}$/.test(values.region)) throw new Error(`--region ${values.region}: must be a region's name, such as us-east-1`);
    const stop = await serve(port, values['data-dir'], values.region);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void stop());
  } catch (error) {
    process.stderr.write(`\n${(error as Error).message}\n\n${usage}\n\n`);
    process.exitCode = 1;
  }
}

async function serve(port: number, folder: string, region: string): Promise<() => Promise<void>> {
  const onProblem = (what: string): void => void process.stderr.write(`${what}\n`);
  mkdirSync(folder, { recursive: true });
  let endpoint = '';
  const engine = new EmbeddedAws({
    file: join(folder, 'aws.sqlite'),
    region,
    account: '000000000000',
    endpoint: () => endpoint,
    onProblem,
  });
  let server: LocalServer;
  try {
    server = await serveEngine(engine, { port, onProblem });
  } catch (error) {
    engine.stop();
    throw error;
  }
  endpoint = `http://127.0.0.1:${server.port}`;
  process.stdout.write(`DynamoDB and SQS answer at ${endpoint}, and keep what they are told in ${folder}\n`);
  return async () => {
    await server.stop();
    engine.stop();
  };
}
