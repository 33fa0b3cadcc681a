import { beforeEach, describe, expect, it } from 'vitest';
import { topology } from '../../lambdas/contract/routes.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { openShardName, openShards } from '../../lambdas/contract/tables.ts';
import type { Database } from '@outbox-saga/kit/aws/clients';
import type { CommitContext } from '@outbox-saga/kit/outbox/commit';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import type { World } from '@outbox-saga/kit/function/world';
import { keepPlace, startingPlace, type PlaceStore } from '../../lambdas/order-saga/place.ts';
import { sweepOpenOrders, type Sweep } from '../../lambdas/order-saga/sweep.ts';
import { createHandler } from '../../lambdas/order-saga/sweep-handler.ts';
import { anOrder, testTelemetry, testWorld } from '../support/builders.ts';
import { testConnections, testContext } from '../support/handlers.ts';
import { withStaleReads } from '../support/stale-reads.ts';
import { clearedTables } from '../support/tables.ts';

const tables = clearedTables('orders', 'outbox', 'idempotency', 'orderView', 'notifications');
let world: ReturnType<typeof testWorld>;
let telemetry: ReturnType<typeof testTelemetry>;
let runs = 0;
beforeEach(() => {
  world = testWorld();
  telemetry = testTelemetry();
});

const policy = durations.prod.reminder;
const places = (changes: Partial<PlaceStore> = {}): PlaceStore => ({
  database: tables.database,
  table: 'idempotency',
  telemetry,
  world,
  ...changes,
});
interface Run {
  /** A run has time for so many handfuls of orders. */
  readonly handfuls?: number;
  readonly places?: PlaceStore;
  readonly database?: Database;
  readonly reminder?: typeof policy;
  readonly mostMoves?: number;
}
const sweep = ({
  handfuls = Infinity,
  places: at = places(),
  database = tables.database,
  reminder = policy,
  mostMoves = 1000,
}: Run = {}): Promise<Sweep> => {
  const commits: CommitContext = { database, outboxTable: 'outbox', source: 'test', outboxExpirySeconds: 3600, world };
  const store = { ...commits, ordersTable: 'orders' };
  const outbox = { database: tables.database, table: 'outbox', relay: durations.prod.relay, telemetry, world };
  let begun = 0;
  return sweepOpenOrders({
    saga: { store, makeMessage: messageMaker(topology, world), telemetry },
    closing: {
      store,
      makeMessage: messageMaker(topology, world),
      outbox,
      orderViewTable: 'orderView',
      notificationsTable: 'notifications',
      policy: reminder,
    },
    places: at,
    policy: reminder,
    closeAfterSeconds: 30,
    unclosedAfterSeconds: 86_400,
    mostMoves,
    causationId: `run-${++runs}`,
    mayContinue: () => begun++ < handfuls,
  });
};
const open = async (shard: number, changes: Parameters<typeof anOrder>[0] = {}): Promise<string> => {
  const order = anOrder({ placedAt: world.now(), updatedAt: world.now(), ...changes });
  await tables.put('orders', { ...JSON.parse(JSON.stringify(order)), openShard: openShardName(shard) });
  return order.orderId;
};
const waiting = { step: 'SETTLED', status: 'CONFIRMED', settledAt: 1 } as const;
const versionOf = async (orderId: string): Promise<unknown> => (await tables.get('orders', { orderId }))?.['version'];
const note = () => tables.get('idempotency', { id: 'order-sweep#place' });

describe('a sweep that ends early', () => {
  it('goes on next time where it stopped, so that old orders which stay open hold up none that is due', async () => {
    for (let i = 0; i < 60; i++) await open(0, { ...waiting, placedAt: world.now() + i });
    const due = await open(0, { placedAt: world.now() + 100 });
    world.advance(600_000);
    // A run has time for 40 of the 61: two runs reach the last one wherever they begin.
    expect(await sweep({ handfuls: 2 })).toMatchObject({ looked: 40, moved: 0 });
    expect(await sweep({ handfuls: 2 })).toMatchObject({ moved: 1 });
    expect(await versionOf(due)).toBe(2);
  });

  it('reaches every order of every shard within as many runs as it takes to look at all of them, also those that stay', async () => {
    const due: string[] = [];
    for (let shard = 0; shard < openShards; shard++) {
      for (let i = 0; i < 30; i++) due.push(await open(shard, { placedAt: world.now() + i }));
    }
    world.advance(600_000);
    // A shard of 30 is two handfuls.
    for (let run = 0; run < openShards * 2; run++) {
      world.advance(60_000);
      await sweep({ handfuls: 1 });
    }
    expect(await Promise.all(due.map(versionOf))).toEqual(due.map(() => 2));
  });

  it('reaches them as well when every run has a twin', async () => {
    const due: string[] = [];
    for (let i = 0; i < 100; i++) due.push(await open(i % 2, { placedAt: world.now() + i }));
    world.advance(600_000);
    for (let run = 0; run < 6; run++) {
      world.advance(60_000);
      await Promise.all([sweep({ handfuls: 1 }), sweep({ handfuls: 1 })]);
    }
    expect(await Promise.all(due.map(versionOf))).toEqual(due.map(() => 2));
  });

  it('is not taken back by a slower one that began before', async () => {
    for (let i = 0; i < 100; i++) await open(4, { placedAt: world.now() + i });
    world.advance(600_000);
    await sweep({ handfuls: 1 });
    const slow = await startingPlace(places());
    await sweep({ handfuls: 1 });
    const before = await note();
    await keepPlace(places(), 'slow', slow, { shard: 4 });
    expect(await note()).toEqual(before);
    expect(before).toMatchObject({ place: { shard: 4, after: { placedAt: 1_700_000_000_039 } } });
  });

  it('goes on behind an order that has been closed meanwhile', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 40; i++) ids.push(await open(4, { placedAt: world.now() + i }));
    world.advance(600_000);
    await sweep({ handfuls: 1 });
    const { openShard: _, ...closed } = (await tables.get('orders', { orderId: ids[19]! }))!;
    await tables.put('orders', closed);
    expect(await sweep({ handfuls: 1 })).toMatchObject({ looked: 20, moved: 20 });
    expect(await versionOf(ids[20]!)).toBe(2);
  });

  it('stops asking again when it has asked enough, and the next one begins with those that were left', async () => {
    const always = { ...policy, baseSeconds: 0, capSeconds: 0, maxReminders: 99 };
    const due: string[] = [];
    for (let i = 0; i < 70; i++) due.push(await open(4, { placedAt: world.now() + i }));
    world.advance(600_000);
    await sweep({ reminder: always, mostMoves: 40 });
    for (const row of await tables.all('outbox')) await tables.put('outbox', { ...row, status: 'SENT', sentAt: world.now() });
    await sweep({ reminder: always, mostMoves: 40 });
    expect(await Promise.all(due.slice(40).map(versionOf))).toEqual(due.slice(40).map(() => 2));
  });

  it('finds the note of a moment ago, or it would begin where that run did', async () => {
    const stale = withStaleReads(tables);
    for (let i = 0; i < 40; i++) await open(4, { placedAt: world.now() + i });
    world.advance(600_000);
    await sweep({ handfuls: 1, places: places({ database: stale.database }) });
    expect(await sweep({ handfuls: 1, places: places({ database: stale.database }) })).toMatchObject({ moved: 20 });
  });
});

describe('a sweep', () => {
  it('that sees everything writes no note', async () => {
    for (let shard = 0; shard < openShards; shard++) await open(shard);
    world.advance(600_000);
    expect(await sweep()).toMatchObject({ looked: openShards });
    expect(await note()).toBeUndefined();
  });

  it('counts settled orders that somebody has not heard of for a day', async () => {
    await open(0, { ...waiting, settledAt: world.now() });
    await open(1, { ...waiting, settledAt: world.now() + 1 });
    await open(2, { settledAt: undefined });
    world.advance(86_400_001);
    expect(await sweep()).toMatchObject({ looked: 3, unclosed: 1 });
    expect(telemetry.measured.get('OrdersUnclosed')).toEqual([1]);
  });

  it('counts an order that it can never handle as well, but none that it could not handle this time', async () => {
    await open(0, { schemaVersion: 9 as never });
    world.advance(600_000);
    expect(await sweep()).toMatchObject({ looked: 1, unclosed: 1 });
    await tables.clear('orders');
    await open(0, { placedAt: 0, updatedAt: 0 });
    const locked: Database = {
      send: ((command: { input: { Key?: unknown } }) =>
        command.input.Key ? Promise.reject(new Error('throttled')) : tables.database.send(command as never)) as never,
    };
    expect(await sweep({ database: locked })).toMatchObject({ looked: 1, moved: 0, unclosed: 0 });
  });

  it('begins at any shard when nothing says where', async () => {
    const ids = [await open(0), await open(7)];
    world.advance(600_000);
    await sweep({ handfuls: 1, places: places({ world: { ...world, random: () => 0.99 } }) });
    expect(await Promise.all(ids.map(versionOf))).toEqual([1, 2]);
  });

  it('goes by no note that runs have not renewed for long: they may be dying where it points', async () => {
    const ids = [await open(0), await open(3)];
    world.advance(600_000);
    const early: World = { ...world, now: () => world.now() - 600_000 };
    await keepPlace(places({ world: early }), 'killed', { place: { shard: 0 }, noteOf: undefined }, { shard: 3 });
    await sweep({ handfuls: 1, places: places({ world: { ...world, random: () => 0 } }) });
    expect(await Promise.all(ids.map(versionOf))).toEqual([2, 1]);
    expect(await note()).not.toMatchObject({ run: 'killed' });
  });

  it('runs without its note when that table is in trouble', async () => {
    for (let i = 0; i < 40; i++) await open(4);
    world.advance(600_000);
    const broken = { send: () => Promise.reject(new Error('throttled')) } as unknown as Database;
    expect(await sweep({ handfuls: 1, places: places({ database: broken }) })).toMatchObject({ moved: 20 });
    const lines = telemetry.lines.map(({ message }) => message).filter((message) => message.startsWith('place'));
    expect(lines).toEqual(['place of the sweep not read', 'place of the sweep not kept']);
  });

  it('leaves the last five seconds of its function to the orders in hand', async () => {
    await open(0);
    world.advance(600_000);
    const names = { ORDERS_TABLE: 'orders', OUTBOX_TABLE: 'outbox', ORDER_VIEW_TABLE: 'orderView', NOTIFICATIONS_TABLE: 'notifications' };
    const environment = { STAGE: 'prod', IDEMPOTENCY_TABLE: 'idempotency', OUTBOX_INDEX_PENDING: false, ...names } as const;
    const handler = createHandler(environment, testConnections('order-sweep', tables, world, telemetry));
    expect(
      await handler(
        {} as never,
        testContext(() => 5000),
      ),
    ).toMatchObject({ looked: 0 });
    expect(
      await handler(
        {} as never,
        testContext(() => 5001),
      ),
    ).toMatchObject({ looked: 1 });
  });
});
