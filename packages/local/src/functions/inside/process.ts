/** Main module of an execution environment that is a process of its own. */
import type { ToEnvironment } from '../protocol.ts';
import { serve } from './serve.ts';

// The runtime decides when an environment ends; Ctrl-C in its terminal does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));

await serve({
  send: (message) => void process.send!(message),
  onInvocation: (take) => process.on('message', (message: ToEnvironment) => take(message)),
});
