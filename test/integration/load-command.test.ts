import { spawn } from 'node:child_process';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Report } from '../../load/report.ts';
import { Identities } from '@outbox-saga/local/identities';
import { runningSystem } from '../support/running-system.ts';
import { eventually, type System } from '../support/system.ts';

const root = join(import.meta.dirname, '../..');

interface Running {
  readonly said: () => { readonly out: string; readonly err: string };
  readonly interrupt: () => void;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

/** `npm run load`. */
function load(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [join(root, 'load/main.ts'), ...args], {
    cwd: root,
    env: { ...process.env, ORDER_SAGA_URL: undefined, ORDER_SAGA_TOKEN: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve)).then((code) => ({ code, out, err }));
  return { said: () => ({ out, err }), interrupt: () => void child.kill('SIGINT'), ended };
}

async function reportOf(system: System, ...args: readonly string[]): Promise<Report & { readonly code: number | null }> {
  const { code, out, err } = await load(['--url', system.url, '--json', ...args]).ended;
  expect(out, err).toMatch(/^\{/);
  return { ...(JSON.parse(out) as Report), code };
}

/** An address at which nothing listens. */
async function deadAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

it('says when nothing answers, and ends with 1', async () => {
  const url = await deadAddress();
  const { code, out, err } = await load(['--url', url]).ended;
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err.trim()).toBe(`nothing answers at ${url} (ECONNREFUSED). A local system is started, in another terminal, by: npm start`);
});

describe('after Ctrl-C', () => {
  /** A load of three orders on a system that does not answer them. */
  async function unanswered(): Promise<Running> {
    let waiting = 0;
    const server = createHttpServer(({ method, url }, response) => {
      if (method === 'POST') waiting++;
      else response.end(url === '/health' ? '{"status":"ok","stage":"test"}' : '{"orders":[]}');
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const running = load(['--url', `http://127.0.0.1:${port}`, '--clients', '3', '--sku', 'coffee', '--json']);
    await eventually(() => Promise.resolve(expect(waiting).toBe(3)));
    return running;
  }

  it('it waits for answers that are under way, but not for ever', async () => {
    const running = await unanswered();
    running.interrupt();
    const { code, out } = await running.ended;
    expect(code).toBe(130);
    expect(JSON.parse(out)).toMatchObject({ ending: 'interrupted', sent: 3, accepted: 0, errors: { 'given up at the end': 3 } });
  });

  it('a second one ends it at once', async () => {
    const running = await unanswered();
    const pressing = setInterval(() => running.interrupt(), 100);
    const ended = await running.ended.finally(() => clearInterval(pressing));
    expect(ended).toMatchObject({ code: 130, out: '' });
  });
});

describe('a system that lets everyone in', () => {
  const system = runningSystem();
  const faults = (settings: unknown): Promise<unknown> => system.api.send('PUT', '/_local/faults', settings);

  it('takes a load, of a SKU of its own', async () => {
    const { code, out, err } = await load(['--clients', '4', '--orders', '24'], { ORDER_SAGA_URL: system.url }).ended;
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringMatching(/24 of 24 accepted, .* 24 settled\n$/) as string });
    expect(out).toMatch(/4 clients, each after its last answer/);
    expect(out).toMatch(/accepted +24 of 24 {3}[\d.]+ \/ s/);
    expect(out).toMatch(/accept ms +p50 .* p95 .* p99 .* max/);
    expect(out).toMatch(/settled +24 of 24/);
    expect(out).toMatch(/outcomes +24 × CONFIRMED/);
    expect((await system.client.getStock('load')).body).toEqual({ sku: 'load', available: 1_000_000_000 - 24, reserved: 24 });
    const { orders } = (await system.client.listOrders({ customerId: 'load-4', limit: 1 })).body;
    expect(orders).toMatchObject([{ status: 'CONFIRMED' }]);
  });

  it('takes orders at a constant rate', async () => {
    const report = await reportOf(system, '--seconds', '2', '--rate', '7.5');
    expect(report).toMatchObject({ code: 0, rate: 7.5, sent: 15, accepted: 15, settled: 15, outcomes: { CONFIRMED: 15 } });
  });

  it('has its stock set only where that was said', async () => {
    const report = await reportOf(system, '--orders', '5', '--sku', 'scarce');
    expect(report).toMatchObject({ code: 0, outcomes: { 'FAILED OUT_OF_STOCK': 5 } });
    await expect(system.client.getStock('scarce')).rejects.toMatchObject({ status: 404 });
    const stocked = await reportOf(system, '--orders', '5', '--sku', 'scarce', '--stock', '3');
    expect(stocked).toMatchObject({ code: 0, outcomes: { CONFIRMED: 3, 'FAILED OUT_OF_STOCK': 2 } });
  });

  it('is told of by its refusals, and the end is 2', async () => {
    const { code, accepted, refusals } = await reportOf(system, '--orders', '4', '--sku', 'what is this?');
    expect({ code, accepted }).toEqual({ code: 2, accepted: 0 });
    expect(refusals).toEqual({ '400 urn:problem:invalid-request': 4 });
  });

  it('whose orders do not settle is given up, and the end is 2', async () => {
    await faults({ 'outbox-publisher': { outage: true } });
    onTestFinished(() => faults({}).then(() => undefined));
    const { code, out } = await load(['--url', system.url, '--orders', '4', '--clients', '4', '--patience', '2']).ended;
    expect(code).toBe(2);
    expect(out).toMatch(/settled +0 of 4/);
    expect(out).toContain('gave up: 4 accepted orders have not settled');
  });

  it('is left in peace after Ctrl-C, with a report of what was done, and the end is 130', async () => {
    await faults({ 'outbox-publisher': { outage: true } });
    onTestFinished(() => faults({}).then(() => undefined));
    const running = load(['--url', system.url, '--seconds', '3600', '--json']);
    await eventually(() => Promise.resolve(expect(running.said().err).toMatch(/[1-9]\d* accepted/)));
    // Under npm one Ctrl-C arrives twice.
    running.interrupt();
    running.interrupt();
    const { code, out } = await running.ended;
    const report = JSON.parse(out) as Report;
    expect(report).toMatchObject({ ending: 'interrupted', settled: 0, errors: {}, refusals: {} });
    expect({ code, accepted: report.accepted }).toEqual({ code: 130, accepted: report.sent });
    expect(report.accepted).toBeGreaterThan(0);
  });
});

describe('a system that asks for tokens', () => {
  const system = runningSystem({ args: ['--stage', 'test', '--auth'] });

  it('takes a load of customers whose tokens are made from its data directory', async () => {
    const report = await reportOf(system, '--clients', '3', '--orders', '6', '--data-dir', system.dataDir);
    expect(report).toMatchObject({ code: 0, accepted: 6, settled: 6, outcomes: { CONFIRMED: 6 } });
  });

  it('takes a token that is given, and refuses one that may not place orders', async () => {
    const identities = new Identities(system.dataDir);
    const token = await identities.subjectToken('ada', 'orders/place orders/read');
    const given = load(['--url', system.url, '--orders', '3', '--sku', 'load', '--json'], { ORDER_SAGA_TOKEN: token });
    const { code, out } = await given.ended;
    expect({ code, ...(JSON.parse(out) as Report) }).toMatchObject({ code: 0, accepted: 3, settled: 3 });
    const reading = await identities.subjectToken('ada', 'orders/read');
    const refused = await reportOf(system, '--orders', '3', '--sku', 'load', '--token', reading);
    expect(refused).toMatchObject({ code: 2, accepted: 0, refusals: { '403 without a problem type': 3 } });
  });

  it('is told by name where its data directory is another', async () => {
    const { code, err } = await load(['--url', system.url, '--data-dir', '/no/such/folder']).ended;
    expect(code).toBe(1);
    expect(err.trim()).toBe(
      `${system.url} asks who we are, and /no/such/folder knows no identities: --data-dir <dir>, as the runtime was started with`,
    );
  });
});

describe('a system that asks for signatures', () => {
  const system = runningSystem({ args: ['--stage', 'test', '--auth=iam'] });

  it('takes a load that is signed by its operator', async () => {
    const report = await reportOf(system, '--clients', '3', '--orders', '6', '--data-dir', system.dataDir);
    expect(report).toMatchObject({ code: 0, accepted: 6, settled: 6, outcomes: { CONFIRMED: 6 } });
  });
});
