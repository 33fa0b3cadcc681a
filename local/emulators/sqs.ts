import { join } from 'node:path';
import { freePort } from '../ports.ts';
import { StartProblem } from '../problem.ts';
import type { Processes } from '../processes.ts';

/** A running SQS: ours, or one that the user named. */
export interface Sqs {
  readonly endpoint: string;
  readonly what: string;
  readonly exited: Promise<string>;
}

export async function startSqs(dataDir: string, processes: Processes): Promise<Sqs> {
  const port = await freePort();
  const child = processes.fork(join(import.meta.dirname, 'sqs-process.ts'), {
    env: { PATH: process.env['PATH'], PORT: String(port), DATA_DIR: join(dataDir, 'sqs') },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-2000)));
  const exited = new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(`the SQS emulator ended (${signal ?? code}): ${output}`)),
  );
  await Promise.race([
    new Promise((resolve) => child.once('message', resolve)),
    exited.then((why) => Promise.reject(new StartProblem(why))),
  ]);
  return { endpoint: `http://127.0.0.1:${port}`, what: 'fauxqs 2.4.1 (embedded)', exited };
}
