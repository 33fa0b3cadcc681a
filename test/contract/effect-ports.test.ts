import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { ProviderOptions } from '@outbox-saga/kit/effects/provider';
import { effectPortSuite } from '@outbox-saga/testing/effect-port';
import { httpGateway } from '../../lambdas/payment/http-gateway.ts';
import { sandboxGateway } from '../../lambdas/payment/sandbox-gateway.ts';
import { sandboxLedger, type SandboxLedger } from '../../lambdas/providers/sandbox-ledger.ts';
import { httpCarrier } from '../../lambdas/shipping/http-carrier.ts';
import { sandboxCarrier } from '../../lambdas/shipping/sandbox-carrier.ts';
import { Providers } from '../simulation/providers.ts';
import { testWorld } from '../support/builders.ts';
import { startProviderServer, type ProviderServer } from '../support/provider-server.ts';
import { startTables, type TestTables } from '../support/tables.ts';

// Every adapter is held to the same suite: those over HTTP before a provider that keeps docs/providers.md, on a real connection.
const world = testWorld();
let tables: TestTables;
let server: ProviderServer;
let options: ProviderOptions;
let providers: Providers;
let ledger: SandboxLedger;
beforeAll(async () => {
  tables = await startTables();
  server = await startProviderServer();
});
afterAll(async () => {
  server.stop();
  await tables.stop();
});

/** What is told the provider so that its first answers are lost: the adapter itself asks once more, over another connection. */
const lostName = 'lost';
let lostAnswers: number;
beforeEach(async () => {
  await tables.clear('sandboxLedger');
  ledger = sandboxLedger(tables.database, 'sandboxLedger');
  providers = new Providers(() => world.now());
  lostAnswers = 2;
  server.reset();
  options = { url: '', secret: () => Promise.resolve('s3cret'), timeoutMs: 5000 };
});
/** The provider of this name, behind HTTP. */
function reached(name: 'payment' | 'carrier'): ProviderOptions {
  server.answer = ({ method, url, headers, body }) => {
    const asked = body === '' ? undefined : (JSON.parse(body) as unknown);
    const answer = providers.handle(method, `http://${name}.test${url}`, headers as Record<string, string>, asked);
    return method === 'POST' && body.includes(`"${lostName}"`) && lostAnswers-- > 0 ? { drop: true } : answer;
  };
  return { ...options, url: server.url };
}
const entered = (id: string, done: string, undone: string) => {
  const of = (kind: string): number => providers.books.filter((entry) => entry.orderId === id && entry.kind === kind).length;
  return Promise.resolve({ done: of(done), undone: of(undone) });
};
const inLedger = async (id: string, done: string, undone: string) => {
  const of = async (kind: string): Promise<number> => ((await ledger.find(`${kind}#${id}`)) ? 1 : 0);
  return { done: await of(done), undone: await of(undone) };
};

const charge = (orderId: string, token: string) => ({ orderId, amount: 1200, currency: 'JPY', token });
const consignment = (orderId: string, shipTo: { name: string; postalCode?: string }) => ({
  orderId,
  items: [{ sku: 'tea', qty: 1 }],
  shipTo,
});

effectPortSuite('the gateway over HTTP', {
  request: (id) => charge(id, 'tok_ok'),
  refused: (id) => charge(id, 'tok_declined'),
  lost: (id) => charge(id, lostName),
  connect: () => ({ port: httpGateway(reached('payment')), books: (id) => entered(id, 'capture', 'refund') }),
});

effectPortSuite('the carrier over HTTP', {
  request: (id) => consignment(id, { name: 'Ada' }),
  refused: (id) => consignment(id, { name: 'Ada', postalCode: '00000' }),
  lost: (id) => consignment(id, { name: lostName }),
  connect: () => ({ port: httpCarrier(reached('carrier')), books: (id) => entered(id, 'shipment', 'call-off') }),
});

effectPortSuite('the sandbox gateway', {
  request: (id) => charge(id, 'tok_ok'),
  refused: (id) => charge(id, 'tok_declined'),
  lost: (id) => charge(id, 'tok_lost_response'),
  connect: () => ({ port: sandboxGateway(ledger, world), books: (id) => inLedger(id, 'capture', 'refund') }),
});

effectPortSuite('the sandbox carrier', {
  request: (id) => consignment(id, { name: 'Ada' }),
  refused: (id) => consignment(id, { name: 'Ada', postalCode: '00000' }),
  connect: () => ({ port: sandboxCarrier(ledger, world), books: (id) => inLedger(id, 'shipment', 'calloff') }),
});
