import { createHash } from 'node:crypto';
import { routeOf } from '@outbox-saga/kit/messages/topology';
import { topology } from '../../lambdas/contract/routes.ts';
import type { Order } from '../../lambdas/contract/order.ts';
import { viewSortKey } from '../../lambdas/contract/tables.ts';
import type { Fields } from '@outbox-saga/kit/telemetry/telemetry';
import type { OutboxRow } from '@outbox-saga/kit/outbox/row';
import { envelopeOf, idOf } from './audit/bodies.ts';
import { Books, type SettlesWithin, type StoredOrder } from './audit/books.ts';
import { Outside, type Promises } from './audit/promises.ts';
import { Verdict } from './audit/verdict.ts';
import type { Cloud, Environment } from './cloud.ts';
import type { Site } from '@outbox-saga/testing/simulation/calls';
import { start } from '@outbox-saga/testing/simulation/cloud';
import { awaitedAt } from './coverage.ts';
import { stageDurations } from './environments.ts';
import type { Change } from '@outbox-saga/testing/simulation/database';
import type { Message } from '@outbox-saga/emulator/sqs/message';
import type { QueueInput } from '@outbox-saga/testing/simulation/ports';
import { originalOf } from '@outbox-saga/testing/simulation/versions';
import type { Workload } from './workload.ts';

interface Committed {
  readonly type: string;
  readonly aggregateId: string;
  readonly consumers: readonly string[];
}

/** Of one message that one queue took: the stream's own retries and a handful of resends. */
const mostCopies = 20;
/** What a listener that is down for weeks lacks is sent again every few hours: its queue forgets what it does not fetch. */
const copiesADay = 5;
/** The clocks of two environments may be this far apart. */
const skewMs = 10_000;

/** An order is given up after nine hours of asking. In a run that was disturbed for less than half of that somebody could have answered. */
const shortestExcuseMs = 4 * 3_600_000;

/** How the orders of a run ended: cancelled, ended by a deadline, or as they end without faults. */
export interface Ends {
  cancelled: number;
  timedOut: number;
  same: number;
}

/**
 * Watches a run from outside: the tables' changes, what queues took and gave, the providers' books, the log lines. It shares no code with
 * what it audits but the shapes of items, and it asks at every step what must always hold, and at the end what must have come of it.
 * What concerns messages is here; orders, money and stock are in `books`, and what people see is in `outside`.
 */
export class Auditor {
  readonly books: Books;
  readonly outside: Outside;
  readonly #verdict = new Verdict();
  readonly #cloud: Cloud;
  readonly #workload: Workload;
  readonly #committed = new Map<string, Committed>();
  /** `consumer messageId` of what was handled, dead-lettered, or destroyed by a fault. */
  readonly #handled = new Set<string>();
  /** `consumer messageId` of what a consumer could not handle at least once. */
  readonly #failed = new Set<string>();
  /** Ids of messages and requests that caused a committed message. */
  readonly #causes = new Set<string>();
  readonly #deadLettered = new Set<string>();
  readonly #destroyed = new Set<string>();
  /** `consumer messageId` → how often its queue took it. */
  readonly #sent = new Map<string, number>();
  /** Message id → how often a queue refused it as the sender's fault. */
  readonly #refusals = new Map<string, number>();
  /** Ids of rows that are gone. */
  readonly #expired = new Set<string>();
  /** Keys of what Powertools calls COMPLETED. */
  readonly #completed = new Set<unknown>();
  /** Bodies that the run itself threw into queues, and whose. */
  readonly poison = new Map<string, string>();

  constructor(cloud: Cloud, workload: Workload, settlesWithin: SettlesWithin) {
    this.#cloud = cloud;
    this.#workload = workload;
    this.books = new Books(cloud, workload, this.#verdict, settlesWithin);
    this.outside = new Outside(cloud, workload, this.#verdict);
  }

  get violations(): string[] {
    return this.#verdict.violations;
  }

  #demand(holds: boolean, what: () => string): void {
    this.#verdict.demand(holds, what);
  }

  /** Every change of every table, a transaction's together. */
  changed(changes: readonly Change[]): void {
    const rows = changes
      .filter(({ table, before, after }) => table === 'outbox' && !before && after)
      .map(({ after }) => after as unknown as OutboxRow);
    for (const row of rows) this.#commit(row);
    for (const change of changes) {
      if (change.table === 'orders') {
        this.books.orderChanged(change, rows);
        const [was, is] = [change.before, change.after] as unknown as (StoredOrder | undefined)[];
        if (was?.openShard !== undefined && is && is.openShard === undefined) this.outside.closed(is.orderId);
      }
      if (change.table === 'inventory') this.books.stockChanged(change);
      if (change.table === 'outbox') this.#rowChanged(change);
      if (change.table === 'idempotency' && change.after?.['status'] === 'COMPLETED') this.#completed.add(change.after['id']);
      if (change.table === 'notifications') this.outside.notified(change);
      if (change.table === 'orderView') this.books.viewChanged(change);
    }
  }

  #commit(row: OutboxRow): void {
    const { type, aggregateId, causationId } = envelopeOf(row.body);
    this.#causes.add(causationId);
    // The end of an order is told again when its row is gone before everybody has heard of it.
    const again = this.#expired.has(row.messageId);
    this.#demand(again || !this.#committed.has(row.messageId), () => `message id ${row.messageId} was used twice`);
    const consumers = routeOf(topology, originalOf(type))?.consumers ?? [];
    this.#committed.set(row.messageId, { type: originalOf(type), aggregateId, consumers });
  }

  #rowChanged({ before, after }: Change): void {
    if (before && !after) this.#expired.add(before['messageId'] as string);
    if (!before || !after) return;
    const row = after as unknown as OutboxRow;
    const was = before as unknown as OutboxRow;
    if (row.status === 'SENT' && was.status !== 'SENT') {
      for (const consumer of this.#committed.get(row.messageId)?.consumers ?? []) {
        this.#demand(
          this.#sent.has(`${consumer} ${row.messageId}`),
          () => `row ${row.messageId} is SENT, but ${consumer}'s queue never took it`,
        );
      }
    }
    if (row.status === 'SENDING' && was.status === 'FAILED') {
      this.#demand(
        this.#cloud.now >= was.attentionAt! - skewMs,
        () => `row ${row.messageId} was due at ${was.attentionAt}, and was relayed ${(was.attentionAt! - this.#cloud.now) / 1000} s before`,
      );
    }
    if (row.status === 'DEAD' && was.status !== 'DEAD') {
      const refusals = this.#refusals.get(row.messageId) ?? 0;
      const { maxAttempts } = stageDurations.relay;
      this.#demand(refusals >= maxAttempts, () => `row ${row.messageId} is DEAD after ${refusals} refusals: ${row.lastError}`);
    }
  }

  /** A call that is about to be carried out. */
  called({ name, unanswered }: Environment, { service, operation }: Site, input: unknown): void {
    if (service !== 'sqs') return;
    const { QueueUrl, Entries = [], MessageBody = '', MessageAttributes = {} } = input as QueueInput;
    if (operation === 'SendMessageBatch') for (const entry of Entries) this.#sends(name, QueueUrl, entry.MessageBody, unanswered > 0);
    if (operation === 'SendMessage') {
      const reason = JSON.parse(MessageAttributes['failure']?.StringValue ?? '{}') as {
        class?: string;
        error?: string;
        fingerprint?: string;
        firstFailedAt?: number;
      };
      this.#demand(Boolean(reason.class && reason.error && reason.fingerprint), () => `a dead letter of ${name} has no reason`);
      this.#deadLettered.add(`${name} ${idOf(MessageBody)}`);
      this.#givenUp(name, MessageBody, reason.error);
    }
  }

  #sends(name: string, url: string, body: string, late: boolean): void {
    const { messageId, aggregateId } = envelopeOf(body);
    const row = this.#cloud.database.find('outbox', { aggregateId, messageId }) as OutboxRow | undefined;
    this.#demand(this.#committed.has(messageId), () => `${name} sends ${messageId} to ${url}, which nobody committed`);
    // SENT: the stream was faster, between the claim and now. Late: the relay has given the call up meanwhile.
    if (row && name === 'outbox-relay' && !late)
      this.#demand(
        row.status === 'SENDING' || row.status === 'SENT',
        () => `the relay sends ${messageId} without having claimed it (${row.status})`,
      );
  }

  /** A message of a newer version, or of a type that is not known yet, waits for the code that reads it, for as long as a failure of another kind. */
  #givenUp(consumer: string, body: string, error: string | undefined): void {
    if (this.poison.has(body) || !body.startsWith('{')) return;
    const { messageId, type, version, occurredAt } = envelopeOf(body);
    if (!this.#committed.has(messageId) || (version === 1 && originalOf(type) === type)) return;
    const waited = (this.#cloud.now - occurredAt) / 1000;
    this.#demand(
      waited >= stageDurations.retry.windowSeconds,
      () => `${consumer} gave up ${type} version ${version} after ${waited} s, in the middle of a deployment: ${error}`,
    );
  }

  sent(url: string, bodies: readonly string[]): void {
    for (const body of bodies) {
      const pair = `${url.slice('queue:'.length)} ${idOf(body)}`;
      const copies = (this.#sent.get(pair) ?? 0) + 1;
      this.#sent.set(pair, copies);
      const most = mostCopies + copiesADay * Math.floor((this.#cloud.now - start) / 86_400_000);
      this.#demand(copies <= most, () => `${pair} was sent ${copies} times: a consumer that comes back meets a stampede`);
    }
  }

  refused(bodies: readonly string[]): void {
    for (const id of bodies.map(idOf)) this.#refusals.set(id, (this.#refusals.get(id) ?? 0) + 1);
  }

  /** A log line of a consumer says what became of a message. */
  line({ name }: Environment, level: string, message: string, fields: Fields): void {
    if (message !== 'message') return;
    const messageId = String(fields['messageId']);
    const pair = `${name} ${messageId}`;
    if (level !== 'info') return void this.#failed.add(pair);
    const outcome = String(fields['outcome']);
    const wrapped = topology.consumers[name as keyof typeof topology.consumers].idempotent;
    if (outcome === 'duplicate' && wrapped) {
      // An environment may die between the last write and its log line.
      const done = this.#causes.has(messageId) || !this.#failed.has(pair) || this.#isLate(messageId);
      const died = done && this.#completed.has(idempotencyKey(name, messageId));
      this.#demand(this.#handled.has(pair) || died, () => `${name} took ${messageId} for a duplicate, but never handled it`);
    }
    // Whoever answers or moves an order says that it did only once that is committed.
    if (wrapped && !/^(duplicate|superseded|ignored)/.test(outcome)) {
      this.#demand(this.#causes.has(messageId), () => `${pair} was handled (${outcome}), but nothing of it is committed`);
    }
    if (name === 'order-saga' && outcome.startsWith('ignored')) {
      const { type, aggregateId } = this.#committed.get(messageId)!;
      const order = this.#order(aggregateId);
      this.#demand(order?.step !== awaitedAt[type], () => `order-saga ignored ${type} ${messageId}, which its order waits for`);
    }
    if (name === 'order-view') this.#shown(messageId, outcome);
    this.#handled.add(pair);
  }

  /** The view that heard of a change is at least at that change. */
  #shown(messageId: string, outcome: string): void {
    const { aggregateId } = this.#committed.get(messageId)!;
    const row = this.#cloud.database.find('outbox', { aggregateId, messageId });
    const order = this.#order(aggregateId);
    if (!row || !order) return;
    const { sequence = 0 } = envelopeOf(row['body'] as string);
    const key = { customerId: order.customerId, placedOrder: viewSortKey(order.placedAt, order.orderId) };
    const at = Number(this.#cloud.database.find('orderView', key)?.['sequence'] ?? 0);
    this.#demand(at >= sequence, () => `order-view is done with change ${sequence} of ${aggregateId} (${outcome}), and shows ${at}`);
  }

  #order(orderId: string): Order | undefined {
    return this.#cloud.database.find('orders', { orderId }) as Order | undefined;
  }

  /** An answer that its order does not wait for needs no commit, and neither does a request that was taken over by its undo. */
  #isLate(messageId: string): boolean {
    const { type, aggregateId } = this.#committed.get(messageId)!;
    const effect = type === 'PaymentRequested' ? 'payments' : type === 'ShipmentRequested' ? 'shipments' : undefined;
    if (effect) {
      const status = this.#cloud.database.find(effect, { orderId: aggregateId })?.['status'] as string | undefined;
      return status !== undefined && !['CAPTURING', 'ARRANGING'].includes(status);
    }
    return awaitedAt[type] !== undefined && this.#order(aggregateId)?.step !== awaitedAt[type];
  }

  received(consumer: string, messages: readonly Message[]): void {
    for (const { body } of messages) {
      if (this.poison.has(body)) continue;
      const id = idOf(body);
      this.#demand(this.#committed.has(id), () => `${consumer} got ${id}, which was never committed`);
      this.#demand(
        this.#committed.get(id)?.consumers.includes(consumer) ?? true,
        () => `${consumer} got a ${this.#committed.get(id)!.type}`,
      );
    }
  }

  acknowledged(consumer: string, { body }: Message): void {
    const pair = `${consumer} ${idOf(body)}`;
    this.#demand(
      this.#handled.has(pair) || this.#deadLettered.has(pair),
      () => `${consumer} acknowledged ${idOf(body)} without having handled it`,
    );
  }

  /** SQS itself gave a message up, whose consumer died or never began each time: it has no reason but its count. */
  redriven(consumer: string, { body, receives }: Message): void {
    const { maxReceiveCount } = topology.consumers[consumer as keyof typeof topology.consumers];
    this.#demand(receives >= maxReceiveCount, () => `${consumer}: SQS gave up a message after ${receives} receives`);
    this.#deadLettered.add(`${consumer} ${idOf(body)}`);
  }

  /** A fault of the run, or the time that a queue keeps messages, destroyed a message on its way. */
  destroyed(consumer: string, messageId: string): void {
    this.#destroyed.add(`${consumer} ${messageId}`);
  }

  unstreamed({ after }: Change): void {
    const { messageId } = after as unknown as OutboxRow;
    for (const consumer of this.#committed.get(messageId)!.consumers) this.destroyed(consumer, messageId);
  }

  /** What must have come of it, once nothing happens any more. */
  audit(promises: Promises): void {
    this.books.audit(promises);
    this.outside.audit(promises);
    for (const [messageId, { type, consumers: of }] of this.#committed) {
      for (const consumer of of) {
        const pair = `${consumer} ${messageId}`;
        const reached = this.#handled.has(pair) || this.#deadLettered.has(pair) || this.#destroyed.has(pair);
        this.#demand(reached, () => `${type} ${messageId} was committed and never reached ${consumer}`);
      }
    }
    for (const [body, consumer] of this.poison) {
      const pair = `${consumer} ${idOf(body)}`;
      this.#demand(
        this.#deadLettered.has(pair) || this.#destroyed.has(pair),
        () => `a poison message never got to a dead-letter queue: ${body}`,
      );
    }
  }

  /** Without faults nothing is given up, and every order ends as it should. */
  auditFaultless(promises: Promises): void {
    const outcomes = this.outcomes(promises);
    for (const { name, expected, refusable } of this.#workload.orders) {
      const outcome = outcomes.get(name);
      if (expected !== 'contended' && !(refusable && outcome === undefined))
        this.#demand(outcome === expected, () => `without any fault ${name} ends ${outcome}, not ${expected}`);
    }
    for (const pair of this.#deadLettered) this.#verdict.violate(`without any fault there is a dead letter: ${pair}`);
  }

  /** The end that each planned order had: its failure code, or its status. */
  outcomes({ accepted }: Promises): Map<string, string> {
    const outcomes = new Map<string, string>();
    for (const [orderId, name] of accepted) {
      const order = this.#order(orderId);
      outcomes.set(name, order?.failure?.code && order.status === 'FAILED' ? order.failure.code : (order?.status ?? 'gone'));
    }
    return outcomes;
  }

  /** The end of a run against that of the same workload without faults. Who of those that compete for one unit gets it is anyone's. */
  compare(promises: Promises, faultless: ReadonlyMap<string, string>, disturbedMs: number): Ends {
    const outcomes = this.outcomes(promises);
    const ends: Ends = { cancelled: 0, timedOut: 0, same: 0 };
    let contended = 0;
    let free = true;
    for (const { name, expected } of this.#workload.orders) {
      const outcome = outcomes.get(name);
      const stopped = outcome === 'CANCELLED' || outcome === 'TIMED_OUT';
      if (outcome === 'CANCELLED') ends.cancelled++;
      if (outcome === 'TIMED_OUT') {
        ends.timedOut++;
        this.#demand(
          disturbedMs > shortestExcuseMs,
          () => `${name} was given up, though nothing was disturbed for longer than ${disturbedMs / 60_000} minutes`,
        );
      }
      if (expected === 'contended') {
        if (stopped) free = false;
        else if (outcome === 'CONFIRMED') contended++;
        else this.#demand(outcome === 'OUT_OF_STOCK', () => `${name} ended ${outcome}; it competes for stock and nothing else`);
        if (!stopped) ends.same++;
      } else if (!stopped) {
        this.#demand(outcome === faultless.get(name), () => `${name} ended ${outcome}; without faults it ends ${faultless.get(name)}`);
        ends.same++;
      }
    }
    const { contendedUnits } = this.#workload;
    this.#demand(
      free ? contended === contendedUnits : contended <= contendedUnits,
      () => `${contended} contended orders were confirmed; there were ${contendedUnits} units`,
    );
    return ends;
  }
}

/** The key under which Powertools stores what became of a message at a consumer. */
function idempotencyKey(consumer: string, messageId: string): string {
  return `${consumer}#${createHash('sha256').update(JSON.stringify(messageId)).digest('base64')}`;
}
