import { Server } from 'node:net';
import { startFauxqs as start } from 'fauxqs';
import { freePort } from '../../src/ports.ts';

/** An SQS emulator that is not ours, in this process. It would listen on all interfaces and has no option against that; nothing of a test may be reachable from outside. */
export async function startFauxqs(): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  // oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
  const listen = Server.prototype.listen;
  Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
    const [first, ...rest] = args;
    const loopback = typeof first === 'object' && first !== null ? { ...first, host: '127.0.0.1' } : first;
    return (listen as (...all: unknown[]) => Server).call(this, loopback, ...rest);
  } as typeof listen;
  try {
    const port = await freePort();
    const server = await start({ port, logger: false });
    return { endpoint: `http://127.0.0.1:${port}`, stop: () => server.stop() };
  } finally {
    Server.prototype.listen = listen;
  }
}
