import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { callerOf } from '@outbox-saga/emulator/call';
import { localResources } from '../../ops/target.ts';
import { auditBooks } from '../support/audit.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { spawnRuntime, startRuntime, type RunOptions, type StartedRuntime } from '../support/runtime.ts';
import { eventually, localSystem, settled, type System } from '../support/system.ts';

/** Does something once the test has ended: its own, as tests run side by side. */
type Afterwards = (cleanUp: () => Promise<void> | void) => void;

function folder(afterwards: Afterwards): string {
  const made = temporaryFolder();
  afterwards(() => rmSync(made, { recursive: true, force: true }));
  return made;
}
type Isolation = RunOptions['isolation'];

async function start(dataDir: string, afterwards: Afterwards, isolation?: Isolation): Promise<{ runtime: StartedRuntime; system: System }> {
  const runtime = await startRuntime({ dataDir, isolation });
  afterwards(() => runtime.end('SIGKILL').then(() => undefined));
  return { runtime, system: await localSystem(runtime.url) };
}

/** Processes whose command line names a data directory, the test's own aside. */
function processesOf(dataDir: string): string[] {
  return execFileSync('ps', ['-eo', 'pid=,command='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(dataDir) && !line.includes('ps -eo'));
}

/** That the runtime has noted of its stream all that there is. */
async function expectStreamRead({ dataDir, url }: StartedRuntime): Promise<void> {
  const { endpoint } = await localResources(url);
  const call = callerOf(endpoint);
  const noted = JSON.parse(readFileSync(join(dataDir, 'checkpoints.json'), 'utf8')) as Record<string, Record<string, string>>;
  for (const [StreamArn, shards] of Object.entries(noted)) {
    for (const [ShardId, SequenceNumber] of Object.entries(shards)) {
      const after = { StreamArn, ShardId, SequenceNumber, ShardIteratorType: 'AFTER_SEQUENCE_NUMBER' };
      const { ShardIterator } = await call('DynamoDBStreams_20120810.GetShardIterator', after);
      expect(await call('DynamoDBStreams_20120810.GetRecords', { ShardIterator })).toMatchObject({ Records: [] });
    }
  }
}

const placeMany = (system: System, count: number): Promise<string[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const { body } = await system.api.place({
        customerId: `c${i}`,
        items: [{ sku: 'tea', qty: 1, price: 100 }],
        payment: { token: i % 3 === 0 ? 'tok_declined' : 'tok_ok' },
      });
      return body.orderId as string;
    }),
  );

// Side by side, as they also wait; no more of them, as each starts whole systems.
vi.setConfig({ maxConcurrency: 3 });

describe.concurrent('stopping', () => {
  it.for(['SIGINT', 'SIGTERM'] as const)('on %s leaves no child and exits with 0', async (signal, { onTestFinished: afterwards }) => {
    const { runtime } = await start(folder(afterwards), afterwards, 'process');
    expect(processesOf(runtime.dataDir).length).toBeGreaterThan(12);
    expect(await runtime.end(signal)).toBe(0);
    await eventually(() => Promise.resolve(expect(runtime.output()).toContain('stopped')));
    expect(runtime.output()).not.toContain('emulator ended');
    expect(processesOf(runtime.dataDir)).toEqual([]);
  });

  it('ends the one process in which all functions are threads', async ({ onTestFinished: afterwards }) => {
    const { runtime } = await start(folder(afterwards), afterwards);
    expect(processesOf(runtime.dataDir)).toHaveLength(1);
    expect(await runtime.end('SIGTERM')).toBe(0);
    expect(processesOf(runtime.dataDir)).toEqual([]);
  });
});

describe.concurrent('killed with -9 in the middle of its orders and started again', () => {
  it.for<[string, Isolation, (runtime: StartedRuntime) => void]>([
    ['the process of everything', 'thread', (runtime) => process.kill(runtime.process.pid!, 'SIGKILL')],
    ['the parent alone', 'process', (runtime) => process.kill(runtime.process.pid!, 'SIGKILL')],
    ['its whole process group', 'process', (runtime) => process.kill(-runtime.process.pid!, 'SIGKILL')],
    [
      'everything, the process that cleans up too',
      'process',
      ({ dataDir }) => {
        for (const line of processesOf(dataDir)) process.kill(Number(line.trim().split(' ')[0]), 'SIGKILL');
      },
    ],
  ])(
    '%s: it keeps every order, finishes the open ones and leaves no orphan',
    async ([, isolation, kill], { onTestFinished: afterwards }) => {
      const dataDir = folder(afterwards);
      const first = await start(dataDir, afterwards, isolation);
      await first.system.api.setStock('tea', 40);
      const ids = await placeMany(first.system, 18);
      kill(first.runtime);
      await eventually(() => Promise.resolve(expect(processesOf(dataDir)).toEqual([])));

      const second = await start(dataDir, afterwards, isolation);
      const orders = await Promise.all(ids.map((id) => settled(second.system, id)));
      expect(orders.filter(({ status }) => status === 'CONFIRMED')).toHaveLength(12);
      await auditBooks(second.system, new Map([['tea', 40]]));
    },
  );

  it('does not publish what it had published', async ({ onTestFinished: afterwards }) => {
    const dataDir = folder(afterwards);
    const first = await start(dataDir, afterwards);
    const [id] = await placeMany(first.system, 1);
    await settled(first.system, id!);
    await eventually(async () => {
      const { body } = await first.system.api.get(`/orders/${id}/timeline`);
      expect(body.entries.every(({ status }: { status: string }) => status === 'SENT')).toBe(true);
    });
    // A row says so a moment before the stream's reader has noted how far it came.
    await eventually(() => expectStreamRead(first.runtime));
    await first.runtime.end('SIGKILL');
    const second = await start(dataDir, afterwards);
    // Out of stock: placed, rejected, failed.
    const [later] = await placeMany(second.system, 1);
    await settled(second.system, later!);
    await eventually(async () => {
      const { body } = await second.system.api.get('/_local/metrics');
      const sent = body.metrics.find(({ name }: { name: string }) => name === 'OutboxRowsSent');
      expect(sent?.sum).toBe(3);
    });
  });
});

describe.concurrent('an environment that is killed', () => {
  it('in the middle of its work costs a retry, not an order', async ({ onTestFinished: afterwards }) => {
    const { system } = await start(folder(afterwards), afterwards, 'process');
    await system.api.setStock('tea', 100);
    const ids = await placeMany(system, 20);
    const { body } = await system.api.get('/_local/functions');
    for (const name of ['inventory', 'payment', 'order-saga', 'outbox-publisher']) {
      for (const pid of body[name].pids as number[]) process.kill(pid, 'SIGKILL');
    }
    const orders = await Promise.all(ids.map((id) => settled(system, id)));
    expect(orders.map(({ status }) => status).toSorted()).toEqual([...Array(13).fill('CONFIRMED'), ...Array(7).fill('FAILED')]);
    await auditBooks(system, new Map([['tea', 100]]));
  });
});

describe.concurrent('starting', () => {
  async function refused(options: Parameters<typeof spawnRuntime>[0]): Promise<string> {
    const attempt = spawnRuntime(options);
    expect(await attempt.exited).toBe(1);
    await eventually(() => Promise.resolve(expect(attempt.output()).not.toBe('')));
    expect(attempt.output()).not.toContain('    at ');
    expect(processesOf(attempt.dataDir)).toEqual([]);
    return attempt.output();
  }

  it('says that a port is taken, and which one to try', async ({ onTestFinished: afterwards }) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    afterwards(() => void other.close());
    const { port } = other.address() as { port: number };
    expect(await refused({ dataDir: folder(afterwards), env: { PORT: String(port) } })).toContain(
      `port ${port} is taken or not allowed. Choose another one: PORT=${port + 1} npm start`,
    );
  });

  it('does not share a data directory', async ({ onTestFinished: afterwards }) => {
    const { runtime } = await start(folder(afterwards), afterwards);
    const attempt = spawnRuntime({ dataDir: runtime.dataDir });
    expect(await attempt.exited).toBe(1);
    expect(attempt.output()).toContain(`${runtime.dataDir} is in use by process ${runtime.process.pid}`);
  });

  it('from nothing deletes what is the runtime’s and refuses what is not', async ({ onTestFinished: afterwards }) => {
    const dataDir = folder(afterwards);
    const first = await start(dataDir, afterwards);
    const [id] = await placeMany(first.system, 1);
    await first.runtime.end();
    const fresh = await startRuntime({ dataDir, args: ['--stage', 'test', '--fresh'] });
    afterwards(() => fresh.end('SIGKILL').then(() => undefined));
    expect((await (await localSystem(fresh.url)).api.order(id!)).status).toBe(404);
    await fresh.end();
    writeFileSync(join(dataDir, 'thesis.doc'), 'years of work');
    expect(await refused({ dataDir, args: ['--fresh'] })).toContain('it holds thesis.doc, which is not the runtime’s'.replace('’', "'"));
    expect(existsSync(join(dataDir, 'thesis.doc'))).toBe(true);
  });

  it('from nothing refuses endpoints that are not on this machine', async ({ onTestFinished: afterwards }) => {
    expect(
      await refused({
        dataDir: folder(afterwards),
        args: ['--fresh'],
        env: { AWS_ENDPOINT_URL_DYNAMODB: 'https://dynamodb.us-east-1.amazonaws.com' },
      }),
    ).toContain('it deletes data only on this machine');
  });

  it('names a data file that it cannot use, and leaves it', async ({ onTestFinished: afterwards }) => {
    const dataDir = folder(afterwards);
    const file = join(dataDir, 'aws.sqlite');
    writeFileSync(file, 'years of work, but no database');
    expect(await refused({ dataDir })).toContain(`${file} cannot be used: file is not a database. Move it away, or start from nothing`);
    expect(readFileSync(file, 'utf8')).toBe('years of work, but no database');
  });

  it('needs no native package but esbuild', async ({ onTestFinished: afterwards }) => {
    const runtime = await startRuntime({ dataDir: folder(afterwards), env: { NODE_OPTIONS: '--no-addons' } });
    afterwards(() => runtime.end('SIGKILL').then(() => undefined));
    const system = await localSystem(runtime.url);
    await system.api.setStock('tea', 1);
    const [id] = await placeMany(system, 1);
    expect(await settled(system, id!)).toMatchObject({ settledAt: expect.any(String) });
  });

  it('names an option that is wrong', async ({ onTestFinished: afterwards }) => {
    expect(await refused({ dataDir: folder(afterwards), args: ['--stage', 'prod'] })).toContain('--stage prod: takes real money');
  });

  it('tells an old Node what to do', ({ onTestFinished: afterwards }) => {
    // The check itself runs on any Node; here an old version is pretended.
    const dir = folder(afterwards);
    mkdirSync(join(dir, 'bin'));
    const script = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' }); await import(${JSON.stringify(join(import.meta.dirname, '../../bin/local.mjs'))});`;
    writeFileSync(join(dir, 'old.mjs'), script);
    try {
      execFileSync(process.execPath, [join(dir, 'old.mjs')], { encoding: 'utf8', stdio: 'pipe' });
      expect.unreachable();
    } catch (error) {
      expect((error as { stderr: string }).stderr).toContain('npm ci && npm start');
    }
  });
});

describe.concurrent('npm run dev', () => {
  it('reloads a function when its source changes, and keeps the old one when the new one does not build', async ({
    onTestFinished: afterwards,
  }) => {
    // A copy of the project: no test edits the sources that it runs from.
    const project = join(import.meta.dirname, '../..');
    const copy = folder(afterwards);
    for (const part of ['bin', 'lambdas', 'lib', 'packages', 'package.json'])
      cpSync(join(project, part), join(copy, part), { recursive: true });
    symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));
    const runtime = await startRuntime({ dataDir: join(copy, 'data'), args: ['--stage', 'test', '--watch'], root: copy });
    afterwards(() => runtime.end('SIGKILL').then(() => undefined));
    const system = await localSystem(runtime.url);
    const file = join(copy, 'lambdas/health/handler.ts');
    const source = readFileSync(file, 'utf8');
    // Plain: it is about to say what no contract knows.
    const status = async () => ((await (await fetch(`${system.url}/health`)).json()) as { status: string }).status;
    expect(await status()).toBe('ok');
    writeFileSync(file, source.replace("status: 'ok'", "status: 'changed'"));
    await eventually(async () => expect(await status()).toBe('changed'));
    writeFileSync(file, `${source}\nexport const broken = ;`);
    await eventually(() => Promise.resolve(expect(runtime.output()).toContain('not reloaded: Build failed')));
    expect(await status()).toBe('changed');
    // As many editors save: a new file takes the old one's place.
    writeFileSync(`${file}.new`, source.replace("status: 'ok'", "status: 'changed again'"));
    renameSync(`${file}.new`, file);
    await eventually(async () => expect(await status()).toBe('changed again'));
  });
});
