import { createServer, type ServerResponse } from 'node:http';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { callerOf } from '@outbox-saga/emulator/call';
import { FaultBoard } from '@outbox-saga/local/faults';
import type { Invocation } from '@outbox-saga/local/functions/environment';
import { QueueSource } from '@outbox-saga/local/sources/queue-source';

/** An SQS whose long poll answers when the test says so, and which writes down what it is asked. */
async function setUp(outlives: boolean) {
  const polls: ServerResponse[] = [];
  const shown: unknown[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const operation = String(request.headers['x-amz-target']).replace(/^.*\./, '');
      if (operation === 'ReceiveMessage') return void polls.push(response);
      if (operation === 'ChangeMessageVisibility') shown.push(JSON.parse(text));
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as { port: number };
  const invoke = vi.fn<(event: unknown) => Promise<Invocation>>();
  const source = new QueueSource({
    call: callerOf(`http://127.0.0.1:${port}`),
    queueUrl: 'queue',
    queueArn: 'arn:queue',
    outlives,
    batchSize: 10,
    batchWindowSeconds: 0,
    maximumConcurrency: 2,
    reportBatchItemFailures: true,
    pool: { fn: { name: 'f' }, concurrency: 2, vacancy: () => Promise.resolve(), invoke },
    faults: new FaultBoard({}),
    onProblem: () => undefined,
  });
  const polled = (): Promise<ServerResponse> =>
    vi.waitFor(() => {
      const poll = polls.shift();
      if (!poll) throw new Error('nobody receives');
      return poll;
    });
  const answer = (poll: ServerResponse, ...ids: string[]): void => {
    const Messages = ids.map((id) => ({ MessageId: id, ReceiptHandle: `handle ${id}`, Body: '{}', MD5OfBody: '', Attributes: {} }));
    poll.end(JSON.stringify({ Messages }));
  };
  return { source, polled, answer, shown, invoke };
}

const inASecond = (id: string) => ({ QueueUrl: 'queue', ReceiptHandle: `handle ${id}`, VisibilityTimeout: 1 });

describe('a source whose queue outlives the runtime', () => {
  it('waits at its stop for the receive under way, and gives back what that brings', async () => {
    const { source, polled, answer, shown, invoke } = await setUp(true);
    const poll = await polled();
    const stopped = source.stop();
    answer(poll, 'late');
    await stopped;
    expect(shown).toEqual([inASecond('late')]);
    expect(invoke).not.toHaveBeenCalled();
  });

  it('gives back what its function is still at', async () => {
    const { source, polled, answer, shown, invoke } = await setUp(true);
    invoke.mockReturnValue(new Promise(() => undefined));
    answer(await polled(), 'in hand');
    const next = await polled();
    expect(invoke).toHaveBeenCalledOnce();
    const stopped = source.stop();
    answer(next);
    await stopped;
    expect(shown).toEqual([inASecond('in hand')]);
  });
});

describe('a source whose queue ends with the runtime', () => {
  it('stops at once', async () => {
    const { source, polled, shown } = await setUp(false);
    await polled();
    await source.stop();
    expect(shown).toEqual([]);
  });
});
