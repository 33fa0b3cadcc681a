import { beforeEach, describe, expect, it } from 'vitest';
import { TransientError } from '@outbox-saga/kit/errors';
import { RequestRefused, type EffectPort } from '@outbox-saga/kit/effects/effect-port';
import type { Charge } from '../../lambdas/payment/payment.ts';
import { aMessage, anOrder, orderKeys, testWorld } from '../support/builders.ts';
import { callSeconds, paymentsAt, providerKeySeconds } from '../support/effects.ts';
import { withStaleReads } from '../support/stale-reads.ts';
import { clearedTables } from '../support/tables.ts';

type Gateway = EffectPort<Charge>;

const tables = clearedTables('outbox');
let world: ReturnType<typeof testWorld>;
let orderId: string;
/** Calls that a gateway has got, in order. */
let calls: string[];
beforeEach(() => {
  world = testWorld();
  orderId = anOrder().orderId;
  calls = [];
});

const money = { amount: 500, currency: 'JPY' };
const capture = (gateway: Gateway, database = tables.database) =>
  paymentsAt({ database, world }, gateway).do(
    aMessage('PaymentRequested', { ...orderKeys, ...money, token: 't' }, { aggregateId: orderId }),
  );
const refund = (gateway: Gateway, database = tables.database) =>
  paymentsAt({ database, world }, gateway).undo(aMessage('RefundRequested', { ...orderKeys, ...money }, { aggregateId: orderId }));
const status = async () => (await tables.get('payments', { orderId }))?.['status'];
const noAnswer = () => Promise.reject(new TransientError('unavailable', 'no answer'));
const done = { outcome: 'done', reference: 'r' } as const;

/** A gateway that takes everything and knows what it took, but for what is given. */
function gateway(changes: Partial<Gateway> = {}): Gateway {
  const took = (call: string): void => void calls.push(call);
  const plain: Gateway = {
    perform: () => Promise.resolve(done),
    undo: () => Promise.resolve('undone'),
    find: () => Promise.resolve({ outcome: 'unknown' }),
    ...changes,
  };
  return {
    perform: (...given) => (took('capture'), plain.perform(...given)),
    undo: (...given) => (took('refund'), plain.undo(...given)),
    find: (...given) => (took('find'), plain.find(...given)),
  };
}

describe('the end of a key’s life', () => {
  const clockSkewSeconds = 60;
  const lastSend = (providerKeySeconds - callSeconds - clockSkewSeconds) * 1000;

  it.each([
    [0, ['capture', 'capture']],
    [1, ['capture', 'find']],
  ])('a call begins only while it can end within it: %d ms after the last moment', async (late, expected) => {
    await expect(capture(gateway({ perform: noAnswer }))).rejects.toThrow('no answer');
    world.advance(lastSend + late);
    expect(await capture(gateway({ find: () => Promise.resolve(done) }))).toBe('done');
    expect(calls).toEqual(expected);
  });

  it.each([lastSend - 1, lastSend, lastSend + 1, providerKeySeconds * 1000 - 1, providerKeySeconds * 1000, providerKeySeconds * 1000 + 1])(
    'no undo takes a capture for never done that began %d ms after its intent and is still under way',
    async (begun) => {
      await expect(capture(gateway({ perform: noAnswer }))).rejects.toThrow('no answer');
      world.advance(begun);
      let taken = false;
      const slow = gateway({
        perform: async () => {
          // It takes as long as it can, and only then the gateway knows of it. Meanwhile another environment, whose clock is ahead, undoes.
          world.advance((callSeconds + clockSkewSeconds) * 1000);
          await refund(gateway({ perform: noAnswer })).catch((error: unknown) => expect(error).toBeInstanceOf(TransientError));
          taken = true;
          return done;
        },
      });
      await capture(slow).catch((error: unknown) => expect(error).toBeInstanceOf(TransientError));
      expect({ taken, status: await status() }).toEqual({ taken, status: taken ? 'CAPTURED' : 'DECLINED' });
    },
  );

  it('an undo waits until nothing is under way any more, and then believes that there is no trace', async () => {
    await expect(capture(gateway({ perform: noAnswer }))).rejects.toThrow('no answer');
    world.advance(providerKeySeconds * 1000);
    await expect(refund(gateway())).rejects.toMatchObject({ name: 'TransientError', reason: 'unavailable' });
    expect(await status()).toBe('CAPTURING');
    world.advance(1);
    expect(await refund(gateway())).toBe('nothing to undo');
    expect(calls).toEqual(['capture', 'find', 'find']);
  });

  it('of an undo is counted from the undo, not from the intent: a young one is sent again under its key', async () => {
    await capture(gateway());
    world.advance(providerKeySeconds * 2000);
    await expect(refund(gateway({ undo: noAnswer }))).rejects.toThrow('no answer');
    world.advance(lastSend);
    expect(await refund(gateway())).toBe('undone');
    expect(calls).toEqual(['capture', 'refund', 'refund']);
  });
});

describe('a capture that is still on its way when it is called off', () => {
  it('is a repetition when it arrives: the undo has used up its key, and the books add up', async () => {
    const books: string[] = [];
    const keys = new Map<string, typeof done>();
    /** Once per key, as docs/providers.md demands. */
    const take = (key: string): typeof done => {
      if (!keys.has(key)) books.push('capture');
      keys.set(key, done);
      return done;
    };
    let arrives: () => void = () => expect.unreachable();
    const knowing = gateway({
      perform: (_, key) => Promise.resolve(take(key)),
      undo: () => {
        books.push('refund');
        return Promise.resolve('undone');
      },
      find: () => Promise.resolve(keys.size > 0 ? done : { outcome: 'unknown' }),
    });
    const slow = gateway({
      perform: (_, key) => {
        arrives = () => void take(key);
        return noAnswer();
      },
    });
    await expect(capture(slow)).rejects.toThrow('no answer');
    expect(await refund(knowing)).toBe('undone');
    arrives();
    expect(await capture(knowing)).toBe('answered again: undone');
    expect({ books, status: await status() }).toEqual({ books: ['capture', 'refund'], status: 'REFUNDED' });
  });
});

describe('two environments at once', () => {
  it('that both find no trace: only one renews the intent and sends it', async () => {
    await expect(capture(gateway({ perform: noAnswer }))).rejects.toThrow('no answer');
    world.advance(providerKeySeconds * 1000 + 1);
    const late = gateway({
      find: async () => {
        // The other one was quicker, and dies before it can commit.
        world.advance(1);
        await expect(capture(gateway({ perform: noAnswer }))).rejects.toThrow('no answer');
        return { outcome: 'unknown' };
      },
    });
    await expect(capture(late)).rejects.toMatchObject({ name: 'TransientError', reason: 'conflict' });
    expect(calls).toEqual(['capture', 'find', 'find', 'capture']);
  });

  it('that are told otherwise by a provider that breaks its contract are not passed over in silence', async () => {
    const contradicting = gateway({
      perform: async () => {
        const refusing = gateway({ perform: () => Promise.reject(new RequestRefused('POST /captures', 'no')) });
        expect(await refund(refusing)).toBe('nothing to undo');
        return done;
      },
    });
    await expect(capture(contradicting)).rejects.toMatchObject({ name: 'PermanentError', message: /recorded as DECLINED/ });
  });
});

describe('a record', () => {
  it('is read as it is now, not as a replica remembers it', async () => {
    const stale = withStaleReads(tables);
    expect(await capture(gateway(), stale.database)).toBe('done');
    expect(await capture(gateway(), stale.database)).toBe('answered again: done');
    expect(await refund(gateway(), stale.database)).toBe('undone');
    expect(await refund(gateway(), stale.database)).toBe('answered again: undone');
    expect(calls).toEqual(['capture', 'refund']);
  });
});
