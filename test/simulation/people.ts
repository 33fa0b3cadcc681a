import { orderIdOf } from '../../lambdas/contract/order.ts';
import type { Auditor } from './auditor.ts';
import type { Cloud, Environment } from './cloud.ts';
import { plenty, restocked, customers, type PlannedOrder, type Workload } from './workload.ts';

const minute = 60_000;
const longestPauseMs = 5 * minute;

export type Note = (about: string, who: string, what: string) => void;

/** Customers and operators, and what they ask of the API: orders, cancellations, looks, stock levels, erasures. */
export class People {
  readonly accepted = new Map<string, string>();
  readonly cancelled = new Set<string>();
  readonly #cloud: Cloud;
  readonly #auditor: Auditor;
  readonly #workload: Workload;
  readonly #note: Note;
  /** Orders that are not answered yet. */
  waiting: number;
  /** Other requests that are still to be made. */
  planned = 0;

  constructor(cloud: Cloud, auditor: Auditor, workload: Workload, note: Note) {
    this.#cloud = cloud;
    this.#auditor = auditor;
    this.#workload = workload;
    this.#note = note;
    this.waiting = workload.orders.length;
    const { scheduler, random } = cloud;
    for (const order of workload.orders) scheduler.after(order.placedAfterMs, () => this.#place(order));
    const later = (times: number, latestMs: number, run: () => void): void => {
      for (let i = 0; i < times; i++) {
        this.planned++;
        scheduler.after(random.int(0, latestMs), () => {
          this.planned--;
          run();
        });
      }
    };
    const { features } = workload;
    if (features.has('query')) later(12, random.pick([minute, 20 * minute]), () => this.#query());
    if (features.has('stock-change')) later(6, random.pick([5000, minute, 20 * minute]), () => this.#setStock());
    if (features.has('erasure')) later(2, 60 * minute, () => this.#erase(random.pick(customers), false));
  }

  #place(order: PlannedOrder): void {
    const { random } = this.#cloud;
    const event = httpEvent({
      routeKey: 'POST /orders',
      path: '/orders',
      headers: { 'idempotency-key': order.name },
      body: JSON.stringify(order.body),
    });
    const orderId = orderIdOf(order.customerId, order.name);
    let pauseMs = 500;
    const send = (again: boolean): void => {
      this.#cloud.invoke('place-order', event, (outcome, environment) => {
        const answer = this.#auditor.outside.answered(outcome, environment);
        const status = answer?.statusCode ?? 502;
        this.#note(orderId, 'CUSTOMER', `${order.name} placed: ${status}${outcome.ok ? '' : ` (${outcome.error})`}`);
        if (status === 202) {
          if (!this.accepted.has(orderId)) this.waiting--;
          this.accepted.set(orderId, order.name);
        } else if (order.refusable && status >= 400 && status < 500) {
          if (again) this.waiting--;
        } else if (again) {
          this.#cloud.scheduler.after(random.int(pauseMs, 2 * pauseMs), () => send(true));
          pauseMs = Math.min(longestPauseMs, 2 * pauseMs);
        }
      });
    };
    send(true);
    if (this.#cloud.faults.forDelivery('request-repeated', this.#cloud.now, order.name))
      this.#cloud.scheduler.after(random.int(0, 100), () => send(false));
  }

  cancel(order: PlannedOrder): void {
    const id = orderIdOf(order.customerId, order.name);
    const event = httpEvent({ routeKey: 'POST /orders/{id}/cancel', path: `/orders/${id}/cancel`, params: { id } });
    this.#cloud.faults.strike('cancel', order.name);
    this.#cloud.invoke('order-cancel', event, (outcome, environment) => {
      const status = this.#auditor.outside.answered(outcome, environment)?.statusCode ?? 502;
      this.#note(id, 'CUSTOMER', `${order.name} cancelled: ${status}${outcome.ok ? '' : ` (${outcome.error})`}`);
      if (status === 202) this.cancelled.add(id);
    });
  }

  /** Somebody looks at an order, its timeline or a list: mostly their own. */
  #query(): void {
    const { random } = this.#cloud;
    const order = random.pick(this.#workload.orders);
    const as = random.chance(0.7) ? order.customerId : random.pick(customers);
    const id = orderIdOf(order.customerId, order.name);
    const found = this.accepted.has(id);
    const what = random.int(0, 2);
    if (what === 2) {
      const query = { limit: String(random.int(1, 5)), ...(random.chance(0.3) ? { status: 'CONFIRMED' } : {}) };
      return this.#ask(httpEvent({ routeKey: 'GET /orders', path: '/orders', query, subject: as }), id, (answer) =>
        this.#auditor.outside.listed(answer, as),
      );
    }
    const [routeKey, path] = what === 0 ? ['GET /orders/{id}', `/orders/${id}`] : ['GET /orders/{id}/timeline', `/orders/${id}/timeline`];
    this.#ask(httpEvent({ routeKey, path, params: { id }, subject: as }), id, (answer) =>
      this.#auditor.outside.queried(answer, order, as, found),
    );
  }

  #ask(event: unknown, about: string, then: (answer: NonNullable<ReturnType<Auditor['outside']['answered']>>) => void): void {
    this.#cloud.invoke('query-orders', event, (outcome, environment) => {
      const answer = this.#auditor.outside.answered(outcome, environment);
      this.#note(about, 'CUSTOMER', `asked ${(event as { rawPath: string }).rawPath}: ${answer?.statusCode}`);
      if (answer) then(answer);
    });
  }

  /** An operator sets what is free to sell: with an ETag that was read before, or whatever there is. */
  #setStock(): void {
    const { random } = this.#cloud;
    const path = `/admin/stock/${restocked}`;
    const params = { sku: restocked };
    const put = (headers: Record<string, string>): void => {
      const body = JSON.stringify({ available: plenty + random.int(1, 1000) });
      const event = httpEvent({ routeKey: 'PUT /admin/stock/{sku}', path, params, headers, body });
      this.#cloud.invoke('stock-admin', event, (outcome, environment) => this.#stockAnswered(outcome, environment));
    };
    if (random.chance(0.5)) return put({});
    this.#cloud.invoke('stock-admin', httpEvent({ routeKey: 'GET /admin/stock/{sku}', path, params }), (outcome, environment) => {
      const answer = this.#auditor.outside.answered(outcome, environment);
      const etag = answer?.headers['etag'];
      if (etag !== undefined) this.#cloud.scheduler.after(random.int(1, 3000), () => put({ 'if-match': etag }));
    });
  }

  #stockAnswered(...[outcome, environment]: Parameters<Auditor['outside']['answered']>): void {
    const status = this.#auditor.outside.answered(outcome, environment)?.statusCode ?? 0;
    this.#note('', 'OPERATOR', `set the stock of ${restocked}: ${status}`);
    this.#auditor.books.stockAnswered(environment.requestId, status);
  }

  /** Once all is quiet, nothing stands in the way. */
  eraseAll(): void {
    customers.forEach((customer, i) => this.#cloud.scheduler.after(i * minute, () => this.#erase(customer, true)));
  }

  #erase(customerId: string, complete: boolean): void {
    this.#cloud.invoke('erase', { customerId }, (outcome, { id, troubles }: Environment) => {
      const outcomes = outcome.ok ? (outcome.result as { outcome: string }[]).map((erasure) => erasure.outcome) : [];
      this.#note('', 'OPERATOR', `erased ${customerId}: ${outcome.ok ? outcomes.join(', ') || 'nothing' : outcome.error}`);
      if (outcome.ok) this.#auditor.outside.erased(customerId, outcomes, complete);
      else if (troubles === 0) this.#auditor.violations.push(`${id}: erasing ${customerId} failed: ${outcome.error}`);
    });
  }
}

interface Request {
  readonly routeKey: string;
  readonly path: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whose token it comes with. */
  readonly subject?: string;
}

function httpEvent({ routeKey, path, params = {}, query = {}, headers = {}, body = '', subject }: Request): unknown {
  const method = routeKey.split(' ')[0];
  return {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': 'application/json', ...headers },
    pathParameters: params,
    queryStringParameters: query,
    requestContext: {
      http: { method, path },
      ...(subject === undefined ? {} : { authorizer: { jwt: { claims: { sub: subject }, scopes: null } } }),
    },
    body,
    isBase64Encoded: false,
  };
}
