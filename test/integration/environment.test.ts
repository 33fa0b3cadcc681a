import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LocalFunction } from '@outbox-saga/local/functions/environment';
import { AwsCalls } from '@outbox-saga/local/aws/calls';
import { FaultBoard } from '@outbox-saga/local/faults';
import { FunctionPool } from '@outbox-saga/local/functions/pool';
import { inProcesses } from '@outbox-saga/local/functions/process-sandbox';
import type { StartSandbox } from '@outbox-saga/local/functions/sandbox';
import { inThreads } from '@outbox-saga/local/functions/thread-sandbox';
import { Processes } from '@outbox-saga/local/processes';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { eventually } from '../support/system.ts';

let folder: string;
let processes: Processes;
const lines: string[] = [];
const awsEndpoint = 'http://127.0.0.1:1';
const noService = (): Promise<never> => Promise.reject(new Error('there is no service here'));
const sandboxes: Readonly<Record<'thread' | 'process', () => StartSandbox>> = {
  process: () => inProcesses(processes, awsEndpoint),
  thread: () =>
    inThreads({
      calls: new AwsCalls({ dynamoDb: noService, sqs: noService, faults: new FaultBoard({}) }),
      awsEndpoint,
      onProblem: (what) => lines.push(what),
    }),
};
const pools: FunctionPool[] = [];

beforeAll(() => {
  folder = temporaryFolder();
  processes = new Processes(folder);
});
afterAll(async () => {
  for (const each of pools) each.stop();
  await processes.killAll();
  rmSync(folder, { recursive: true, force: true });
});

let bundles = 0;
function bundle(code: string): string {
  const made = join(folder, `bundle-${bundles++}`);
  mkdirSync(made);
  writeFileSync(join(made, 'index.mjs'), code);
  return made;
}

const behaviours = `
import { existsSync } from 'node:fs';
import { getPriority } from 'node:os';
let count = 0;
let ticks = 0;
setInterval(() => ticks++, 5);
export const handler = async (event, context) => {
  count++;
  switch (event.do) {
    case 'throw': throw new TypeError('no such thing');
    case 'exit': process.exit(3);
    case 'hang': return new Promise(() => {});
    case 'hog': { const all = []; for (;;) all.push(new Array(1e6).fill(Math.random())); }
    case 'busy': for (;;);
    case 'reject': void Promise.reject(new Error('nobody caught it')); return new Promise(() => {});
    case 'wait': return new Promise((resolve) => setInterval(() => existsSync(event.file) && resolve('waited'), 5));
    case 'priority': return getPriority();
    case 'log': console.log('a line'); return 'said';
    case 'ticks': return ticks;
    default: return { count, env: process.env, remaining: context.getRemainingTimeInMillis(), id: context.awsRequestId };
  }
};`;

let variables: Record<string, string> = {};

function poolIn(start: StartSandbox, changes: Partial<LocalFunction> = {}): FunctionPool {
  const fn: LocalFunction = {
    name: 'subject',
    logicalId: 'Subject',
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:Subject',
    code: bundle(behaviours),
    handler: 'index.handler',
    memoryMb: 128,
    timeoutSeconds: 10,
    variables: { GREETING: 'hello' },
    identity: 'LOCALSUBJECT',
    priority: 0,
    secret: 'secret',
    ...changes,
  };
  const made = new FunctionPool(fn, start, {
    onLine: (_, line) => lines.push(line),
    onInit: () => undefined,
    variables: () => variables,
  });
  pools.push(made);
  return made;
}

describe.each(['thread', 'process'] as const)('an execution environment that is a %s', (isolation) => {
  const pool = (changes?: Partial<LocalFunction>): FunctionPool => poolIn(sandboxes[isolation](), changes);

  it('sees variables that change while it lives, and no longer those that are taken away', async () => {
    const subject = pool();
    const seen = async (): Promise<unknown> =>
      ((await subject.invoke({})) as { payload: { env: Record<string, string> } }).payload.env['FAULT_FAIL_RATE'];
    variables = { FAULT_FAIL_RATE: '0.5' };
    expect(await seen()).toBe('0.5');
    variables = { FAULT_FAIL_RATE: '' };
    expect(await seen()).toBeUndefined();
    variables = {};
    expect(subject.size).toBe(1);
  });

  it('keeps its memory between invocations, sees its own variables only, and knows its time', async () => {
    const subject = pool();
    await subject.invoke({});
    const second = await subject.invoke({});
    expect(second).toMatchObject({
      ok: true,
      payload: { count: 2, env: { GREETING: 'hello', AWS_LAMBDA_FUNCTION_NAME: 'subject', AWS_ACCESS_KEY_ID: 'LOCALSUBJECT' } },
    });
    const { payload } = second as { payload: { env: Record<string, string>; remaining: number } };
    expect(payload.env).not.toHaveProperty('HOME');
    expect(payload.remaining).toBeGreaterThan(5000);
    expect(subject.size).toBe(1);
  });

  it('hands an error over, and goes on', async () => {
    const subject = pool();
    expect(await subject.invoke({ do: 'throw' })).toMatchObject({ ok: false, errorType: 'TypeError', errorMessage: 'no such thing' });
    expect(await subject.invoke({})).toMatchObject({ payload: { count: 2 } });
  });

  it('that exits is an error of that invocation, and the next one gets a new environment', async () => {
    const subject = pool();
    expect(await subject.invoke({ do: 'exit' })).toMatchObject({
      ok: false,
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringContaining('status 3'),
    });
    expect(await subject.invoke({})).toMatchObject({ payload: { count: 1 } });
  });

  it('that takes too long is killed at its time limit', async () => {
    const subject = pool({ timeoutSeconds: 1 });
    expect(await subject.invoke({ do: 'hang' })).toMatchObject({
      ok: false,
      errorType: 'Sandbox.Timedout',
      errorMessage: 'Task timed out after 1.00 seconds',
    });
    expect(await subject.invoke({})).toMatchObject({ payload: { count: 1 } });
  });

  it('that runs out of memory is killed, and says so', async () => {
    const subject = pool({ memoryMb: 32, timeoutSeconds: 60 });
    expect(await subject.invoke({ do: 'hog' })).toMatchObject({
      ok: false,
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringContaining('out of memory'),
    });
    expect(await subject.invoke({})).toMatchObject({ payload: { count: 1 } });
  });

  it('that does not start names why', async () => {
    const subject = pool({ code: bundle(`throw new Error('environment of function x: ORDERS_TABLE is missing')`) });
    await expect(subject.prewarm()).rejects.toThrow('ORDERS_TABLE is missing');
    expect(await subject.invoke({})).toMatchObject({ ok: false, errorType: 'Runtime.InitError' });
  });

  it('that fails outside of an invocation’s promise is an error of that invocation', async () => {
    const subject = pool();
    expect(await subject.invoke({ do: 'reject' })).toMatchObject({
      ok: false,
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringMatching(/status 1: Error: nobody caught it/),
    });
    expect(await subject.invoke({})).toMatchObject({ payload: { count: 1 } });
  });

  it('that never yields is killed at its time limit too', async () => {
    const subject = pool({ timeoutSeconds: 1 });
    expect(await subject.invoke({ do: 'busy' })).toMatchObject({ errorType: 'Sandbox.Timedout' });
    expect(await subject.invoke({})).toMatchObject({ payload: { count: 1 } });
  });

  it('runs one invocation at a time; the rest waits, and a backlog gets more environments', async () => {
    const subject = pool();
    const file = join(folder, `go-${bundles}`);
    const invocations = Array.from({ length: 9 }, () => subject.invoke({ do: 'wait', file }));
    expect(subject.size).toBe(1);
    await eventually(() => Promise.resolve(expect(subject.size).toBe(subject.concurrency)));
    writeFileSync(file, '');
    expect(await Promise.all(invocations)).toEqual(Array.from({ length: 9 }, () => ({ ok: true, payload: 'waited' })));
    expect(subject.invocations).toBe(9);
  });

  // Elsewhere a thread has no priority of its own.
  it.runIf(isolation === 'process' || process.platform === 'linux')('yields as much as it is told, alone', async () => {
    const before = getPriority();
    const subject = pool({ priority: 7 });
    expect(await subject.invoke({ do: 'priority' })).toMatchObject({ payload: 7 });
    expect(getPriority()).toBe(before);
  });

  it('is the only one where invocations are short', async () => {
    // On a clock that stands still none of them waits for long, however busy the machine is.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const subject = pool();
    await subject.prewarm();
    const results = await Promise.all(Array.from({ length: 9 }, () => subject.invoke({})));
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(subject.size).toBe(1);
  });

  it('is the only one again when the backlog is gone', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const subject = pool();
    const file = join(folder, `go-${bundles}`);
    const invocations = Array.from({ length: 3 }, () => subject.invoke({ do: 'wait', file }));
    vi.advanceTimersByTime(250);
    expect(subject.size).toBe(2);
    writeFileSync(file, '');
    await Promise.all(invocations);
    expect(subject.size).toBe(2);
    // The second may still be starting.
    while (subject.size > 1) {
      await new Promise((resolve) => setImmediate(resolve));
      vi.advanceTimersByTime(20_000);
    }
    expect(await subject.invoke({ do: 'log' })).toEqual({ ok: true, payload: 'said' });
  });

  it('forwards what the function prints', async () => {
    await pool().invoke({ do: 'log' });
    await eventually(() => Promise.resolve(expect(lines).toContain('a line')));
  });

  it('is replaced when its code is', async () => {
    const subject = pool();
    await subject.invoke({});
    subject.reload(bundle(`export const handler = async () => 'new code';`));
    expect(await subject.invoke({})).toEqual({ ok: true, payload: 'new code' });
  });
});

describe('an execution environment', () => {
  it.runIf(process.platform === 'linux')('that is a process is frozen between invocations', async () => {
    const subject = poolIn(sandboxes.process());
    await subject.invoke({});
    const [pid] = subject.pids;
    await eventually(() => Promise.resolve(expect(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]![0]).toBe('T')));
    expect(await subject.invoke({ do: 'ticks' })).toMatchObject({ ok: true });
  });
});
