import { orderIdOf, type Order } from '../../../lambdas/contract/order.ts';
import type { Cloud, Environment } from '../cloud.ts';
import type { Outcome } from '@outbox-saga/testing/simulation/cloud';
import type { Change } from '@outbox-saga/testing/simulation/database';
import { refusedDomain, type PlannedOrder, type Workload } from '../workload.ts';
import type { StoredOrder } from './books.ts';
import type { Verdict } from './verdict.ts';

/** What customers were promised: the answers that the API gave, as the client saw them. */
export interface Promises {
  /** Orders whose cancellation was accepted. */
  readonly cancelled: ReadonlySet<string>;
  /** Order id → name of the planned order. */
  readonly accepted: ReadonlyMap<string, string>;
}

/** An answer of the API, as the gateway gives it. */
export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Notification {
  readonly orderId: string;
  readonly outcome: string;
  readonly email?: string;
}

/** Retrying in place costs a call this long; whoever had that many gives up with its function. */
const bearable = 4;

/** What people outside see: answers of the API, mails, and what is left of them after they were erased. */
export class Outside {
  readonly #cloud: Cloud;
  readonly #verdict: Verdict;
  /** Order → where its outcome is to be mailed. */
  readonly #addresses: ReadonlyMap<string, string>;
  /** Troubles of those who send mails: each may have cost the memory of a mail. */
  #mailTroubles = 0;

  constructor(cloud: Cloud, workload: Workload, verdict: Verdict) {
    this.#cloud = cloud;
    this.#verdict = verdict;
    this.#addresses = new Map(
      workload.orders.flatMap(({ customerId, name, body: { email } }) => (email ? [[orderIdOf(customerId, name), email]] : [])),
    );
  }

  /** @returns the answer; undefined when the environment died */
  answered(outcome: Outcome, { id, troubles, unanswered }: Environment): Answer | undefined {
    if (!outcome.ok) {
      const crashed = outcome.error === 'crashed' || unanswered >= bearable;
      this.#verdict.demand(crashed, () => `${id} gave its caller no answer at all: ${outcome.error}`);
      return undefined;
    }
    const answer = outcome.result as Answer;
    this.#verdict.demand(
      answer.statusCode < 500 || troubles > 0,
      () => `${id} answered ${answer.statusCode} for no reason: ${answer.body}`,
    );
    this.#verdict.demand(
      answer.statusCode !== 503 || answer.headers['retry-after'] !== undefined,
      () => `${id} answered 503 without Retry-After`,
    );
    return answer;
  }

  /** @param found whether the API has accepted it, so that it must be there */
  queried({ statusCode, body }: Answer, order: PlannedOrder, as: string, found: boolean): void {
    if (statusCode >= 500) return;
    const own = order.customerId === as;
    const said = `${as} asked for ${order.name} of ${order.customerId} and was answered ${statusCode}`;
    this.#verdict.demand(own || statusCode === 404, () => said);
    this.#verdict.demand(!own || !found || statusCode === 200 || statusCode === 304, () => said);
    if (statusCode !== 200) return;
    const { orderId } = JSON.parse(body) as { orderId: string };
    this.#verdict.demand(orderId === orderIdOf(order.customerId, order.name), () => `${said}, with ${orderId}`);
  }

  listed({ statusCode, body }: Answer, as: string): void {
    if (statusCode >= 500) return;
    this.#verdict.demand(statusCode === 200, () => `${as}'s list was answered ${statusCode}: ${body}`);
    const { orders } = JSON.parse(body) as { orders: { orderId: string; customerId: string }[] };
    for (const { orderId, customerId } of orders)
      this.#verdict.demand(customerId === as, () => `${as} was shown ${orderId} of ${customerId}`);
  }

  /** What the operator's command said, and what is left. @param complete nothing of the customer is under way or was accepted a moment ago */
  erased(customerId: string, outcomes: readonly string[], complete: boolean): void {
    if (outcomes.includes('open')) {
      return this.#verdict.demand(!complete, () => `${customerId}: orders cannot be erased although all are closed`);
    }
    const recently = this.#cloud.now - 60_000;
    for (const order of this.#cloud.database.items('orders') as unknown as StoredOrder[]) {
      if (order.customerId !== customerId || (!complete && order.placedAt > recently)) continue;
      const left = this.#personalDataOf(order);
      this.#verdict.demand(
        left.length === 0,
        () => `nothing of ${customerId} is said to be left, but order ${order.orderId} has ${left.join(', ')}`,
      );
    }
  }

  #personalDataOf(order: StoredOrder): string[] {
    const { orderId } = order;
    const request = (table: string): Record<string, unknown> =>
      (this.#cloud.database.find(table, { orderId })?.['request'] ?? {}) as Record<string, unknown>;
    const left: string[] = [];
    if (order.email !== undefined) left.push('its e-mail address');
    if (order.shipTo !== undefined || request('shipments')['shipTo'] !== undefined) left.push('its address');
    const tokens = [order.paymentToken, request('payments')['token']];
    if (tokens.some((token) => typeof token === 'string' && token.startsWith('tok_'))) left.push('its payment token');
    return left;
  }

  mailTrouble(): void {
    this.#mailTroubles++;
  }

  notified({ before, after }: Change): void {
    const record = after as unknown as Notification;
    const was = before as unknown as Notification | undefined;
    this.#verdict.demand(!was || was.outcome === record.outcome, () => `order ${record.orderId} was notified twice`);
    const order = this.#cloud.database.find('orders', { orderId: record.orderId }) as Order | undefined;
    this.#verdict.demand(
      record.outcome.toLowerCase() === `order${order?.status ?? 'nothing'}`.toLowerCase(),
      () => `order ${record.orderId} is ${order?.status}, its notification says ${record.outcome}`,
    );
  }

  /** An order leaves the care of the sweep: who was to be mailed has been. */
  closed(orderId: string): void {
    const record = this.#cloud.database.find('notifications', { orderId }) as unknown as Notification | undefined;
    this.#verdict.demand(record !== undefined, () => `order ${orderId} is closed, and nobody was told`);
    const address = this.#addresses.get(orderId);
    if (address === undefined) return;
    const mails = this.#cloud.mailer.sent.get(address) ?? 0;
    const refused = address.endsWith(refusedDomain) && record?.email !== 'due' && record?.email !== 'sent';
    this.#verdict.demand(
      mails > 0 || refused,
      () => `order ${orderId} is closed, and ${address} was never mailed (its record says ${record?.email})`,
    );
  }

  audit({ accepted }: Promises): void {
    let again = 0;
    for (const orderId of accepted.keys()) {
      this.closed(orderId);
      again += Math.max(0, (this.#cloud.mailer.sent.get(this.#addresses.get(orderId) ?? '') ?? 0) - 1);
    }
    this.#verdict.demand(
      again <= this.#mailTroubles,
      () => `${again} mails were sent again, after ${this.#mailTroubles} troubles of those who send them`,
    );
  }
}
