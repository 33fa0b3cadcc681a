import type { Order } from '../../../lambdas/contract/order.ts';
import { inventoryKey, viewSortKey } from '../../../lambdas/contract/tables.ts';
import type { OutboxRow } from '@outbox-saga/kit/outbox/row';
import type { Cloud } from '../cloud.ts';
import type { Change } from '@outbox-saga/testing/simulation/database';
import type { Entry } from '../providers.ts';
import type { Workload } from '../workload.ts';
import { envelopeOf } from './bodies.ts';
import type { Promises } from './promises.ts';
import type { Verdict } from './verdict.ts';

export type StoredOrder = Order & { readonly openShard?: string };

interface StockItem {
  readonly pk: string;
  readonly available: number;
  readonly reserved: number;
}

type View = {
  readonly sequence: number;
  readonly status: string;
  readonly total: number;
  readonly orderId: string;
  readonly updatedAt: number;
};

/** The longest that an order may take from its placement to its end, where the faults of a run give it no reason to take longer. */
export type SettlesWithin = { readonly milliseconds: number } | undefined;

/** Orders, money, goods and stock: what must hold at every change, and what must have come of it. */
export class Books {
  readonly #cloud: Cloud;
  readonly #workload: Workload;
  readonly #verdict: Verdict;
  readonly #settlesWithin: SettlesWithin;
  /** Order → version → status. */
  readonly #history = new Map<string, string[]>();
  readonly #lowest: Map<string, number>;
  /** SKU → how many there are, free or held. Only who sets stock changes it. */
  readonly #units: Map<string, number>;
  /** Request → how often it changed what is free to sell. */
  readonly #stockSet = new Map<string, number>();
  readonly #stockAnswers: { readonly requestId: string; readonly status: number }[] = [];

  constructor(cloud: Cloud, workload: Workload, verdict: Verdict, settlesWithin: SettlesWithin) {
    this.#cloud = cloud;
    this.#workload = workload;
    this.#verdict = verdict;
    this.#settlesWithin = settlesWithin;
    this.#lowest = new Map(workload.stock);
    this.#units = new Map(workload.stock);
  }

  orderChanged({ before, after }: Change, rows: readonly OutboxRow[]): void {
    const verdict = this.#verdict;
    const [was, is] = [before as StoredOrder | undefined, after as StoredOrder | undefined];
    if (!is) return verdict.violate(`order ${was!.orderId} was deleted`);
    const said = rows.filter(({ aggregateId, body }) => aggregateId === is.orderId && envelopeOf(body).sequence !== undefined);
    if (was?.version === is.version) {
      const silent = was.status === is.status && was.step === is.step && said.length === 0;
      return verdict.demand(silent, () => `order ${is.orderId} changed without a version`);
    }
    verdict.demand(
      is.version === (was?.version ?? 0) + 1,
      () => `order ${is.orderId} went from version ${was?.version ?? 0} to ${is.version}`,
    );
    verdict.demand(
      said.length === 1 && envelopeOf(said[0]!.body).sequence === is.version,
      () => `version ${is.version} of order ${is.orderId} came with ${said.length} messages of that sequence`,
    );
    verdict.demand(
      !was || was.step !== 'SETTLED',
      () => `settled order ${is.orderId} (${was!.status}) moved on to ${is.step} (${is.status})`,
    );
    const history = this.#history.get(is.orderId) ?? [];
    history[is.version] = is.status;
    this.#history.set(is.orderId, history);
    const limit = this.#settlesWithin;
    if (limit && is.step === 'SETTLED') {
      const tookMs = this.#cloud.now - is.placedAt;
      verdict.demand(
        tookMs <= limit.milliseconds,
        () => `order ${is.orderId} took ${tookMs / 1000} s, held up by what it need not wait for`,
      );
    }
  }

  stockChanged({ before, after }: Change): void {
    const verdict = this.#verdict;
    const item = after as unknown as StockItem;
    const sku = item.pk.startsWith('sku#') ? item.pk.slice(4) : undefined;
    if (sku !== undefined) {
      const was = before as unknown as StockItem | undefined;
      const { caller } = this.#cloud;
      if (caller?.name === 'stock-admin') {
        verdict.demand(item.reserved === (was?.reserved ?? 0), () => `setting the stock of ${sku} changed what orders hold`);
        const { requestId } = caller;
        if (item.available !== was?.available) this.#stockSet.set(requestId, (this.#stockSet.get(requestId) ?? 0) + 1);
        this.#units.set(sku, item.available + item.reserved);
      }
      const units = this.#units.get(sku) ?? 0;
      verdict.demand(
        item.available >= 0 && item.reserved >= 0,
        () => `stock of ${sku} is negative: ${item.available} available, ${item.reserved} reserved`,
      );
      verdict.demand(
        item.available + item.reserved === units,
        () => `stock of ${sku}: ${item.available} + ${item.reserved} is not ${units}`,
      );
      this.#lowest.set(sku, Math.min(this.#lowest.get(sku) ?? units, item.available));
      return;
    }
    const reservation = after as unknown as { pk: string; status: string; shortages?: readonly { sku: string; asked: number }[] };
    for (const { sku: short, asked } of reservation.status === 'REJECTED' ? (reservation.shortages ?? []) : []) {
      const lowest = this.#lowest.get(short) ?? 0;
      verdict.demand(
        lowest < asked,
        () => `${reservation.pk} was refused ${asked} of ${short}, of which there were never less than ${lowest}`,
      );
    }
  }

  /** What whoever set stock was answered; 0 when nothing came back. */
  stockAnswered(requestId: string, status: number): void {
    this.#stockAnswers.push({ requestId, status });
  }

  viewChanged({ before, after }: Change): void {
    const [was, is] = [before as View | undefined, after as unknown as View];
    this.#verdict.demand(is.sequence > (was?.sequence ?? 0), () => `view of ${is.orderId} went from ${was?.sequence} to ${is.sequence}`);
    const status = this.#history.get(is.orderId)?.[is.sequence];
    this.#verdict.demand(status === is.status, () => `view of ${is.orderId} at ${is.sequence} says ${is.status}, the order was ${status}`);
  }

  entered({ kind, orderId, amount }: Entry): void {
    const order = this.#order(orderId);
    const of = this.#cloud.providers.books.filter((entry) => entry.orderId === orderId && entry.kind === kind);
    this.#verdict.demand(of.length === 1, () => `order ${orderId}: ${kind} happened ${of.length} times`);
    if (amount !== undefined)
      this.#verdict.demand(amount === order?.total, () => `order ${orderId}: ${kind} of ${amount}, its total is ${order?.total}`);
    const undoes = kind === 'refund' ? 'capture' : kind === 'call-off' ? 'shipment' : undefined;
    if (undoes) this.#verdict.demand(this.#did(undoes, orderId), () => `order ${orderId}: ${kind} without a ${undoes}`);
  }

  #order(orderId: string): StoredOrder | undefined {
    return this.#cloud.database.find('orders', { orderId }) as StoredOrder | undefined;
  }

  #did(kind: Entry['kind'], orderId: string): boolean {
    return this.#cloud.providers.books.some((entry) => entry.kind === kind && entry.orderId === orderId);
  }

  /** What must have come of it, once nothing happens any more. */
  audit({ accepted, cancelled }: Promises): void {
    const verdict = this.#verdict;
    const { database } = this.#cloud;
    const orders = database.items('orders') as unknown as StoredOrder[];
    for (const [orderId, name] of accepted) {
      const order = this.#order(orderId);
      verdict.demand(
        order?.step === 'SETTLED',
        () => `${name} (${orderId}) was accepted and is ${order ? `${order.status} at ${order.step}` : 'gone'}`,
      );
      verdict.demand(order?.openShard === undefined, () => `${name} (${orderId}) is settled, but still open`);
    }
    verdict.demand(orders.length === accepted.size, () => `${accepted.size} orders were accepted, there are ${orders.length}`);
    for (const orderId of cancelled) {
      const status = this.#order(orderId)?.status;
      verdict.demand(
        status === 'CANCELLED' || status === 'FAILED',
        () => `the cancellation of ${orderId} was accepted, and it is ${status}`,
      );
    }
    const held = new Map<string, number>();
    for (const order of orders) {
      for (const { sku, qty } of order.status === 'CONFIRMED' ? order.items : []) held.set(sku, (held.get(sku) ?? 0) + qty);
      this.#auditOrder(order);
    }
    verdict.demand(database.items('orderView').length === orders.length, () => 'the read model has items without an order');
    for (const sku of this.#workload.stock.keys()) {
      const stock = database.find('inventory', { pk: inventoryKey.stock(sku) }) as unknown as StockItem;
      verdict.demand(
        stock.reserved === (held.get(sku) ?? 0),
        () => `${stock.reserved} of ${sku} are reserved, confirmed orders hold ${held.get(sku) ?? 0}`,
      );
    }
    for (const { requestId, status } of this.#stockAnswers) {
      const times = this.#stockSet.get(requestId) ?? 0;
      verdict.demand(times <= 1, () => `one request changed a stock level ${times} times (${requestId})`);
      verdict.demand(
        status !== 412 || times === 0,
        () => `a request set the stock and was answered that the stock had changed (${requestId})`,
      );
    }
  }

  #auditOrder(order: StoredOrder): void {
    const verdict = this.#verdict;
    const { orderId, status } = order;
    const [captured, refunded] = [this.#did('capture', orderId), this.#did('refund', orderId)];
    const [arranged, calledOff] = [this.#did('shipment', orderId), this.#did('call-off', orderId)];
    this.#auditEffect('payments', orderId, captured, refunded);
    this.#auditEffect('shipments', orderId, arranged, calledOff);
    const [paid, shipped] = [captured && !refunded, arranged && !calledOff];
    const confirmed = status === 'CONFIRMED';
    verdict.demand(paid === confirmed, () => `order ${orderId} is ${status}, and it is ${paid ? '' : 'not '}paid`);
    verdict.demand(shipped === confirmed, () => `order ${orderId} is ${status}, and it is ${shipped ? '' : 'not '}shipped`);
    const key = { customerId: order.customerId, placedOrder: viewSortKey(order.placedAt, orderId) };
    const view = this.#cloud.database.find('orderView', key) as View | undefined;
    const agrees = view?.sequence === order.version && view.status === status && view.total === order.total;
    verdict.demand(agrees, () => `order ${orderId} is ${status} at ${order.version}, its view ${view?.status} at ${view?.sequence}`);
    verdict.demand(
      view?.updatedAt === order.updatedAt,
      () => `order ${orderId} changed last at ${order.updatedAt}, its view says ${view?.updatedAt}`,
    );
  }

  /** What our record of an effect says, against what the provider's books say. */
  #auditEffect(table: 'payments' | 'shipments', orderId: string, done: boolean, undone: boolean): void {
    const status = this.#cloud.database.find(table, { orderId })?.['status'];
    const expected = undone ? ['REFUNDED', 'CALLED_OFF'] : done ? ['CAPTURED', 'ARRANGED'] : [undefined, 'DECLINED', 'REJECTED', 'VOIDED'];
    this.#verdict.demand(
      expected.includes(status as string),
      () => `${table}: ${orderId} is ${String(status)}, the provider did ${done ? 'it' : 'nothing'}${undone ? ' and undid it' : ''}`,
    );
  }
}
