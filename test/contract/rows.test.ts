import { beforeEach, describe, expect, it } from 'vitest';
import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { topology } from '../../lambdas/contract/routes.ts';
import { commit, type CommitContext } from '@outbox-saga/kit/outbox/commit';
import { newRow, pendingOnlyForListeners } from '@outbox-saga/kit/outbox/row';
import { rowsOf } from '@outbox-saga/kit/outbox/row-store';
import { aMessage, orderKeys, testWorld } from '../support/builders.ts';
import { withStaleReads } from '../support/stale-reads.ts';
import { clearedTables, type TestTables } from '../support/tables.ts';

const tables = clearedTables('outbox');
let world: ReturnType<typeof testWorld>;
beforeEach(() => {
  world = testWorld();
});

const placed = (changes: Partial<Envelope> = {}) =>
  aMessage(
    'OrderPlaced',
    { ...orderKeys, currency: 'JPY', total: 1, items: [{ sku: 'a', qty: 1 }] },
    { messageId: world.newId(), sequence: 1, ...changes },
  );
const sender = (database: TestTables['database']): CommitContext => ({
  database,
  outboxTable: 'outbox',
  source: 'test',
  outboxExpirySeconds: 3600,
  world,
});

describe('the rows of an aggregate', () => {
  it('are read with what was committed last', async () => {
    const { database } = withStaleReads(tables);
    const [first, second] = [placed({ sequence: 1 }), placed({ sequence: 2 })];
    await commit(sender(database), {}, [first]);
    await commit(sender(database), {}, [second]);
    const rows = await rowsOf({ database, table: 'outbox' }, first.aggregateId);
    expect(rows.map(({ messageId }) => messageId)).toContain(second.messageId);
  });

  it('are the newest ones, newest first', async () => {
    const ids: string[] = [];
    for (let i = 1; i <= 201; i++) {
      const message = placed({ sequence: i });
      ids.push(message.messageId);
      await tables.put('outbox', { ...newRow(message, sender(tables.database)) });
    }
    const rows = await rowsOf({ database: tables.database, table: 'outbox' }, placed().aggregateId);
    expect(rows.map(({ messageId }) => messageId)).toEqual(ids.slice(1).toReversed());
  });
});

describe('a row is owed only to listeners', () => {
  const row = (message: Envelope, owed?: string[]) => ({ ...newRow(message, sender(tables.database)), ...(owed ? { owed } : {}) });

  it('when it names nobody else, or its route does not', () => {
    const confirmed = aMessage('OrderConfirmed', { ...orderKeys, amount: 1, currency: 'JPY' });
    expect(pendingOnlyForListeners(topology, row(placed(), ['order-view']))).toBe(true);
    expect(pendingOnlyForListeners(topology, row(placed(), ['order-view', 'inventory']))).toBe(false);
    expect(pendingOnlyForListeners(topology, row(placed()))).toBe(false);
    expect(pendingOnlyForListeners(topology, row(confirmed))).toBe(true);
  });

  it('never when nobody knows to whom it goes', () => {
    expect(pendingOnlyForListeners(topology, row({ ...placed(), type: 'Nonsense' }))).toBe(false);
    expect(pendingOnlyForListeners(topology, { body: 'not json' })).toBe(false);
  });
});
