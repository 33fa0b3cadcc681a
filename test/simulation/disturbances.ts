import { encodeEnvelope } from '@outbox-saga/kit/messages/envelope';
import { groupIdOf, orderIdOf, orderSteps, type OrderStep } from '../../lambdas/contract/order.ts';
import { idOf } from './audit/bodies.ts';
import type { Auditor } from './auditor.ts';
import type { Cloud } from './cloud.ts';
import { consumers, type SimulatedFunction } from './environments.ts';
import { deadLetterUrl, queueUrl } from '@outbox-saga/testing/simulation/queue-names';
import { profileOf, type Profile, type TimedFault } from './faults.ts';
import type { Change } from '@outbox-saga/testing/simulation/database';
import type { Message } from '@outbox-saga/emulator/sqs/message';
import { outageModes } from '@outbox-saga/testing/simulation/outages';
import type { People } from './people.ts';
import type { QueueSource, StreamSource } from '@outbox-saga/testing/simulation/sources';
import { asNewCodeReads, asNewCodeSays } from '@outbox-saga/testing/simulation/versions';
import type { Workload } from './workload.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Consumers that only want to know; nobody may have to wait for them. */
const listeners = ['notification', 'order-view'];
const participants = consumers.filter((consumer) => !listeners.includes(consumer));
const listenersTable: Readonly<Record<string, string>> = { notification: 'notifications', 'order-view': 'orderView' };
const sharedTables = ['orders', 'outbox', 'inventory', 'payments', 'shipments', 'idempotency'];

export interface Surroundings {
  readonly seed: number;
  readonly cloud: Cloud;
  readonly auditor: Auditor;
  readonly workload: Workload;
  readonly people: People;
  readonly sources: ReadonlyMap<string, QueueSource<SimulatedFunction>>;
  readonly stream: StreamSource<SimulatedFunction>;
}

/** What happens to a run as a whole: what is down, wiped, delayed, comes back after weeks. */
export class Disturbances {
  /** When the last of them is over. */
  until = 0;
  /** What happens once everything is quiet: days later, one after the other. */
  readonly epilogues: (() => void)[] = [];
  readonly #of: Surroundings;
  readonly #profile: Profile;
  /** Bodies that were delivered, for their return weeks later. */
  readonly #delivered: { readonly consumer: string; readonly body: string }[] = [];
  /** `order step` → what is to happen when the order reaches it. */
  readonly #onStep = new Map<string, (() => void)[]>();

  constructor(of: Surroundings) {
    this.#of = of;
    this.#profile = profileOf(of.seed);
    const { plan } = of.cloud.faults;
    this.until = of.cloud.now + plan.lastsMs;
    for (const kind of plan.kinds) this.#plan(kind as TimedFault);
  }

  #endOf(lastsMs: number): number {
    const until = this.#of.cloud.now + lastsMs;
    this.until = Math.max(this.until, until);
    return until;
  }

  /** How long something is down that orders need: rarely for so long that they are given up. */
  #outage(): number {
    const { random } = this.#of.cloud;
    if (this.#profile === 'days' && random.chance(0.3)) return this.#endOf(random.int(9, 30) * hour);
    return this.#endOf(random.chance(0.03) ? random.int(9, 20) * hour : random.pick([random.int(1, 30) * minute, random.int(1, 5) * hour]));
  }

  /** How long something is down that only listeners need. */
  #listenersOutage(): number {
    const { random } = this.#of.cloud;
    if (this.#profile === 'weeks') return this.#endOf(random.pick([random.int(5, 12), 33]) * day);
    if (this.#profile === 'listener') return this.#endOf(random.int(50, 150) * minute);
    return this.#endOf(random.pick([random.int(1, 30) * minute, random.int(1, 9) * hour, random.int(1, 40) * hour]));
  }

  #plan(kind: TimedFault): void {
    const { cloud, auditor, workload, sources, stream, people } = this.#of;
    const { scheduler, random, faults, database, queues, outages } = cloud;
    const at = (run: () => void, latestMs = 10 * minute): void => scheduler.after(random.int(0, latestMs), run);
    const calm = this.#profile === 'listener';
    const down = (target: string, until: number): void => outages.begin(target, until, random.pick(outageModes));
    const listening = calm || this.#profile === 'weeks' || random.chance(0.5);
    const consumer = random.pick(listening ? listeners : participants);
    const outage = (): number => (listening ? this.#listenersOutage() : this.#outage());
    switch (kind) {
      case 'consumer-outage':
        return at(
          () => {
            faults.strike(kind, consumer);
            sources.get(consumer)!.downUntil = outage();
          },
          calm ? 0 : 10 * minute,
        );
      case 'queue-outage':
        return at(
          () => {
            faults.strike(kind, consumer);
            down(queueUrl(consumer), outage());
          },
          calm ? 0 : 10 * minute,
        );
      case 'table-outage':
        return at(
          () => {
            const table = listening ? listenersTable[consumer]! : random.pick(sharedTables);
            faults.strike(kind, table);
            outages.begin(table, outage(), random.pick(['fails', 'hangs'] as const));
          },
          calm ? 0 : 10 * minute,
        );
      case 'provider-outage':
        return at(() => {
          faults.strike(kind, 'providers');
          outages.begin('providers', this.#outage(), random.pick(['fails', 'hangs'] as const));
        });
      case 'mailer-outage':
        if (!workload.features.has('mail')) return;
        return at(() => {
          faults.strike(kind, 'mailer');
          outages.begin('mailer', this.#listenersOutage(), random.pick(['fails', 'hangs'] as const));
        }, minute);
      case 'stream-outage':
        return at(() => {
          faults.strike(kind, 'outbox');
          stream.downUntil = random.chance(0.1) ? this.#endOf(random.int(25, 40) * hour) : this.#outage();
        });
      case 'queue-wiped':
        return at(() => {
          faults.strike(kind, consumer);
          for (const { body } of queues.purge(queueUrl(consumer))) auditor.destroyed(consumer, idOf(body));
        });
      case 'message-lost':
        for (let i = 0; i < 3; i++)
          at(
            () => {
              const url = queueUrl(random.pick(participants));
              cloud.losing.set(url, kind);
            },
            calm ? 3000 : 10 * minute,
          );
        return;
      case 'stale-index':
        for (let i = 0; i < 3; i++) {
          at(() => {
            const table = random.pick(['orders', 'outbox']);
            faults.strike(kind, table);
            const lag = random.chance(0.2) ? random.int(10, 120) * minute : random.int(1, 300) * 1000;
            database.freezeIndexes(table, cloud.now + lag);
          }, hour);
        }
        return;
      // A matter of each read.
      case 'stale-read':
        return;
      case 'clock-skew':
      case 'clock-ticks':
        return faults.strike(kind, 'all environments');
      case 'newer-version':
        return at(() => this.#deploy());
      case 'cancel':
        for (const order of random.shuffle(workload.orders).slice(0, random.int(1, 5))) {
          // At a step rather than at a time: the races are then and there.
          const orderId = orderIdOf(order.customerId, order.name);
          for (const step of random.shuffle(orderSteps).slice(0, random.int(1, 3)))
            this.#whenAt(orderId, step, () => scheduler.after(random.int(0, 120), () => people.cancel(order)));
        }
        return;
      case 'poison':
        for (let i = 0; i < 3; i++) at(() => this.#poison());
        return;
      case 'late-duplicate':
        for (const order of workload.orders) {
          const orderId = orderIdOf(order.customerId, order.name);
          for (const step of random.shuffle(orderSteps).slice(0, 3)) this.#whenAt(orderId, step, () => this.#repeatReplies(orderId));
        }
        this.epilogues.push(() => this.repeatOld());
        return;
      case 'redrive':
        this.epilogues.push(() => {
          faults.strike(kind, 'all dead-letter queues');
          for (const to of consumers) {
            for (const { body } of queues.purge(deadLetterUrl(to))) if (!auditor.poison.has(body)) this.#deliver(to, asNewCodeReads(body));
          }
        });
    }
  }

  /**
   * A deployment: some senders are of the new code already, and say things that the publisher and the consumers do not understand yet. Then
   * those are new as well, and read what is left.
   */
  #deploy(): void {
    const { cloud, auditor } = this.#of;
    const { random, faults, database, queues, scheduler } = cloud;
    const until = this.#endOf(random.pick([random.int(5, 60) * minute, random.int(1, 5) * hour]));
    cloud.say = (body) => {
      if (!random.chance(0.2)) return body;
      faults.strike('newer-version', idOf(body));
      return asNewCodeSays(body, random.pick(['version', 'type']));
    };
    scheduler.at(until, () => {
      cloud.say = undefined;
      cloud.deployed = true;
      for (const row of database.items('outbox')) {
        const body = asNewCodeReads(row['body'] as string);
        if (body !== row['body']) database.replace('outbox', { ...row, body });
      }
      const read = (message: Message): void => {
        if (!auditor.poison.has(message.body)) Object.assign(message, { body: asNewCodeReads(message.body) });
      };
      for (const consumer of consumers) {
        queues.messages(queueUrl(consumer)).forEach(read);
        queues.messages(deadLetterUrl(consumer)).forEach(read);
      }
    });
  }

  received(consumer: string, messages: readonly Message[]): void {
    for (const { body } of messages)
      if (this.#delivered.length < 1000 && !this.#of.auditor.poison.has(body)) this.#delivered.push({ consumer, body });
  }

  reached({ after }: Change): void {
    const key = `${after!['orderId'] as string} ${after!['step'] as string}`;
    for (const run of this.#onStep.get(key) ?? []) run();
    this.#onStep.delete(key);
  }

  #whenAt(orderId: string, step: OrderStep, run: () => void): void {
    const key = `${orderId} ${step}`;
    this.#onStep.set(key, [...(this.#onStep.get(key) ?? []), run]);
  }

  /** The latest answers come to the saga once more, at a step that waits for another one. */
  #repeatReplies(orderId: string): void {
    const { faults, scheduler } = this.#of.cloud;
    const answers = this.#delivered.filter(({ consumer, body }) => consumer === 'order-saga' && body.includes(orderId));
    if (answers.length === 0) return;
    faults.strike('late-duplicate', orderId);
    for (const { body } of answers.slice(-5)) scheduler.after(1, () => this.#deliver('order-saga', body));
  }

  /** Messages that were handled long ago come once more. */
  repeatOld(): void {
    const { faults, random } = this.#of.cloud;
    for (const { consumer, body } of random.shuffle(this.#delivered).slice(0, 10)) {
      faults.strike('late-duplicate', consumer);
      this.#deliver(consumer, body);
    }
  }

  #deliver(consumer: string, body: string): void {
    const { cloud, sources } = this.#of;
    const MessageBody = cloud.deployed ? asNewCodeReads(body) : body;
    cloud.queues.execute('SendMessage', { QueueUrl: queueUrl(consumer), MessageBody });
    sources.get(consumer)!.wake();
  }

  #poison(): void {
    const { cloud, auditor } = this.#of;
    const { random, faults, now } = cloud;
    const consumer = random.pick(consumers);
    const message = {
      messageId: `00000000000000000000000${random.int(100, 999)}`,
      type: 'StockReleased',
      version: 1,
      kind: 'event',
      aggregateId: 'ord_NOBODY',
      groupId: groupIdOf('nobody'),
      correlationId: 'poison',
      causationId: 'poison',
      occurredAt: now,
      data: {},
    } as const;
    const body = random.pick([
      `not JSON ${random.next()}`,
      encodeEnvelope({ ...message, type: 'NeverHeardOf' }),
      encodeEnvelope({ ...message, version: 99 }),
      encodeEnvelope({ ...message, type: 'PaymentCaptured', data: { amount: 'much' } }),
      JSON.stringify({ ...message, messageId: 7 }),
    ]);
    if (auditor.poison.has(body)) return;
    faults.strike('poison', consumer);
    auditor.poison.set(body, consumer);
    this.#deliver(consumer, body);
  }
}
