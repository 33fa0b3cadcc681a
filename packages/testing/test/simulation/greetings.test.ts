import '@outbox-saga/testing/simulation/globals';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { tryPut } from '@outbox-saga/kit/aws/clients';
import { consumeFrom, commitsTo, type QueueConnections } from '@outbox-saga/kit/function/wiring';
import { usualDurations } from '@outbox-saga/kit/messages/durations';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { defineTopology } from '@outbox-saga/kit/messages/topology';
import { commit } from '@outbox-saga/kit/outbox/commit';
import { createPublisher, createRelay } from '@outbox-saga/kit/outbox/handlers';
import { idempotencyTable, outboxTable } from '@outbox-saga/kit/tables';
import type { Handler, SimulatedApplication } from '@outbox-saga/testing/simulation/application';
import { Cloud, start, type Observer } from '@outbox-saga/testing/simulation/cloud';
import type { Sabotage } from '@outbox-saga/testing/simulation/sabotage';
import { callFaults, deliveryFaults, Faults, type FaultPlan } from '@outbox-saga/testing/simulation/faults';
import { only, onTransaction } from '@outbox-saga/testing/simulation/interception';
import { deadLetterUrl, queueUrl } from '@outbox-saga/testing/simulation/queue-names';
import { runSchedule } from '@outbox-saga/testing/simulation/run';
import { QueueSource, StreamSource } from '@outbox-saga/testing/simulation/sources';

// The simulation's engine, with an application that is as small as can be: whoever waves is greeted once.
type Name = 'wave' | 'greeter' | 'outbox-publisher' | 'outbox-relay';

const topology = defineTopology({
  messages: { Waved: { version: 1, data: z.object({ name: z.string() }) } },
  consumers: { greeter: { role: 'actor', batchSize: 10, maximumConcurrency: 10, maxReceiveCount: 100, idempotent: false } },
  routes: { Waved: { kind: 'event', consumers: ['greeter'] } },
});
const sender = { OUTBOX_TABLE: 'outbox', OUTBOX_INDEX_PENDING: true };
const publishing = { OUTBOX_TABLE: 'outbox', QUEUE_URLS: { greeter: queueUrl('greeter') } };

function create(name: Name, connections: QueueConnections): Handler {
  switch (name) {
    case 'wave': {
      const context = commitsTo(sender, usualDurations, connections);
      const makeMessage = messageMaker(topology, connections.world);
      return async (event) => {
        const { name: who } = event as { name: string };
        const message = makeMessage('Waved', { name: who }, { aggregateId: who, groupId: who, correlationId: who, causationId: who });
        const Item = { name: who };
        await commit(
          context,
          {
            wave: {
              Put: {
                TableName: 'waves',
                Item,
                ConditionExpression: 'attribute_not_exists(#n)',
                ExpressionAttributeNames: { '#n': 'name' },
              },
            },
          },
          [message],
        );
        return 'waved';
      };
    }
    case 'greeter': {
      const environment = { QUEUE_URL: queueUrl(name), DEAD_LETTER_QUEUE_URL: deadLetterUrl(name), IDEMPOTENCY_TABLE: 'idempotency' };
      return consumeFrom(environment, connections, {
        consumer: 'greeter',
        topology,
        durations: usualDurations,
        handlers: {
          Waved: async ({ messageId, data }) => {
            const put = { TableName: 'greetings', Item: { messageId, ...data }, ConditionExpression: 'attribute_not_exists(messageId)' };
            return (await tryPut(connections.database, put)) ? 'greeted' : 'duplicate';
          },
        },
      }) as Handler;
    }
    case 'outbox-publisher':
      return createPublisher(publishing, connections, { topology, durations: usualDurations }) as Handler;
    case 'outbox-relay':
      return createRelay(publishing, connections, { topology, durations: usualDurations }) as Handler;
  }
}

const application: SimulatedApplication<Name> = {
  tables: {
    waves: { partitionKey: { name: 'name', type: 'S' } },
    greetings: { partitionKey: { name: 'messageId', type: 'S' } },
    outbox: outboxTable,
    idempotency: idempotencyTable,
  },
  outboxTable: 'outbox',
  topology,
  durations: usualDurations,
  publisher: 'outbox-publisher',
  create,
  timeoutMs: () => 15_000,
};

const minute = 60_000;
const disturbed: FaultPlan = {
  callRate: 0.05,
  deliveryRate: 0.1,
  kinds: new Set([...Object.values(callFaults).flat(), ...deliveryFaults, 'clock-skew', 'stale-read']),
  lastsMs: 10 * minute,
};

/** Ten people wave within a minute, and wave again when they were not answered. @returns what is wrong in the end */
async function run(seed: number, { plan = disturbed, sabotage }: { plan?: FaultPlan; sabotage?: Sabotage<Name> } = {}) {
  let digest = 0;
  const observer: Observer<Name> = {
    sent: () => undefined,
    refused: () => undefined,
    troubled: () => undefined,
    crash: () => undefined,
    call: () => void (digest = (Math.imul(digest, 31) + cloud.now) | 0),
    line: (_environment, _level, message) => void (digest = (Math.imul(digest, 31) + message.length) | 0),
  };
  const cloud: Cloud<Name> = new Cloud({ application, seed, faults: new Faults(seed, plan, start), observer, sabotage });
  const watcher = { received: () => undefined, acknowledged: () => undefined, unstreamed: () => undefined };
  const greeter = new QueueSource<Name>(cloud, 'greeter', watcher);
  const stream = new StreamSource(cloud, watcher);
  const greeted = new Map<string, number>();
  cloud.database.onChange = (changes) => {
    for (const change of changes) {
      if (change.table === 'outbox' && !change.before) stream.append(change);
      if (change.table === 'greetings')
        greeted.set(change.after!['name'] as string, (greeted.get(change.after!['name'] as string) ?? 0) + 1);
    }
  };
  const people = Array.from({ length: 10 }, (_, i) => `person-${i}`);
  const wave = (name: string): void =>
    cloud.invoke('wave', { name }, ({ ok }) => {
      // Whether it was committed is not known: the condition tells a repetition.
      if (!ok && !cloud.database.find('waves', { name })) cloud.scheduler.after(1000, () => wave(name));
    });
  for (const name of people) cloud.scheduler.after(cloud.random.int(0, minute), () => wave(name));
  const end = start + 60 * minute;
  const tick = (): void => {
    cloud.invoke('outbox-relay', {}, () => undefined);
    greeter.wake();
    if (cloud.now < end) cloud.scheduler.after(minute, tick);
  };
  cloud.scheduler.after(minute, tick);
  await runSchedule(cloud, () => cloud.now <= end);
  const unsent = cloud.database.items('outbox').filter(({ status }) => status !== 'SENT').length;
  const wrong = people.filter((name) => greeted.get(name) !== 1).map((name) => `${name} was greeted ${greeted.get(name) ?? 0} times`);
  return { wrong: unsent > 0 ? [...wrong, `${unsent} rows are not sent`] : wrong, faults: cloud.faults.total, digest };
}

async function firstWrong(sabotage: Sabotage<Name>, seeds = 40): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { wrong } = await run(seed, { sabotage });
    if (wrong.length > 0) return wrong[0];
  }
  return undefined;
}

describe('a simulated application', () => {
  it('does what it does without faults', async () => {
    const { wrong, faults } = await run(1, { plan: { callRate: 0, deliveryRate: 0, kinds: new Set(), lastsMs: 0 } });
    expect({ wrong, faults }).toEqual({ wrong: [], faults: 0 });
  });

  it('loses nothing and does nothing twice, whatever is lost, refused, repeated or killed', async () => {
    let faults = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const result = await run(seed);
      expect({ seed, wrong: result.wrong }).toEqual({ seed, wrong: [] });
      faults += result.faults;
    }
    expect(faults).toBeGreaterThan(400);
  });

  it('does the same again for the same seed, and something else for another one', async () => {
    const [first, again, other] = [await run(7), await run(7), await run(8)];
    expect(again).toEqual(first);
    expect(other.digest).not.toBe(first.digest);
  });

  it.each<[string, Sabotage<Name>]>([
    [
      'a message that is handled without a condition',
      {
        name: 'unconditioned',
        what: 'every delivery greets',
        wrap: only(['greeter'], {
          database: (command, input, next) =>
            command === 'PutCommand'
              ? next({ ...input, Item: { ...input.Item, messageId: `${input.Item!['messageId'] as string}${Math.random()}` } })
              : next(input),
        }),
      },
    ],
    [
      'a message that is acknowledged before it is written',
      {
        name: 'acknowledged-first',
        what: 'the greeting is still on its way',
        wrap: (name, connections) => {
          if (name !== 'greeter') return connections;
          const send = (command: object): Promise<unknown> => {
            const sent = connections.database.send(command as never) as Promise<unknown>;
            if (!(command instanceof PutCommand)) return sent;
            sent.catch(() => undefined);
            return Promise.resolve({});
          };
          return { ...connections, database: { ...connections.database, send } as never };
        },
      },
    ],
    [
      'a message that is committed apart from what it tells',
      {
        name: 'two-transactions',
        what: 'state and message are written one after the other',
        wrap: only(['wave'], {
          database: onTransaction(async (items, next) => {
            for (const item of items) await next([item]);
            return {};
          }),
        }),
      },
    ],
    [
      'a row that is sent to nobody',
      {
        name: 'failed-is-sent',
        what: 'what SQS refuses counts as sent',
        wrap: only(['outbox-publisher', 'outbox-relay'], {
          queues: async (command, input, next) =>
            command === 'SendMessageBatchCommand' ? { ...(await next(input)), Failed: [] } : next(input),
        }),
      },
    ],
  ])('finds out %s', async (_what, sabotage) => {
    expect(await firstWrong(sabotage)).toMatch(/was greeted|not sent/);
  });
});
