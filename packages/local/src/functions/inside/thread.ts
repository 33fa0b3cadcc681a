/** Main module of an execution environment that is a thread of the runtime's process. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadData, ToEnvironment, ToThread } from '../protocol.ts';
import { interceptCalls } from './calls.ts';
import { serve } from './serve.ts';

const port = parentPort!;
const { awsEndpoint, priority } = workerData as ThreadData;

// On Linux this concerns the calling thread alone; elsewhere it would be the whole process.
if (process.platform === 'linux') setPriority(priority);

forwardLines();
const answered = interceptCalls(awsEndpoint, (message) => port.postMessage(message));

await serve({
  send: (message) => port.postMessage(message),
  onInvocation: (take) =>
    port.on('message', (message: ToThread) => {
      if (message.kind === 'answer') answered(message);
      else take(message satisfies ToEnvironment);
    }),
});

/** What is printed goes the way of all messages: a thread's own streams would be read only when its loop is idle. */
function forwardLines(): void {
  for (const stream of [process.stdout, process.stderr]) {
    let begun = '';
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
      const lines = `${begun}${typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')}`.split('\n');
      begun = lines.pop()!;
      if (lines.length > 0) port.postMessage({ kind: 'lines', lines });
      const done = rest.at(-1);
      if (typeof done === 'function') queueMicrotask(() => (done as () => void)());
      return true;
    };
  }
}
