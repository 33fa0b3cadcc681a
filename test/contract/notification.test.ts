import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PermanentError, TransientError } from '@outbox-saga/kit/errors';
import type { Mailer } from '../../lambdas/notification/mailer.ts';
import { notify, type Notifier } from '../../lambdas/notification/notify.ts';
import { aMessage, anOrder, orderKeys, testTelemetry, testWorld } from '../support/builders.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
let world: ReturnType<typeof testWorld>;
let telemetry: ReturnType<typeof testTelemetry>;
let orderId: string;
let mailed: string[];
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());
beforeEach(async () => {
  await tables.clear('notifications');
  world = testWorld();
  telemetry = testTelemetry();
  ({ orderId } = anOrder());
  mailed = [];
});

const confirmed = (email?: string) =>
  aMessage('OrderConfirmed', { ...orderKeys, amount: 1, currency: 'JPY', email }, { aggregateId: orderId, sequence: 1 });
const notifier = (mailer?: Mailer): Notifier => ({
  store: { database: tables.database, table: 'notifications', world, leaseSeconds: 30 },
  telemetry,
  mailer,
});
const ada = 'ada@example.com';
const working: Mailer = (to, subject) => {
  mailed.push(`${to} ${subject}`);
  return Promise.resolve();
};
const down: Mailer = () => Promise.reject(new TransientError('unavailable', 'SES is down'));
const refusing: Mailer = () => Promise.reject(new PermanentError('ses answered 400: the domain does not exist'));
const record = () => tables.get('notifications', { orderId });

describe('a notification', () => {
  it('is recorded once, and mails nobody without a sender', async () => {
    expect(await notify(notifier(), confirmed(ada))).toBe('recorded');
    expect(await notify(notifier(), confirmed(ada))).toBe('duplicate');
    expect(await record()).toMatchObject({ outcome: 'OrderConfirmed', email: 'none' });
  });

  it('mails nobody without an address', async () => {
    expect(await notify(notifier(working), confirmed())).toBe('recorded');
    expect(await notify(notifier(working), confirmed())).toBe('duplicate');
    expect(mailed).toEqual([]);
  });

  it('is one write where nobody is mailed', async () => {
    let calls = 0;
    const database = { send: (command: never) => ++calls && tables.database.send(command) } as never;
    const { store } = notifier();
    await notify({ store: { ...store, database }, telemetry, mailer: working }, confirmed());
    expect(calls).toBe(1);
  });

  it('mails again after a failure, at once, and not after a success', async () => {
    await expect(notify(notifier(down), confirmed(ada))).rejects.toThrow('SES is down');
    expect(await record()).toMatchObject({ email: 'due' });
    expect(await notify(notifier(working), confirmed(ada))).toBe('mailed');
    expect(await notify(notifier(working), confirmed(ada))).toBe('duplicate');
    expect(mailed).toEqual([`${ada} Your order ${orderId} is confirmed`]);
    expect(await record()).not.toHaveProperty('leaseUntil');
  });

  it('does not send a second e-mail while the first is on its way, nor takes it for sent', async () => {
    const duplicates: unknown[] = [];
    const slow: Mailer = async (to, subject, text) => {
      await working(to, subject, text);
      for (const seconds of [0, 29]) {
        world.advance(seconds * 1000);
        duplicates.push(await notify(notifier(working), confirmed(ada)).catch((error: unknown) => error));
      }
    };
    expect(await notify(notifier(slow), confirmed(ada))).toBe('recorded and mailed');
    const waits = { name: 'TransientError', reason: 'in-progress' };
    expect(duplicates).toMatchObject([waits, waits]);
    expect(mailed).toHaveLength(1);
    expect(await notify(notifier(working), confirmed(ada))).toBe('duplicate');
  });

  it('mails again when the one who claimed it died', async () => {
    const dying: Mailer = async (to, subject, text) => {
      await working(to, subject, text);
      // From here on its database does not hear of it.
      throw new Error('killed');
    };
    let calls = 0;
    const database = {
      send: (command: never) => (++calls > 1 ? Promise.reject(new Error('killed')) : tables.database.send(command)),
    } as never;
    const { store } = notifier();
    await expect(notify({ store: { ...store, database }, telemetry, mailer: dying }, confirmed(ada))).rejects.toThrow('killed');
    world.advance(31_000);
    expect(await notify(notifier(working), confirmed(ada))).toBe('mailed');
    expect(mailed).toHaveLength(2);
  });

  it('lets one of two that find an abandoned claim send it', async () => {
    await tables.put('notifications', { orderId, email: 'due', leaseUntil: world.now() - 1 });
    const both = await Promise.allSettled([notify(notifier(working), confirmed(ada)), notify(notifier(working), confirmed(ada))]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(mailed).toHaveLength(1);
  });

  it('keeps a refusal with its reason, tells it, and tries no more', async () => {
    expect(await notify(notifier(refusing), confirmed(ada))).toBe('e-mail refused');
    expect(await record()).toMatchObject({ email: 'refused', refusal: expect.stringContaining('the domain does not exist') });
    expect(await record()).not.toHaveProperty('leaseUntil');
    expect(telemetry.measured.get('MailsRefused')).toEqual([1]);
    expect(telemetry.lines).toMatchObject([{ message: 'e-mail refused', fields: { aggregateId: orderId } }]);
    expect(await notify(notifier(working), confirmed(ada))).toBe('duplicate');
    expect(mailed).toEqual([]);
  });

  it('owes no e-mail any more when the address was erased or the sender taken away', async () => {
    await expect(notify(notifier(down), confirmed(ada))).rejects.toThrow('SES is down');
    expect(await notify(notifier(), confirmed(ada))).toBe('recorded');
    expect(await record()).toMatchObject({ email: 'none' });
  });
});
