import { rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Checkpoints } from '@outbox-saga/local/checkpoints';
import { callerOf } from '@outbox-saga/emulator/call';
import { FaultBoard } from '@outbox-saga/local/faults';
import type { Invocation } from '@outbox-saga/local/functions/environment';
import { StreamSource, type StreamSourceOptions } from '@outbox-saga/local/sources/stream-source';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { StreamService } from '../../../packages/emulator/test/support/stream-service.ts';

interface Batch {
  readonly Records: { readonly eventID: string }[];
}

/** A stream, a place for checkpoints, and sources that read it one after the other, as starts of the runtime do. */
async function setUp() {
  const service = await StreamService.start();
  const dataDir = temporaryFolder();
  const handled: string[] = [];
  const problems: string[] = [];
  const invoke = vi.fn<(event: unknown) => Promise<Invocation>>((event) => {
    handled.push(...(event as Batch).Records.map(({ eventID }) => eventID));
    return Promise.resolve({ ok: true, payload: null });
  });
  const running = new Set<StreamSource>();
  onTestFinished(async () => {
    await Promise.all([...running].map((source) => source.stop()));
    service.stop();
    rmSync(dataDir, { recursive: true });
  });
  /** @returns stops it */
  const start = (options: Partial<StreamSourceOptions> = {}): (() => Promise<void>) => {
    const checkpoints = new Checkpoints(dataDir);
    const source = new StreamSource({
      call: callerOf(service.endpoint),
      streamArn: StreamService.arn,
      partitionKey: 'id',
      batchSize: 10,
      parallelizationFactor: 1,
      filters: [],
      reportBatchItemFailures: false,
      bisectBatchOnError: false,
      retryAttempts: 0,
      maxRecordAgeSeconds: 3600,
      onFailure: undefined,
      pool: { fn: { name: 'f', arn: 'arn:f' }, size: 1, invoke },
      faults: new FaultBoard({}),
      position: checkpoints.get(StreamService.arn),
      onPosition: (position) => checkpoints.set(StreamService.arn, position),
      onProblem: (what) => problems.push(what),
      ...options,
    });
    running.add(source);
    return () => source.stop();
  };
  const handles = (...ids: string[]): Promise<void> => vi.waitFor(() => expect(handled).toEqual(ids), { timeout: 4000 });
  return { service, handled, problems, invoke, start, handles };
}

describe('reading a stream', () => {
  it('goes on after a restart behind the last record, whose number it gives back as it was given', async () => {
    const { service, problems, start, handles } = await setUp();
    service.open('s');
    service.append('s', 41, 42);
    const stop = start();
    await handles('s-41', 's-42');
    await stop();
    service.append('s', 43);
    start();
    await handles('s-41', 's-42', 's-43');
    expect(problems).toEqual([]);
  });

  it.each(['GetRecords', 'GetShardIterator', 'DescribeStream'])('goes on behind the last record after a failed %s', async (operation) => {
    const { service, problems, start, handles } = await setUp();
    service.open('s');
    service.append('s', 9);
    start();
    await handles('s-9');
    service.failures.push({ operation, code: 'InternalServerError' });
    service.expireIterators();
    service.append('s', 10);
    await handles('s-9', 's-10');
    await vi.waitFor(() => expect(problems).toEqual([`reading ${StreamService.arn}: DynamoDBStreams_20120810.${operation}: as planned`]));
  });

  it('asks for another iterator where one has expired, which is nobody’s problem', async () => {
    const { service, problems, start, handles } = await setUp();
    service.open('s');
    service.append('s', 1);
    start();
    await handles('s-1');
    service.expireIterators();
    service.append('s', 2);
    await handles('s-1', 's-2');
    expect(problems).toEqual([]);
  });

  it('orders numbers as numbers, and compares those of different lengths', async () => {
    const { service, start, handles } = await setUp();
    service.open('s');
    service.append('s', 999_999_999, 1_000_000_000);
    const stop = start({ batchSize: 1 });
    await handles('s-999999999', 's-1000000000');
    await stop();
    start();
    service.append('s', 1_000_000_001);
    await handles('s-999999999', 's-1000000000', 's-1000000001');
  });

  it('says what it lost when records were trimmed, and goes on with the oldest that is left', async () => {
    const { service, problems, start, handles } = await setUp();
    service.open('s');
    service.append('s', 1, 2);
    const stop = start();
    await handles('s-1', 's-2');
    await stop();
    service.append('s', 3, 4);
    service.trim('s', 3);
    start();
    await handles('s-1', 's-2', 's-4');
    expect(problems).toEqual([`reading ${StreamService.arn}: records of s were trimmed before they were read`]);
  });
});

describe('the shards of a stream', () => {
  it('are all read, also where the list comes in pages', async () => {
    const { service, handled, start } = await setUp();
    for (const [i, id] of ['a', 'b', 'c'].entries()) {
      service.open(id);
      service.append(id, i);
    }
    start();
    await vi.waitFor(() => expect(handled.toSorted()).toEqual(['a-0', 'b-1', 'c-2']));
  });

  it('are followed from a closed one to its children, parents first', async () => {
    const { service, start, handles, invoke } = await setUp();
    service.open('child', 'parent');
    service.append('child', 3);
    service.open('parent');
    service.append('parent', 1, 2);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const invokeNow = invoke.getMockImplementation()!;
    invoke.mockImplementationOnce(async (event) => {
      await held;
      return invokeNow(event);
    });
    service.close('parent');
    start();
    await vi.waitFor(() => expect(invoke).toHaveBeenCalledTimes(1));
    expect(service.calls['GetShardIterator']).toBe(1);
    release();
    await handles('parent-1', 'parent-2', 'child-3');
  });

  it('may close and open while they are read', async () => {
    const { service, start, handles } = await setUp();
    service.open('first');
    service.append('first', 1);
    start();
    await handles('first-1');
    service.append('first', 2);
    service.close('first');
    service.open('second', 'first');
    service.append('second', 3);
    await handles('first-1', 'first-2', 'second-3');
  });

  it('are not read again after a restart once they were read to their end, though new ones are', async () => {
    const { service, problems, start, handles } = await setUp();
    service.open('first');
    service.append('first', 1);
    service.close('first');
    service.open('second', 'first');
    service.append('second', 2);
    const stop = start();
    await handles('first-1', 'second-2');
    await stop();
    service.close('second');
    service.open('third', 'second');
    service.append('third', 3);
    start();
    await handles('first-1', 'second-2', 'third-3');
    expect(problems).toEqual([]);
  });

  it('are read where their parent is gone', async () => {
    const { service, problems, start, handles } = await setUp();
    service.open('first');
    service.append('first', 1);
    const stop = start();
    await handles('first-1');
    await stop();
    service.trim('first');
    service.open('second', 'first');
    service.append('second', 2);
    start();
    await handles('first-1', 'second-2');
    expect(problems).toEqual([]);
  });

  it('are left alone when they vanish while they are read', async () => {
    const { service, start, handles } = await setUp();
    service.open('first');
    service.append('first', 1);
    start();
    await handles('first-1');
    service.open('second');
    service.trim('first');
    service.append('second', 2);
    await handles('first-1', 'second-2');
  });
});

describe('a stream that tells of its records', () => {
  /** @returns what tells the source, and how many listen */
  function told() {
    const listeners = new Set<() => void>();
    const onRecords = (listener: () => void): (() => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    };
    const tell = (): void => listeners.forEach((listener) => listener());
    return { onRecords, tell, listeners };
  }

  /** Waits while the clock stands still: what only the next poll would find is never found. */
  async function untilHandled(handled: readonly string[], ...ids: string[]): Promise<void> {
    while (handled.length < ids.length) await new Promise((resolve) => setImmediate(resolve));
    expect(handled).toEqual(ids);
  }

  it('is read when it tells, and not asked before', async () => {
    const { service, start, handled } = await setUp();
    const { onRecords, tell } = told();
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    service.open('s');
    service.append('s', 1);
    start({ onRecords });
    await untilHandled(handled, 's-1');
    service.append('s', 2);
    tell();
    await untilHandled(handled, 's-1', 's-2');
    expect(service.calls['GetRecords']).toBeLessThanOrEqual(4);
  });

  it('does not lose what it tells while it is being read', async () => {
    const { service, start, invoke, handled } = await setUp();
    const { onRecords, tell } = told();
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    service.open('s');
    service.append('s', 1);
    const usual = callerOf(service.endpoint);
    let empty = 0;
    // Between the answer that lacks it and the wait for the next.
    const call: typeof usual = async (target, body, signal) => {
      const answer = await usual(target, body, signal);
      if (!target.endsWith('GetRecords') || (answer['Records'] as unknown[]).length > 0 || empty++ > 0) return answer;
      service.append('s', 2);
      tell();
      return answer;
    };
    start({ onRecords, call });
    await untilHandled(handled, 's-1', 's-2');
    expect(invoke).toHaveBeenCalledTimes(2);
  });

  it('tells nobody any more once the source has stopped', async () => {
    const { service, start, handles } = await setUp();
    const { onRecords, listeners } = told();
    service.open('s');
    service.append('s', 1);
    const stop = start({ onRecords });
    await handles('s-1');
    expect(listeners.size).toBe(1);
    await stop();
    expect(listeners.size).toBe(0);
  });
});
