import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedAws } from '../../src/embedded.ts';
import { serveEngine } from '../../src/server.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

/** The runtime's own DynamoDB and SQS on a port of their own, with a file of their own. */
export async function startEngine(folder = temporaryFolder()): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  const problems: string[] = [];
  let endpoint = '';
  const engine = new EmbeddedAws({
    file: join(folder, 'aws.sqlite'),
    region: 'us-east-1',
    account: '000000000000',
    endpoint: () => endpoint,
    onProblem: (what) => problems.push(what),
  });
  const server = await serveEngine(engine, { onProblem: (what) => problems.push(what) });
  endpoint = `http://127.0.0.1:${server.port}`;
  return {
    endpoint,
    stop: async () => {
      await server.stop();
      engine.stop();
      rmSync(folder, { recursive: true, force: true });
      // Whatever a caller sends, the engine itself has no trouble.
      if (problems.length > 0) throw new Error(problems.join('\n'));
    },
  };
}
