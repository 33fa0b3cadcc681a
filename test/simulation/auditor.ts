import { createHash } from 'node:crypto';
import { routeOf } from '../../lambdas/contract/core/routing.ts';
import type { Envelope } from '../../lambdas/contract/core/envelope.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import type { Order } from '../../lambdas/contract/order.ts';
import { inventoryKey, viewSortKey } from '../../lambdas/contract/tables.ts';
import type { Fields } from '../../lambdas/kit/telemetry.ts';
import type { OutboxRow } from '../../lambdas/kit/outbox.ts';
import type { Cloud, Environment, Site } from './cloud.ts';
import { awaitedAt } from './coverage.ts';
import { stageDurations } from './environments.ts';
import type { Change } from './memory/database.ts';
import type { Message, QueueInput } from './memory/queues.ts';
import type { Entry } from './providers.ts';
import type { Workload } from './workload.ts';

interface Committed {
  readonly type: string;
  readonly aggregateId: string;
  readonly consumers: readonly string[];
}

interface StockItem {
  readonly pk: string;
  readonly available: number;
  readonly reserved: number;
}

type View = { readonly sequence: number; readonly status: string; readonly total: number; readonly orderId: string };

/** Of one message to one consumer, in the longest outage: the stream's own retries and a handful of resends. */
const mostCopies = 40;

/** How the orders of a run ended: cancelled, ended by a deadline, or as they end without faults. */
export interface Ends {
  cancelled: number;
  timedOut: number;
  same: number;
}

/** What a customer was promised: the answers that the API gave, as the client saw them. */
export interface Promises {
  /** Orders whose cancellation was accepted. */
  readonly cancelled: ReadonlySet<string>;
  /** Order id → name of the planned order. */
  readonly accepted: ReadonlyMap<string, string>;
}

/**
 * Watches a run from outside: the tables' changes, what queues took and gave, the providers' books, the log lines. It shares no code with
 * what it audits but the shapes of items, and it asks at every step what must always hold, and at the end what must have come of it.
 */
export class Auditor {
  readonly violations: string[] = [];
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
  /** `consumer messageId` → how often it was given to a queue. */
  readonly #sent = new Map<string, number>();
  /** Order → version → status. */
  readonly #history = new Map<string, string[]>();
  readonly #lowest = new Map<string, number>();
  /** Keys of what Powertools calls COMPLETED. */
  readonly #completed = new Set<unknown>();
  /** Bodies that the run itself threw into queues, and whose. */
  readonly poison = new Map<string, string>();

  constructor(cloud: Cloud, workload: Workload) {
    this.#cloud = cloud;
    this.#workload = workload;
    for (const [sku, units] of workload.stock) this.#lowest.set(sku, units);
  }

  #violate(what: string): void {
    if (this.violations.length < 20) this.violations.push(what);
  }

  #demand(holds: boolean, what: () => string): void {
    if (!holds) this.#violate(what());
  }

  /** Every change of every table, a transaction's together. */
  changed(changes: readonly Change[]): void {
    const rows = changes
      .filter(({ table, before, after }) => table === 'outbox' && !before && after)
      .map(({ after }) => after as unknown as OutboxRow);
    for (const row of rows) this.#commit(row);
    for (const change of changes) {
      if (change.table === 'orders') this.#orderChanged(change, rows);
      if (change.table === 'inventory') this.#stockChanged(change);
      if (change.table === 'outbox') this.#rowChanged(change);
      if (change.table === 'idempotency' && change.after?.['status'] === 'COMPLETED') this.#completed.add(change.after['id']);
      if (change.table === 'notifications') this.#notified(change);
      if (change.table === 'orderView') this.#viewChanged(change);
    }
  }

  #commit(row: OutboxRow): void {
    const { type, aggregateId, causationId } = JSON.parse(row.body) as Envelope;
    this.#causes.add(causationId);
    this.#demand(!this.#committed.has(row.messageId), () => `message id ${row.messageId} was used twice`);
    this.#committed.set(row.messageId, { type, aggregateId, consumers: routeOf(topology, type)?.consumers ?? [] });
  }

  #orderChanged({ before, after }: Change, rows: readonly OutboxRow[]): void {
    const [was, is] = [before as Order | undefined, after as Order | undefined];
    if (!is) return this.#violate(`order ${was!.orderId} was deleted`);
    const said = rows.filter(
      ({ aggregateId, body }) => aggregateId === is.orderId && (JSON.parse(body) as Envelope).sequence !== undefined,
    );
    if (was?.version === is.version) {
      const silent = was.status === is.status && was.step === is.step && said.length === 0;
      return this.#demand(silent, () => `order ${is.orderId} changed without a version`);
    }
    this.#demand(
      is.version === (was?.version ?? 0) + 1,
      () => `order ${is.orderId} went from version ${was?.version ?? 0} to ${is.version}`,
    );
    this.#demand(
      said.length === 1 && (JSON.parse(said[0]!.body) as Envelope).sequence === is.version,
      () => `version ${is.version} of order ${is.orderId} came with ${said.length} messages of that sequence`,
    );
    this.#demand(
      !was || was.step !== 'SETTLED',
      () => `settled order ${is.orderId} (${was!.status}) moved on to ${is.step} (${is.status})`,
    );
    const history = this.#history.get(is.orderId) ?? [];
    history[is.version] = is.status;
    this.#history.set(is.orderId, history);
  }

  #stockChanged({ after }: Change): void {
    const item = after as unknown as StockItem;
    const sku = item.pk.startsWith('sku#') ? item.pk.slice(4) : undefined;
    if (sku !== undefined) {
      const units = this.#workload.stock.get(sku) ?? 0;
      this.#demand(
        item.available >= 0 && item.reserved >= 0,
        () => `stock of ${sku} is negative: ${item.available} available, ${item.reserved} reserved`,
      );
      this.#demand(item.available + item.reserved === units, () => `stock of ${sku}: ${item.available} + ${item.reserved} is not ${units}`);
      this.#lowest.set(sku, Math.min(this.#lowest.get(sku) ?? units, item.available));
      return;
    }
    const reservation = after as unknown as { pk: string; status: string; shortages?: readonly { sku: string; asked: number }[] };
    for (const { sku: short, asked } of reservation.status === 'REJECTED' ? (reservation.shortages ?? []) : []) {
      const lowest = this.#lowest.get(short) ?? 0;
      this.#demand(
        lowest < asked,
        () => `${reservation.pk} was refused ${asked} of ${short}, of which there were never less than ${lowest}`,
      );
    }
  }

  #rowChanged({ before, after }: Change): void {
    if (!before || !after) return;
    const row = after as unknown as OutboxRow;
    if (row.status === 'SENT' && before['status'] !== 'SENT') {
      for (const consumer of this.#committed.get(row.messageId)?.consumers ?? []) {
        this.#demand(
          this.#sent.has(`${consumer} ${row.messageId}`),
          () => `row ${row.messageId} is SENT, but ${consumer}'s queue never took it`,
        );
      }
    }
    if (row.status === 'DEAD')
      this.#demand(
        (row.attempts ?? 0) >= stageDurations.relay.maxAttempts,
        () => `row ${row.messageId} is DEAD after ${row.attempts} attempts`,
      );
  }

  #notified({ before, after }: Change): void {
    const record = after as unknown as { orderId: string; outcome: string };
    this.#demand(!before, () => `order ${record.orderId} was notified twice`);
    const order = this.#cloud.database.find('orders', { orderId: record.orderId }) as Order | undefined;
    const expected = `Order${(order?.status ?? 'nothing').toLowerCase()}`;
    this.#demand(
      record.outcome.toLowerCase() === expected.toLowerCase(),
      () => `order ${record.orderId} is ${order?.status}, its notification says ${record.outcome}`,
    );
  }

  #viewChanged({ before, after }: Change): void {
    const [was, is] = [before as View | undefined, after as unknown as View];
    this.#demand(is.sequence > (was?.sequence ?? 0), () => `view of ${is.orderId} went from ${was?.sequence} to ${is.sequence}`);
    const status = this.#history.get(is.orderId)?.[is.sequence];
    this.#demand(status === is.status, () => `view of ${is.orderId} at ${is.sequence} says ${is.status}, the order was ${status}`);
  }

  /** A call that is about to be carried out. */
  called({ name }: Environment, { service, operation }: Site, input: unknown): void {
    if (service !== 'sqs') return;
    const { QueueUrl, Entries = [] } = input as QueueInput;
    if (operation === 'SendMessageBatch') {
      for (const { MessageBody } of Entries) {
        const { messageId, aggregateId } = JSON.parse(MessageBody) as Envelope;
        const row = this.#cloud.database.find('outbox', { aggregateId, messageId }) as OutboxRow | undefined;
        this.#demand(row !== undefined, () => `${name} sends ${messageId}, which nobody committed`);
        if (row && name === 'outbox-relay') {
          // SENT: the stream was faster, between the claim and now.
          this.#demand(
            row.status === 'SENDING' || row.status === 'SENT',
            () => `the relay sends ${messageId} without having claimed it (${row.status})`,
          );
        }
        const pair = `${QueueUrl.slice('queue:'.length)} ${messageId}`;
        const copies = (this.#sent.get(pair) ?? 0) + 1;
        this.#sent.set(pair, copies);
        this.#demand(copies <= mostCopies, () => `${pair} was sent ${copies} times: a consumer that comes back meets a stampede`);
      }
    }
    if (operation === 'SendMessage') {
      const { MessageBody = '', MessageAttributes = {} } = input as QueueInput;
      const reason = JSON.parse(MessageAttributes['failure']?.StringValue ?? '{}') as {
        class?: string;
        error?: string;
        fingerprint?: string;
      };
      this.#demand(Boolean(reason.class && reason.error && reason.fingerprint), () => `a dead letter of ${name} has no reason`);
      this.#deadLettered.add(`${name} ${idOf(MessageBody)}`);
    }
  }

  /** A log line of a consumer says what became of a message. */
  line({ name }: Environment, level: string, message: string, fields: Fields): void {
    if (message !== 'message') return;
    const pair = `${name} ${String(fields['messageId'])}`;
    if (level !== 'info') return void this.#failed.add(pair);
    const wrapped = topology.consumers[name as keyof typeof topology.consumers].idempotent;
    if (fields['outcome'] === 'duplicate' && wrapped) {
      // An environment may die between the last write and its log line.
      const messageId = String(fields['messageId']);
      const done = this.#causes.has(messageId) || !this.#failed.has(pair) || this.#isLate(messageId);
      const died = done && this.#completed.has(idempotencyKey(name, messageId));
      this.#demand(
        this.#handled.has(pair) || died,
        () => `${name} took ${String(fields['messageId'])} for a duplicate, but never handled it`,
      );
    }
    // Whoever answers or moves an order says that it did only once that is committed.
    if (wrapped && !/^(duplicate|superseded|ignored)/.test(String(fields['outcome']))) {
      const outcome = String(fields['outcome']);
      this.#demand(this.#causes.has(String(fields['messageId'])), () => `${pair} was handled (${outcome}), but nothing of it is committed`);
    }
    this.#handled.add(pair);
  }

  /** An answer that its order does not wait for needs no commit, and neither does a request that was taken over by its undo. */
  #isLate(messageId: string): boolean {
    const { type, aggregateId } = this.#committed.get(messageId)!;
    const effect = type === 'PaymentRequested' ? 'payments' : type === 'ShipmentRequested' ? 'shipments' : undefined;
    if (effect) {
      const status = this.#cloud.database.find(effect, { orderId: aggregateId })?.['status'] as string | undefined;
      return status !== undefined && !['CAPTURING', 'ARRANGING'].includes(status);
    }
    const order = this.#cloud.database.find('orders', { orderId: aggregateId }) as Order | undefined;
    return awaitedAt[type] !== undefined && order?.step !== awaitedAt[type];
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

  /** A fault of the run destroyed a message on its way. */
  destroyed(consumer: string, messageId: string): void {
    this.#destroyed.add(`${consumer} ${messageId}`);
  }

  unstreamed({ after }: Change): void {
    const { messageId } = after as unknown as OutboxRow;
    for (const consumer of this.#committed.get(messageId)!.consumers) this.destroyed(consumer, messageId);
  }

  entered({ kind, orderId, amount }: Entry): void {
    const order = this.#cloud.database.find('orders', { orderId }) as Order | undefined;
    const of = this.#cloud.providers.books.filter((entry) => entry.orderId === orderId && entry.kind === kind);
    this.#demand(of.length === 1, () => `order ${orderId}: ${kind} happened ${of.length} times`);
    if (amount !== undefined)
      this.#demand(amount === order?.total, () => `order ${orderId}: ${kind} of ${amount}, its total is ${order?.total}`);
    const undoes = kind === 'refund' ? 'capture' : kind === 'call-off' ? 'shipment' : undefined;
    if (undoes) {
      const done = this.#cloud.providers.books.some((entry) => entry.orderId === orderId && entry.kind === undoes);
      this.#demand(done, () => `order ${orderId}: ${kind} without a ${undoes}`);
    }
  }

  /** What must have come of it, once nothing happens any more. */
  audit({ accepted, cancelled }: Promises): void {
    const { database, providers } = this.#cloud;
    const orders = database.items('orders') as unknown as (Order & { openShard?: string })[];
    for (const [orderId, name] of accepted) {
      const order = orders.find((candidate) => candidate.orderId === orderId);
      this.#demand(
        order?.step === 'SETTLED',
        () => `${name} (${orderId}) was accepted and is ${order ? `${order.status} at ${order.step}` : 'gone'}`,
      );
      this.#demand(order?.openShard === undefined, () => `${name} (${orderId}) is settled, but still open`);
    }
    this.#demand(orders.length === accepted.size, () => `${accepted.size} orders were accepted, there are ${orders.length}`);

    const has = (kind: Entry['kind'], orderId: string): boolean =>
      providers.books.some((entry) => entry.kind === kind && entry.orderId === orderId);
    const held = new Map<string, number>();
    for (const orderId of cancelled) {
      const status = orders.find((order) => order.orderId === orderId)?.status;
      this.#demand(status === 'CANCELLED' || status === 'FAILED', () => `the cancellation of ${orderId} was accepted, and it is ${status}`);
    }
    for (const order of orders) {
      this.#auditEffect('payments', order.orderId, has('capture', order.orderId), has('refund', order.orderId));
      this.#auditEffect('shipments', order.orderId, has('shipment', order.orderId), has('call-off', order.orderId));
      const paid = has('capture', order.orderId) && !has('refund', order.orderId);
      const shipped = has('shipment', order.orderId) && !has('call-off', order.orderId);
      const confirmed = order.status === 'CONFIRMED';
      this.#demand(paid === confirmed, () => `order ${order.orderId} is ${order.status}, and it is ${paid ? '' : 'not '}paid`);
      this.#demand(shipped === confirmed, () => `order ${order.orderId} is ${order.status}, and it is ${shipped ? '' : 'not '}shipped`);
      for (const { sku, qty } of confirmed ? order.items : []) held.set(sku, (held.get(sku) ?? 0) + qty);
      const key = { customerId: order.customerId, placedOrder: viewSortKey(order.placedAt, order.orderId) };
      const view = database.find('orderView', key) as View | undefined;
      const agrees = view?.sequence === order.version && view.status === order.status && view.total === order.total;
      this.#demand(
        agrees,
        () => `order ${order.orderId} is ${order.status} at ${order.version}, its view ${view?.status} at ${view?.sequence}`,
      );
      this.#demand(
        database.find('notifications', { orderId: order.orderId }) !== undefined,
        () => `nobody was told that order ${order.orderId} is ${order.status}`,
      );
    }
    this.#demand(database.items('orderView').length === orders.length, () => 'the read model has items without an order');
    for (const sku of this.#workload.stock.keys()) {
      const stock = database.find('inventory', { pk: inventoryKey.stock(sku) }) as unknown as StockItem;
      this.#demand(
        stock.reserved === (held.get(sku) ?? 0),
        () => `${stock.reserved} of ${sku} are reserved, confirmed orders hold ${held.get(sku) ?? 0}`,
      );
    }
    this.#auditMessages();
  }

  /** What our record of an effect says, against what the provider's books say. */
  #auditEffect(table: 'payments' | 'shipments', orderId: string, done: boolean, undone: boolean): void {
    const status = this.#cloud.database.find(table, { orderId })?.['status'];
    const expected = undone ? ['REFUNDED', 'CALLED_OFF'] : done ? ['CAPTURED', 'ARRANGED'] : [undefined, 'DECLINED', 'REJECTED', 'VOIDED'];
    this.#demand(
      expected.includes(status as string),
      () => `${table}: ${orderId} is ${String(status)}, the provider did ${done ? 'it' : 'nothing'}${undone ? ' and undid it' : ''}`,
    );
  }

  #auditMessages(): void {
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

  /** The end that each planned order had: its failure code, or its status. */
  outcomes({ accepted }: Promises): Map<string, string> {
    const outcomes = new Map<string, string>();
    for (const [orderId, name] of accepted) {
      const order = this.#cloud.database.find('orders', { orderId }) as Order | undefined;
      outcomes.set(name, order?.failure?.code && order.status === 'FAILED' ? order.failure.code : (order?.status ?? 'gone'));
    }
    return outcomes;
  }

  /** The end of a run against that of the same workload without faults. Who of those that compete for one unit gets it is anyone's. */
  compare(promises: Promises, faultless: ReadonlyMap<string, string>): Ends {
    const outcomes = this.outcomes(promises);
    const ends: Ends = { cancelled: 0, timedOut: 0, same: 0 };
    let contended = 0;
    let free = true;
    for (const { name, expected } of this.#workload.orders) {
      const outcome = outcomes.get(name);
      const stopped = outcome === 'CANCELLED' || outcome === 'TIMED_OUT';
      if (outcome === 'CANCELLED') ends.cancelled++;
      if (outcome === 'TIMED_OUT') ends.timedOut++;
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

/** The message id in a body; the body itself where there is none. */
export function idOf(body: string): string {
  try {
    return (JSON.parse(body) as Envelope).messageId ?? body;
  } catch {
    return body;
  }
}

/** The key under which Powertools stores what became of a message at a consumer. */
function idempotencyKey(consumer: string, messageId: string): string {
  return `${consumer}#${createHash('sha256').update(JSON.stringify(messageId)).digest('base64')}`;
}
