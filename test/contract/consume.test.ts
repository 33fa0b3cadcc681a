import type { Context, SQSEvent } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeEnvelope, type Envelope } from '@outbox-saga/kit/messages/envelope';
import { PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { expectedReceives } from '@outbox-saga/kit/messages/retry-policy';
import { topology } from '../../lambdas/contract/routes.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { readDeadLetters, type DeadLetterMessage, type DeadLetterReason } from '@outbox-saga/kit/consumer/dead-letters';
import { createConsumer } from '@outbox-saga/kit/consumer/consume';
import { failureCounter } from '@outbox-saga/kit/consumer/failures';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import { runOncePerMessage } from '@outbox-saga/kit/consumer/idempotency';
import { aMessage, testTelemetry, testWorld, orderKeys } from '../support/builders.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());

const context = { getRemainingTimeInMillis: () => 5000 } as Context;
const world = testWorld(Date.now());
let calls: { name: string; input: Record<string, unknown> }[];
let telemetry: ReturnType<typeof testTelemetry>;
let handled: string[];
let behave: (message: Envelope) => Promise<string>;
let dlqDown: boolean;
let countingDown: boolean;
let variables: Record<string, string>;

beforeEach(async () => {
  await tables.clear('idempotency');
  calls = [];
  handled = [];
  dlqDown = false;
  variables = {};
  countingDown = false;
  telemetry = testTelemetry();
  behave = () => Promise.resolve('done');
});

const counting = { table: 'idempotency', consumer: 'inventory', expiresAfterSeconds: 3600 };
const brokenDatabase = { send: () => Promise.reject(new Error('the table is down')) } as never;

function consumer(of: typeof topology = topology) {
  const queues = {
    send: (command: { constructor: { name: string }; input: Record<string, unknown> }) => {
      if (dlqDown && command.constructor.name === 'SendMessageCommand') return Promise.reject(new Error('DLQ is down'));
      calls.push({ name: command.constructor.name, input: command.input });
      return Promise.resolve({});
    },
  };
  const handle = (message: Envelope): Promise<string> => {
    handled.push(message.messageId);
    return behave(message);
  };
  return createConsumer({
    consumer: 'inventory',
    topology: of,
    durations: durations.prod,
    handlers: { OrderPlaced: handle, StockReleaseRequested: handle },
    countFailure: failureCounter({ ...counting, database: countingDown ? brokenDatabase : tables.database, world }),
    runOnce: runOncePerMessage(tables.client, 'idempotency', 'inventory', 3600),
    queues: queues as never,
    queueUrl: 'http://queue',
    deadLetterQueueUrl: 'http://dlq',
    telemetry,
    world,
    faults: injectedFaults(world, variables),
  });
}

interface Received {
  readonly body: string;
  readonly attempt?: number;
  readonly firstReceivedAt?: number;
  readonly attributes?: Record<string, { dataType: string; stringValue?: string }>;
}
const event = (...records: Received[]): SQSEvent =>
  ({
    Records: records.map(({ body, attempt = 1, firstReceivedAt = world.now(), attributes = {} }, i) => ({
      messageId: `sqs-${i}`,
      receiptHandle: `handle-${i}`,
      body,
      attributes: { ApproximateReceiveCount: String(attempt), ApproximateFirstReceiveTimestamp: String(firstReceivedAt) },
      messageAttributes: attributes,
    })),
  }) as unknown as SQSEvent;
const message = () => aMessage('StockReleaseRequested', orderKeys, { messageId: world.newId() });
const body = () => encodeEnvelope(message());
const reasons = (): DeadLetterReason[] =>
  calls
    .filter(({ name }) => name === 'SendMessageCommand')
    .map(
      ({ input }) =>
        JSON.parse((input['MessageAttributes'] as Record<string, { StringValue: string }>)['failure']!.StringValue) as DeadLetterReason,
    );

describe('injected faults', () => {
  it('fail a message before it is handled, and it is retried', async () => {
    variables = { FAULT_FAIL_RATE: '1' };
    expect((await consumer()(event({ body: body() }), context)).batchItemFailures).toHaveLength(1);
    expect(handled).toEqual([]);
    expect(telemetry.lines.at(-1)).toMatchObject({ fields: { outcome: 'retry', reason: 'unavailable' } });
  });

  it('lose the acknowledgement of a message that was handled, and its return is a duplicate', async () => {
    variables = { FAULT_ACK_LOSS_RATE: '1' };
    const text = body();
    const consume = consumer();
    expect((await consume(event({ body: text }), context)).batchItemFailures).toHaveLength(1);
    variables['FAULT_ACK_LOSS_RATE'] = '';
    expect(await consume(event({ body: text }), context)).toEqual({ batchItemFailures: [] });
    expect(handled).toHaveLength(1);
    expect(telemetry.lines.at(-1)).toMatchObject({ fields: { outcome: 'duplicate' } });
  });

  it('delay a message, and strike as often as they are told to', async () => {
    variables = { FAULT_DELAY_MS: '700', FAULT_FAIL_RATE: '0.5' };
    const before = world.now();
    // This world's chance is 0.5 each time: not below the rate.
    expect(await consumer()(event({ body: body() }), context)).toEqual({ batchItemFailures: [] });
    expect(world.now() - before).toBe(700);
    variables = { FAULT_FAIL_RATE: '0.51' };
    expect((await consumer()(event({ body: body() }), context)).batchItemFailures).toHaveLength(1);
  });
});

describe('a consumer', () => {
  it('acknowledges what it handled, and says so on one line', async () => {
    expect(await consumer()(event({ body: body() }), context)).toEqual({ batchItemFailures: [] });
    expect(telemetry.lines).toMatchObject([
      {
        message: 'message',
        fields: { consumer: 'inventory', type: 'StockReleaseRequested', correlationId: 'correlation-1', attempt: 1, outcome: 'done' },
      },
    ]);
    expect([...telemetry.measured.keys()].toSorted()).toEqual(['CriticalTime', 'MessagesHandled']);
  });

  it('runs a message once, however often it is delivered', async () => {
    const text = body();
    const consume = consumer();
    await consume(event({ body: text }), context);
    await consume(event({ body: text }), context);
    expect(handled).toHaveLength(1);
    expect(telemetry.lines.at(-1)).toMatchObject({ fields: { outcome: 'duplicate' } });
  });

  it('lets one of two copies in one batch run and the other wait', async () => {
    const text = body();
    const { batchItemFailures } = await consumer()(event({ body: text }, { body: text }), context);
    expect(handled).toHaveLength(1);
    expect(batchItemFailures.length).toBeLessThanOrEqual(1);
  });

  it('retries a transient failure with backoff, and its batch mates not at all', async () => {
    const [bad, good] = [message(), message()];
    behave = ({ messageId }) =>
      messageId === bad.messageId ? Promise.reject(new TransientError('throttled', 'slow down')) : Promise.resolve('done');
    const result = await consumer()(event({ body: encodeEnvelope(bad), attempt: 3 }, { body: encodeEnvelope(good) }), context);
    expect(result).toEqual({ batchItemFailures: [{ itemIdentifier: 'sqs-0' }] });
    expect(calls).toEqual([
      { name: 'ChangeMessageVisibilityCommand', input: { QueueUrl: 'http://queue', ReceiptHandle: 'handle-0', VisibilityTimeout: 1 } },
    ]);
    expect(telemetry.lines.find(({ fields }) => fields['outcome'] === 'retry')).toMatchObject({
      // Delivered three times, but it failed for the first time.
      fields: { reason: 'throttled', failures: 1, delaySeconds: 1, attempt: 3 },
    });
    expect(telemetry.measured.get('MessageRetries')).toEqual([1]);
  });

  it('runs a message again after a failure: the idempotency record does not stand in the way', async () => {
    const text = body();
    behave = () => Promise.reject(new TransientError('unavailable', 'no'));
    const consume = consumer();
    await consume(event({ body: text }), context);
    behave = () => Promise.resolve('done');
    expect(await consume(event({ body: text }), context)).toEqual({ batchItemFailures: [] });
    expect(handled).toHaveLength(2);
  });

  it('moves a permanent failure to the dead-letter queue at once, with its reason, and keeps its attributes', async () => {
    behave = () => Promise.reject(new PermanentError('broken ✗'));
    const text = body();
    const attributes = {
      type: { dataType: 'String', stringValue: 'StockReleaseRequested' },
      failure: { dataType: 'String', stringValue: 'old' },
    };
    expect(await consumer()(event({ body: text, attempt: 2, attributes }), context)).toEqual({ batchItemFailures: [] });
    expect(calls[0]).toMatchObject({
      name: 'SendMessageCommand',
      input: { QueueUrl: 'http://dlq', MessageBody: text, MessageAttributes: { type: { StringValue: 'StockReleaseRequested' } } },
    });
    expect(reasons()).toMatchObject([
      {
        class: 'permanent',
        consumer: 'inventory',
        error: 'PermanentError: broken ?',
        attempts: 1,
        receives: 2,
        firstFailedAt: world.now(),
        lastFailedAt: world.now(),
        correlationId: 'correlation-1',
        fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
      },
    ]);
    expect(telemetry.measured.get('MessagesDeadLettered')).toEqual([1]);
  });

  it('runs a redriven dead letter again', async () => {
    behave = () => Promise.reject(new PermanentError('bug'));
    const text = body();
    const consume = consumer();
    await consume(event({ body: text }), context);
    behave = () => Promise.resolve('done');
    await consume(event({ body: text }), context);
    expect(telemetry.lines.at(-1)).toMatchObject({ fields: { outcome: 'done' } });
  });

  it('gives a transient failure up when its retry window has passed and it was tried as often as that has room for', async () => {
    behave = () => Promise.reject(new TransientError('conflict', 'again'));
    const consume = consumer();
    const text = body();
    const firstFailedAt = world.now();
    // What full jitter waits on average: half of each step.
    let tries = 0;
    for (let result = { batchItemFailures: [{}] }; result.batchItemFailures.length > 0;) {
      result = await consume(event({ body: text, attempt: ++tries }), context);
      world.advance(((calls.at(-1)!.input['VisibilityTimeout'] as number | undefined) ?? 0) * 1000);
    }
    expect(reasons()).toMatchObject([{ class: 'exhausted', attempts: tries, receives: tries, firstFailedAt, lastFailedAt: world.now() }]);
    expect(tries).toBe(expectedReceives(durations.prod.retry));
    const { windowSeconds, capSeconds } = durations.prod.retry;
    expect(world.now() - firstFailedAt).toBeGreaterThan(windowSeconds * 1000);
    expect(world.now() - firstFailedAt).toBeLessThan((windowSeconds + capSeconds) * 1000);
  });

  it('does not give a message up that it could hardly try: a second failure hours after the first begins no end', async () => {
    behave = () => Promise.reject(new TransientError('unavailable', 'no'));
    const consume = consumer();
    const text = body();
    await consume(event({ body: text }), context);
    // Nothing could run for as long as a window.
    world.advance(durations.prod.retry.windowSeconds * 1000 + 1);
    let tries = 1;
    const resumedAt = world.now();
    for (let kept = true; kept; tries++) {
      kept = (await consume(event({ body: text }), context)).batchItemFailures.length > 0;
      if (kept) world.advance((calls.at(-1)!.input['VisibilityTimeout'] as number) * 1000);
    }
    expect(reasons()).toMatchObject([{ class: 'exhausted', attempts: tries }]);
    expect(tries).toBeGreaterThan(20);
    expect(world.now() - resumedAt).toBeGreaterThan(3_600_000);
  });

  it('gives each reason a window of its own', async () => {
    const count = failureCounter({ ...counting, database: tables.database, world });
    const began = world.now();
    expect(await count('sqs-1', 'conflict')).toEqual({ count: 1, firstAt: began });
    world.advance(1000);
    expect(await count('sqs-1', 'unavailable')).toEqual({ count: 1, firstAt: began + 1000 });
    world.advance(1000);
    expect(await count('sqs-1', 'conflict')).toEqual({ count: 2, firstAt: began });
    expect(await count('sqs-2', 'conflict')).toEqual({ count: 1, firstAt: world.now() });
  });

  it('counts failures itself, by reason: what SQS delivered to nobody does not use a message up', async () => {
    const consume = consumer();
    const text = body();
    // Hours in which the consumer could not even start.
    const old = world.now() - 10 * durations.prod.retry.windowSeconds * 1000;
    behave = () => Promise.reject(new TransientError('unavailable', 'no'));
    for (const delay of [1, 2, 4]) {
      await consume(event({ body: text, attempt: 50, firstReceivedAt: old }), context);
      expect(calls.at(-1)!.input['VisibilityTimeout']).toBe(delay);
    }
    // Another reason starts over, and so does another copy.
    behave = () => Promise.reject(new TransientError('conflict', 'no'));
    await consume(event({ body: text, attempt: 54, firstReceivedAt: old }), context);
    expect(calls.at(-1)!.input['VisibilityTimeout']).toBe(1);
    behave = () => Promise.reject(new TransientError('unavailable', 'no'));
    await consume(event({ body: body(), attempt: 54, firstReceivedAt: old }, { body: body(), attempt: 54 }), context);
    expect(calls.slice(4).map(({ input }) => [input['ReceiptHandle'], input['VisibilityTimeout']])).toEqual(
      expect.arrayContaining([
        ['handle-0', 8],
        ['handle-1', 1],
      ]),
    );
    expect(reasons()).toEqual([]);
  });

  it('goes by what SQS knows while it cannot count', async () => {
    countingDown = true;
    behave = () => Promise.reject(new TransientError('unavailable', 'no'));
    const old = world.now() - durations.prod.retry.windowSeconds * 1000 - 1;
    await consumer()(event({ body: body(), attempt: 4 }), context);
    expect(calls.at(-1)!.input['VisibilityTimeout']).toBe(8);
    await consumer()(event({ body: body(), attempt: 40, firstReceivedAt: old }), context);
    expect(reasons()).toMatchObject([{ class: 'exhausted', attempts: 40, receives: 40, firstFailedAt: old }]);
  });

  it('that dies between the move and the acknowledgement leaves two copies that are told to be one', async () => {
    behave = () => Promise.reject(new PermanentError('bug'));
    const text = body();
    // The environment dies after the move: SQS delivers the message again, to another one.
    await consumer()(event({ body: text }), context);
    await consumer()(event({ body: text, attempt: 2 }), context);
    const moved = calls.map(
      ({ input }) => ({ Body: input['MessageBody'], MessageAttributes: input['MessageAttributes'] }) as DeadLetterMessage,
    );
    expect(moved).toHaveLength(2);
    const lost = { Body: body() };
    const letters = readDeadLetters([...moved, lost, { Body: 'not JSON' }]);
    expect(
      letters.map(({ messageId, reason, copies }) => [messageId, typeof reason === 'string' ? reason : reason.class, copies.length]),
    ).toEqual([
      [(JSON.parse(text) as Envelope).messageId, 'permanent', 2],
      [(JSON.parse(lost.Body) as Envelope).messageId, 'UNACKNOWLEDGED', 1],
      [undefined, 'UNACKNOWLEDGED', 1],
    ]);
  });

  it.each([
    ['an unknown type', encodeEnvelope({ ...aMessage('StockReserved', {}), type: 'Nonsense' }), 'unknown message type'],
    ['a type that is not routed to it', encodeEnvelope(aMessage('StockReserved', {})), 'inventory does not consume StockReserved'],
    ['a newer version', encodeEnvelope({ ...aMessage('StockReleaseRequested', orderKeys), version: 2 }), 'version 2 is not known'],
  ])('waits for the code that knows %s, for its retry window', async (_, text, why) => {
    const consume = consumer();
    const began = world.now();
    let kept = await consume(event({ body: text }), context);
    expect(telemetry.lines.at(-1)).toMatchObject({ fields: { outcome: 'retry', reason: 'newer', error: expect.stringContaining(why) } });
    for (; kept.batchItemFailures.length > 0; kept = await consume(event({ body: text }), context)) {
      expect(reasons()).toEqual([]);
      world.advance((calls.at(-1)!.input['VisibilityTimeout'] as number) * 1000);
    }
    expect(world.now() - began).toBeGreaterThan(durations.prod.retry.windowSeconds * 1000);
    expect(reasons()).toMatchObject([{ class: 'exhausted', error: expect.stringContaining(why) }]);
    expect(handled).toHaveLength(0);
  });

  it('handles a message that waited for newer code once that is there', async () => {
    const definition = { ...topology.messages.StockReleaseRequested, version: 2 };
    const newer = { ...topology, messages: { ...topology.messages, StockReleaseRequested: definition } };
    const text = encodeEnvelope({ ...message(), version: 2 });
    expect((await consumer()(event({ body: text }), context)).batchItemFailures).toHaveLength(1);
    expect(await consumer(newer as never)(event({ body: text, attempt: 2 }), context)).toEqual({ batchItemFailures: [] });
    expect(handled).toHaveLength(1);
  });

  it.each([
    ['no JSON', 'not json', 'message body is not JSON'],
    ['no envelope', '{}', 'message envelope is malformed'],
    [
      'malformed data',
      encodeEnvelope({ ...aMessage('StockReleaseRequested', orderKeys), data: {} }),
      'StockReleaseRequested.data is malformed',
    ],
  ])('dead-letters poison: %s', async (_, text, why) => {
    await consumer()(event({ body: text }), context);
    expect(reasons()).toMatchObject([{ class: 'permanent', error: expect.stringContaining(why) }]);
    expect(handled).toHaveLength(0);
  });

  it('keeps a message in its queue when the dead-letter queue does not take it', async () => {
    dlqDown = true;
    expect(await consumer()(event({ body: 'poison' }), context)).toEqual({ batchItemFailures: [{ itemIdentifier: 'sqs-0' }] });
  });

  it('locks a message for as long as its function may run, not longer', async () => {
    const runOnce = runOncePerMessage(tables.client, 'idempotency', 'inventory', 3600);
    const { messageId } = message();
    const before = Date.now();
    await runOnce(messageId, context, async () => {
      const [record] = await tables.all('idempotency');
      expect(record).toMatchObject({ status: 'INPROGRESS' });
      const lockedUntil = Number(record!['in_progress_expiration']);
      expect(lockedUntil).toBeGreaterThanOrEqual(before + context.getRemainingTimeInMillis());
      expect(lockedUntil).toBeLessThanOrEqual(Date.now() + context.getRemainingTimeInMillis());
      return 'done';
    });
  });

  it('keeps its idempotency records apart from those of other consumers: a fanned-out message runs at each of them', async () => {
    const { messageId } = message();
    const ran: string[] = [];
    for (const name of ['inventory', 'order-view']) {
      const runOnce = runOncePerMessage(tables.client, 'idempotency', name, 3600);
      await runOnce(messageId, context, () => Promise.resolve(String(ran.push(name))));
    }
    expect(ran).toEqual(['inventory', 'order-view']);
  });

  it('refuses to load without a handler for each of its types, or against its policy', () => {
    const options = { consumer: 'inventory', topology, handlers: {} } as never;
    expect(() => createConsumer(options)).toThrow(/no handler for OrderPlaced, StockReleaseRequested/);
    const noop = (): Promise<string> => Promise.resolve('');
    expect(() =>
      createConsumer({ consumer: 'inventory', topology, handlers: { OrderPlaced: noop, StockReleaseRequested: noop } } as never),
    ).toThrow(/disagree/);
  });
});
