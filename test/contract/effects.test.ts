import { beforeEach, describe, expect, it } from 'vitest';
import { TransientError } from '@outbox-saga/kit/errors';
import { sandboxLedger } from '../../lambdas/providers/sandbox-ledger.ts';
import type { EffectPort } from '@outbox-saga/kit/effects/effect-port';
import type { Charge } from '../../lambdas/payment/payment.ts';
import { sandboxGateway } from '../../lambdas/payment/sandbox-gateway.ts';
import { sandboxCarrier } from '../../lambdas/shipping/sandbox-carrier.ts';
import { aMessage, anOrder, orderKeys, testWorld } from '../support/builders.ts';
import { paymentsAt, shipmentsAt } from '../support/effects.ts';
import { clearedTables } from '../support/tables.ts';

type Gateway = EffectPort<Charge>;

const tables = clearedTables('outbox', 'sandboxLedger');
let world: ReturnType<typeof testWorld>;
let orderId: string;
beforeEach(() => {
  world = testWorld();
  orderId = anOrder().orderId;
});

const said = async (): Promise<unknown[]> =>
  (await tables.all('outbox')).map(({ body }) => {
    const { type, data } = JSON.parse(body as string) as { type: string; data: unknown };
    return [type, data];
  });
const money = { amount: 500, currency: 'JPY' };
const request = (token = 'tok_ok') => aMessage('PaymentRequested', { ...orderKeys, ...money, token }, { aggregateId: orderId });
const refund = () => aMessage('RefundRequested', { ...orderKeys, ...money }, { aggregateId: orderId });
const status = async () => (await tables.get('payments', { orderId }))?.['status'];
const books = async () => (await tables.all('sandboxLedger')).flatMap(({ kind }) => (kind ? [kind] : [])).toSorted();

function payments(gateway: Gateway = sandboxGateway(sandboxLedger(tables.database, 'sandboxLedger'), world)) {
  return paymentsAt({ database: tables.database, world }, gateway);
}

describe('a payment', () => {
  it('is captured once and answered again from its record', async () => {
    expect(await payments().do(request())).toBe('done');
    expect(await payments().do(request())).toBe('answered again: done');
    const answer = ['PaymentCaptured', { ...money, reference: `sandbox-${orderId}` }];
    expect(await said()).toEqual([answer, answer]);
    expect(await books()).toEqual(['capture']);
  });

  it('stays declined, also when it is asked again', async () => {
    expect(await payments().do(request('tok_declined'))).toBe('refused');
    expect(await payments().do(request('tok_ok'))).toBe('answered again: refused');
    expect(await said()).toEqual([1, 2].map(() => ['PaymentDeclined', { reason: 'card declined' }]));
    expect(await books()).toEqual([]);
  });

  it('leaves its intent when the answer is lost, and finds the charge when it is tried again', async () => {
    await expect(payments().do(request('tok_lost_response'))).rejects.toBeInstanceOf(TransientError);
    expect(await status()).toBe('CAPTURING');
    expect(await payments().do(request('tok_lost_response'))).toBe('done');
    expect(await books()).toEqual(['capture']);
  });

  it('is looked up, never sent again, once the provider may have forgotten its key', async () => {
    const calls: string[] = [];
    const gateway: Gateway = {
      perform: () => {
        calls.push('capture');
        return Promise.reject(new TransientError('unavailable', 'no answer'));
      },
      undo: () => Promise.resolve('undone'),
      find: () => {
        calls.push('find');
        return Promise.resolve({ outcome: 'done', reference: 'found' });
      },
    };
    await expect(payments(gateway).do(request())).rejects.toThrow('no answer');
    world.advance(3_600_001);
    expect(await payments(gateway).do(request())).toBe('done');
    expect(calls).toEqual(['capture', 'find']);
    expect(await said()).toEqual([['PaymentCaptured', { ...money, reference: 'found' }]]);
  });

  /** A gateway that is down until it is told otherwise, and has no trace of anything before. */
  const wakingGateway = () => {
    const captures: string[] = [];
    const gateway = {
      down: true,
      captures,
      beforeFind: () => Promise.resolve(),
      perform: (): ReturnType<Gateway['perform']> => {
        if (gateway.down) return Promise.reject(new TransientError('unavailable', 'no answer'));
        captures.push('captured');
        return Promise.resolve({ outcome: 'done', reference: 'late' });
      },
      undo: () => Promise.resolve('undone' as const),
      find: async (): ReturnType<Gateway['find']> => {
        await gateway.beforeFind();
        return { outcome: 'unknown' };
      },
    };
    return gateway;
  };

  it('that the provider has no trace of after a long outage is sent anew, and only then', async () => {
    const gateway = wakingGateway();
    await expect(payments(gateway).do(request())).rejects.toThrow('no answer');
    world.advance(3_600_001);
    gateway.down = false;
    expect(await payments(gateway).do(request())).toBe('done');
    expect(gateway.captures).toEqual(['captured']);
    expect(await tables.get('payments', { orderId })).toMatchObject({ status: 'CAPTURED', startedAt: world.now() });
  });

  it('is not recorded as never done by a refund that looked it up before it was sent anew', async () => {
    const gateway = wakingGateway();
    await expect(payments(gateway).do(request())).rejects.toThrow('no answer');
    world.advance(3_600_001);
    gateway.down = false;
    // While the refund waits for its look-up, another environment captures after all, and dies before it can commit.
    const dying = { ...gateway, perform: () => gateway.perform().then(() => Promise.reject(new TransientError('unavailable', 'died'))) };
    gateway.beforeFind = () => {
      gateway.beforeFind = () => Promise.resolve();
      return expect(payments(dying).do(request())).rejects.toThrow('died');
    };
    await expect(payments(gateway).undo(refund())).rejects.toMatchObject({ reason: 'conflict' });
    expect(await status()).toBe('CAPTURING');
    expect(await payments(gateway).undo(refund())).toBe('undone');
    expect(await status()).toBe('REFUNDED');
  });

  it('that the provider has no trace of when it is called off has nothing to refund', async () => {
    const gateway = wakingGateway();
    await expect(payments(gateway).do(request())).rejects.toThrow('no answer');
    world.advance(3_600_001);
    expect(await payments(gateway).undo(refund())).toBe('nothing to undo');
    expect(await status()).toBe('DECLINED');
  });

  it('waits while the provider says pending', async () => {
    const gateway: Gateway = {
      perform: () => Promise.resolve({ outcome: 'pending' }),
      undo: () => Promise.resolve('pending'),
      find: () => Promise.resolve({ outcome: 'pending' }),
    };
    await expect(payments(gateway).do(request())).rejects.toMatchObject({ reason: 'unavailable' });
    expect(await said()).toEqual([]);
  });

  it('is refunded once and answered again', async () => {
    await payments().do(request());
    expect(await payments().undo(refund())).toBe('undone');
    expect(await payments().undo(refund())).toBe('answered again: undone');
    expect((await said()).slice(1)).toEqual([1, 2].map(() => ['PaymentRefunded', money]));
    expect(await books()).toEqual(['capture', 'refund']);
    expect(await status()).toBe('REFUNDED');
  });

  it('that is captured again after its refund keeps its answer and takes no money', async () => {
    await payments().do(request());
    await payments().undo(refund());
    expect(await payments().do(request())).toBe('answered again: undone');
    expect(await books()).toEqual(['capture', 'refund']);
  });

  it('whose refund comes first is never captured', async () => {
    expect(await payments().undo(refund())).toBe('tombstone');
    expect(await payments().do(request())).toBe('answered again: voided');
    expect(await said()).toEqual([
      ['PaymentRefunded', { amount: 0, currency: 'JPY' }],
      ['PaymentDeclined', { reason: 'it was called off before it was done' }],
    ]);
    expect(await books()).toEqual([]);
    expect(await status()).toBe('VOIDED');
  });

  it('whose refund meets an unknown outcome is driven to it first, then refunded', async () => {
    await expect(payments().do(request('tok_lost_response'))).rejects.toThrow();
    expect(await payments().undo(refund())).toBe('undone');
    expect(await books()).toEqual(['capture', 'refund']);
    expect(await said()).toEqual([['PaymentRefunded', money]]);
  });

  it('that was declined has nothing to refund', async () => {
    await payments().do(request('tok_declined'));
    expect(await payments().undo(refund())).toBe('answered again: refused');
    expect((await said()).at(-1)).toEqual(['PaymentRefunded', { amount: 0, currency: 'JPY' }]);
  });

  it('whose refund crashes between the provider and the commit is refunded once when tried again', async () => {
    await payments().do(request());
    const real = sandboxGateway(sandboxLedger(tables.database, 'sandboxLedger'), world);
    const crashing: Gateway = {
      ...real,
      undo: async (...args) => {
        await real.undo(...args);
        throw new TransientError('unavailable', 'crashed after the effect');
      },
    };
    await expect(payments(crashing).undo(refund())).rejects.toThrow('crashed');
    expect(await status()).toBe('REFUNDING');
    expect(await payments().undo(refund())).toBe('undone');
    expect(await books()).toEqual(['capture', 'refund']);
  });

  it('whose refund may be forgotten by the provider is looked up before it is refunded again', async () => {
    const calls: string[] = [];
    let found: 'done' | 'undone' = 'done';
    const gateway: Gateway = {
      perform: () => Promise.resolve({ outcome: 'done', reference: 'r' }),
      undo: () => {
        calls.push('refund');
        return calls.length > 1 ? Promise.resolve('undone') : Promise.reject(new TransientError('unavailable', 'answer lost'));
      },
      find: () => {
        calls.push('find');
        return Promise.resolve({ outcome: found, reference: 'r' });
      },
    };
    await payments(gateway).do(request());
    await expect(payments(gateway).undo(refund())).rejects.toThrow('answer lost');
    world.advance(3_600_001);
    found = 'undone';
    expect(await payments(gateway).undo(refund())).toBe('undone');
    expect(calls).toEqual(['refund', 'find']);
  });

  it('that two environments capture at once is captured once', async () => {
    const outcomes = await Promise.all([payments().do(request()), payments().do(request())]);
    expect(outcomes).toContain('done');
    expect(await books()).toEqual(['capture']);
  });
});

describe('a shipment', () => {
  const shipments = () =>
    shipmentsAt({ database: tables.database, world }, sandboxCarrier(sandboxLedger(tables.database, 'sandboxLedger'), world));
  const arrange = (postalCode = '1') =>
    aMessage('ShipmentRequested', { ...orderKeys, items: [{ sku: 'a', qty: 1 }], shipTo: { postalCode } }, { aggregateId: orderId });
  const callOff = () => aMessage('ShipmentCancelRequested', orderKeys, { aggregateId: orderId });

  it('is arranged once, and called off once', async () => {
    expect(await shipments().do(arrange())).toBe('done');
    expect(await shipments().undo(callOff())).toBe('undone');
    expect(await shipments().undo(callOff())).toBe('answered again: undone');
    expect(await books()).toEqual(['calloff', 'shipment']);
  });
  it('cannot be arranged to nowhere, nor after it was called off', async () => {
    expect(await shipments().do(arrange('00000'))).toBe('refused');
    orderId = anOrder().orderId;
    expect(await shipments().undo(callOff())).toBe('tombstone');
    expect(await shipments().do(arrange())).toBe('answered again: voided');
    expect(await books()).toEqual([]);
  });
});
