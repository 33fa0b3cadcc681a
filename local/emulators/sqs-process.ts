/** The SQS emulator in a process of its own: `sqs-process.ts <marker>` with PORT and DATA_DIR in the environment. */
import { mkdirSync } from 'node:fs';
import { Server as HttpServer } from 'node:http';
import { Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { guardServer } from '../http-server.ts';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
// Without the runtime there is nobody to serve.
process.on('disconnect', () => process.exit(0));

const dataDir = process.env['DATA_DIR']!;
mkdirSync(dataDir, { recursive: true });

// The emulator listens on all interfaces and answers everyone, and has no option against either; nothing of ours may be reachable from outside.
// oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
const listen = Server.prototype.listen;
Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
  if (this instanceof HttpServer) guardServer(this);
  const [first, ...rest] = args;
  const loopback = typeof first === 'object' && first !== null ? { ...first, host: '127.0.0.1' } : first;
  return (listen as (...all: unknown[]) => Server).call(this, loopback, ...rest);
} as typeof listen;

releaseMessages();
const { startFauxqs } = await import('fauxqs');
await startFauxqs({ port: Number(process.env['PORT']), logger: false, dataDir });
process.send!('ready');

/** Whoever had received a message is gone with the runtime: all are visible again, instead of after their visibility timeout. */
function releaseMessages(): void {
  const database = new DatabaseSync(join(dataDir, 'fauxqs.db'));
  const has = database.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'sqs_messages'`).get();
  if (has) database.exec('UPDATE sqs_messages SET visibility_deadline = 1 WHERE visibility_deadline IS NOT NULL');
  database.close();
}
