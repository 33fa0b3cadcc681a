import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { visibilityTimeoutSeconds } from '@outbox-saga/kit/messages/durations';
import { assertOrderDurations } from '../../lambdas/contract/durations.ts';
import { decodeEnvelope, encodeEnvelope } from '@outbox-saga/kit/messages/envelope';
import { classify, describeError, fingerprint, PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { backoffSeconds, expectedReceives, backoffCeilingSeconds } from '@outbox-saga/kit/messages/retry-policy';
import { assertReceives, decodeMessage, defineTopology, onlyListeners, typesFor } from '@outbox-saga/kit/messages/topology';
import { shardOf } from '@outbox-saga/kit/tables';
import { functions } from '../../lambdas/contract/functions.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import { stageNames } from '../../lambdas/contract/stage-names.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { timeOfId } from '@outbox-saga/kit/outbox/relay';
import { currentTraceparent } from '@outbox-saga/kit/telemetry/trace';
import { idSource } from '@outbox-saga/kit/function/world';
import { aMessage, orderKeys } from '../support/builders.ts';

describe('envelopes', () => {
  it('travel as ASCII, whatever their strings hold, and come back equal', () => {
    const message = aMessage('OrderFailed', { ...orderKeys, code: 'UNDELIVERABLE', detail: '𠮷 é \uFFFF \u0007 "\\' });
    const text = encodeEnvelope(message);
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    expect(decodeEnvelope(text)).toEqual(message);
  });

  it('name every field that is wrong', () => {
    const { messageId: _, ...rest } = aMessage('StockReserved', {});
    expect(() => decodeEnvelope(JSON.stringify({ ...rest, sequence: 0 }))).toThrow(/messageId: .*sequence: /);
    expect(() => decodeEnvelope('{')).toThrow('message body is not JSON');
  });
});

describe('versions of a message', () => {
  const definition = {
    version: 3,
    data: z.object({ name: z.string(), cents: z.int() }),
    upcasts: {
      1: (data: unknown) => ({ name: (data as { who: string }).who, amount: (data as { amount: number }).amount }),
      2: ({ amount, ...data }: { amount: number }) => ({ ...data, cents: amount * 100 }),
    } as Record<number, (data: unknown) => unknown>,
  };
  const policy = { role: 'actor', batchSize: 1, maximumConcurrency: 2, maxReceiveCount: 30, idempotent: true } as const;
  const define = (upcasts: Record<number, (data: unknown) => unknown> | undefined) =>
    defineTopology({
      messages: { Paid: { ...definition, ...(upcasts ? { upcasts } : {}) } },
      consumers: { till: policy },
      routes: { Paid: { kind: 'event', consumers: ['till'] } },
    });
  const decode = (version: number, data: unknown) =>
    decodeMessage(define(definition.upcasts), encodeEnvelope({ ...aMessage('StockReserved', {}), type: 'Paid', version, data } as never));

  it('that are older are brought to the present one, step by step', () => {
    const read = { version: 3, data: { name: 'ada', cents: 500 } };
    expect(decode(3, { name: 'ada', cents: 500 })).toMatchObject(read);
    expect(decode(2, { name: 'ada', amount: 5 })).toMatchObject(read);
    expect(decode(1, { who: 'ada', amount: 5 })).toMatchObject(read);
  });

  it('that are newer may be known after the deployment that is under way', () => {
    expect(() => decode(4, {})).toThrow('Paid version 4 is not known here (this code reads version 3)');
    expect(() => decode(4, {})).toThrow(expect.objectContaining({ name: 'TransientError', reason: 'newer' }));
  });

  it('that are too old, or whose payload is not what its version says, are permanent failures with a clear reason', () => {
    const old = defineTopology({
      messages: { Paid: { ...definition, upcasts: {} } },
      consumers: { till: policy },
      routes: { Paid: { kind: 'event', consumers: ['till'] } },
    });
    const text = encodeEnvelope({ ...aMessage('StockReserved', {}), type: 'Paid', version: 2 } as never);
    expect(() => decodeMessage(old, text)).toThrow('Paid version 2 is not known here (this code reads version 3)');
    expect(() => decodeMessage(old, text)).toThrow(PermanentError);
    expect(() => decode(1, null)).toThrow('Paid.data of version 1 cannot be read as version 2');
    expect(() => decode(2, { name: 'ada' })).toThrow(/Paid.data is malformed: cents/);
    expect(() => decode(2, { name: 'ada' })).toThrow(PermanentError);
  });

  it('need every link of the chain', () => {
    const { 1: first, 2: second } = definition.upcasts;
    expect(() => define({ 1: first! })).toThrow('message type Paid has no upcast from version 2 to 3');
    expect(() => define({ 2: second!, 3: second! })).toThrow('message type Paid has an upcast from version 3, but is at 3');
    // What nobody can have any more need not be read.
    expect(() => define({ 2: second! })).not.toThrow();
  });
});

describe('messages', () => {
  const decode = (changes: object): unknown =>
    decodeMessage(topology, encodeEnvelope({ ...aMessage('PaymentDeclined', { reason: 'x' }), ...changes } as never));

  it.each([
    [{ kind: 'command' }, /is a event, but the message says command/],
    [{ data: { reason: 1 } }, /PaymentDeclined.data is malformed: reason/],
  ])('are refused for good when they are %j', (changes, why) => {
    expect(() => decode(changes)).toThrow(PermanentError);
    expect(() => decode(changes)).toThrow(why);
  });

  it.each([
    [{ type: 'Nonsense' }, /unknown message type "Nonsense"/],
    [{ type: 'constructor' }, /unknown message type/],
    [{ version: 2 }, /version 2 is not known/],
  ])('may be of a later deployment when they are %j', (changes, why) => {
    expect(() => decode(changes)).toThrow(expect.objectContaining({ name: 'TransientError', reason: 'newer' }));
    expect(() => decode(changes)).toThrow(why);
  });
});

describe('the topology', () => {
  const policy = { role: 'actor', batchSize: 10, maximumConcurrency: 5, maxReceiveCount: 30, idempotent: false } as const;
  const messages = { Said: { version: 1, data: z.object({}) } };

  it('says everything that does not fit together', () => {
    expect(() =>
      defineTopology({
        messages,
        routes: { Said: { kind: 'event', consumers: ['heard', 'heard', 'nobody'] } } as never,
        consumers: { heard: { ...policy, batchSize: 11, maxReceiveCount: 3 }, idle: policy } as never,
      }),
    ).toThrow(/names a consumer twice[^]*consumer nobody is not defined[^]*batchSize[^]*maxReceiveCount[^]*consumer idle gets no message/);
    expect(() => defineTopology({ messages, routes: {} as never, consumers: {} })).toThrow(/message type Said has no route/);
  });

  it('sends every message that changes an order to the read model', () => {
    const toSaga = typesFor(topology, 'order-saga');
    const toView = typesFor(topology, 'order-view');
    expect(toSaga.length + toView.length).toBe(Object.keys(topology.messages).length);
  });

  it('lets our own retry window end before SQS gives a message up', () => {
    const low = defineTopology({
      messages,
      routes: { Said: { kind: 'event', consumers: ['heard'] } },
      consumers: { heard: policy },
    });
    expect(expectedReceives(durations.prod.retry)).toBeGreaterThan(40);
    expect(() => assertReceives(low, 'prod', durations.prod.retry)).toThrow(/stage "prod"[^]*heard.maxReceiveCount \(30\)/);
    for (const stage of stageNames) expect(() => assertReceives(topology, stage, durations[stage].retry)).not.toThrow();
  });

  it('tells those who act from those who only listen', () => {
    expect(onlyListeners(topology, ['order-view', 'notification'])).toBe(true);
    expect(onlyListeners(topology, ['order-view', 'payment'])).toBe(false);
    expect(onlyListeners(topology, [])).toBe(false);
    expect(onlyListeners(topology, ['nobody'])).toBe(false);
  });

  it('has a function for every consumer', () => {
    for (const consumer of Object.keys(topology.consumers)) expect(functions).toHaveProperty(consumer);
  });
});

describe('durations', () => {
  it.each(stageNames)('of %s fit together', (stage) => {
    expect(() => assertOrderDurations(stage, durations[stage])).not.toThrow();
    expect(visibilityTimeoutSeconds(durations[stage])).toBeGreaterThanOrEqual(6 * durations[stage].consumerTimeoutSeconds);
  });

  it('are refused with every broken rule named', () => {
    const broken = {
      ...durations.prod,
      giveUpSeconds: 1,
      idempotencyExpirySeconds: 60,
      apiTimeoutSeconds: 30,
      scheduledTimeoutSeconds: 61,
    };
    expect(() => assertOrderDurations('x', broken)).toThrow(
      /stage "x"[^]*retry.windowSeconds[^]*idempotencyExpirySeconds[^]*apiTimeoutSeconds[^]*scheduledTimeoutSeconds[^]*leaseSeconds/,
    );
  });
});

describe('retry policies', () => {
  const policy = { baseSeconds: 2, factor: 2, capSeconds: 60 };
  it('back off exponentially with full jitter, never 0 and never beyond the cap', () => {
    expect([1, 2, 3, 4].map((attempt) => backoffSeconds(policy, attempt, 0.999))).toEqual([2, 4, 8, 16]);
    expect(backoffSeconds(policy, 50, 0.999)).toBe(60);
    expect(backoffSeconds(policy, 5, 0)).toBe(1);
  });
  it('let the relay climb its ladder', () => {
    expect([1, 2, 3, 4, 5, 6].map((attempt) => backoffCeilingSeconds(durations.prod.relay, attempt))).toEqual([10, 30, 90, 270, 810, 900]);
  });
});

describe('errors', () => {
  const named = (name: string, cause?: unknown): Error => Object.assign(new Error(name, { cause }), { name });
  it.each([
    [new PermanentError('x'), { class: 'permanent' }],
    [new TransientError('gap', 'x'), { class: 'transient', reason: 'gap' }],
    [named('ProvisionedThroughputExceededException'), { class: 'transient', reason: 'throttled' }],
    [named('IdempotencyAlreadyInProgressError'), { class: 'transient', reason: 'in-progress' }],
    [named('IdempotencyPersistenceLayerError', new PermanentError('below')), { class: 'permanent' }],
    [named('SomethingElse'), { class: 'transient', reason: 'unknown' }],
    ['a string', { class: 'transient', reason: 'unknown' }],
  ])('%s is classified', (error, expected) => {
    expect(classify(error)).toEqual(expected);
  });

  it('keep one fingerprint for one failure, whatever its ids and numbers', () => {
    const a = fingerprint(new PermanentError('order ord_01ARZ3NDEKTSV4RRFFQ69G5FAV has 3 lines'));
    expect(a).toBe(fingerprint(new PermanentError('order ord_7ZZZZZZZZZZZZZZZZZZZZZZZZZ has 14 lines')));
    expect(a).not.toBe(fingerprint(new PermanentError('another one')));
  });

  it('are described with their causes', () => {
    expect(describeError(new TransientError('conflict', 'outer', { cause: new Error('inner') }))).toBe(
      'TransientError: outer ← Error: inner',
    );
  });
});

describe('ids', () => {
  it('sort by time, also within a millisecond and when the clock steps back', () => {
    const times = [5000, 5000, 4000, 6000];
    const made: string[] = [];
    const next = idSource(
      () => times[Math.min(made.length, 3)]!,
      () => (1n << 80n) - 1n,
    );
    for (let i = 0; i < 4; i++) made.push(next());
    expect(made.toSorted()).toEqual(made);
    expect(new Set(made).size).toBe(4);
    expect(made.map((id) => timeOfId(id))).toEqual([5000, 5000, 5000, 6000]);
    expect(made.every((id) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(id))).toBe(true);
  });

  it('spread over shards, each always into the same one', () => {
    const hits = Array.from({ length: 4 }, () => 0);
    for (let i = 0; i < 4000; i++) hits[shardOf(`id-${i}`, 4)]!++;
    expect(Math.min(...hits)).toBeGreaterThan(800);
    expect(shardOf('id-1', 4)).toBe(shardOf('id-1', 4));
  });
});

describe('environments', () => {
  const all = { STAGE: 'dev', OUTBOX_TABLE: 'o', QUEUE_URLS: '{"a":"http://x"}' };
  it('are read by the schema that filled them', () => {
    expect(readEnvironment('outbox-publisher', functions['outbox-publisher'], all)).toEqual({ ...all, QUEUE_URLS: { a: 'http://x' } });
  });
  it('name every variable that is missing or malformed; empty counts as missing', () => {
    expect(() =>
      readEnvironment('outbox-publisher', functions['outbox-publisher'], { STAGE: 'x', OUTBOX_TABLE: '', QUEUE_URLS: '{' }),
    ).toThrow(/function outbox-publisher: STAGE: .*OUTBOX_TABLE: .*QUEUE_URLS: is not JSON/);
  });
});

describe('trace context', () => {
  it('turns X-Ray’s header into a traceparent', () => {
    const header = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1';
    expect(currentTraceparent(header)).toBe('00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01');
    expect(currentTraceparent('')).toBeUndefined();
  });
});
