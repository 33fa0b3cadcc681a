import type { World } from '@outbox-saga/kit/function/world';
import { stageDurations } from './environments.ts';
import { malformedPostalCode, malformedToken } from './workload.ts';

/** Something that a provider did, once, in its own books. */
export interface Entry {
  readonly kind: 'capture' | 'refund' | 'shipment' | 'call-off';
  readonly orderId: string;
  readonly amount?: number;
  readonly reference: string;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Providers forget an idempotency key as soon as their contract lets them: the same call under a new key, or after that, is a new call. */
const keyLifeMs = stageDurations.providerKeySeconds * 1000;

/**
 * A payment gateway and a carrier as docs/providers.md describes them: they honour idempotency keys for as long as they must, and do
 * again what they are asked again. Their books are what the auditor believes, whatever our tables say.
 */
export class Providers {
  readonly books: Entry[] = [];
  readonly #keys = new Map<string, { at: number; answer: Answer }>();
  readonly #pendingUntil = new Map<string, number>();
  readonly #declined = new Map<string, string>();
  readonly #now: () => number;
  /** Told of every entry when it is made. */
  onEntry: (entry: Entry) => void = () => undefined;

  constructor(now: World['now']) {
    this.#now = now;
  }

  /** The next new capture or shipment of an order is not decided before this time. */
  delay(orderId: string, until: number): void {
    if (!this.#pendingUntil.has(orderId)) this.#pendingUntil.set(orderId, until);
  }

  handle(method: string, url: string, headers: Readonly<Record<string, string>>, body: unknown): Answer {
    const { host, pathname } = new URL(url);
    const key = headers['idempotency-key'];
    const known = key === undefined ? undefined : this.#keys.get(`${host} ${key}`);
    if (known && this.#now() - known.at < keyLifeMs) return known.answer;
    const answer = host.startsWith('payment')
      ? this.#payment(method, pathname, body as never)
      : this.#carrier(method, pathname, body as never);
    const final = answer.status === 200 && (answer.body as { outcome: string }).outcome !== 'pending';
    if (key !== undefined && final) this.#keys.set(`${host} ${key}`, { at: this.#now(), answer });
    return answer;
  }

  #payment(method: string, path: string, body: { orderId: string; amount: number; token?: string; reference?: string }): Answer {
    if (method === 'GET') return this.#find(decodeURIComponent(path.slice('/captures/'.length)), 'capture', 'refund');
    const { orderId, amount } = body;
    if (path === '/refunds') {
      this.#enter({ kind: 'refund', orderId, amount, reference: body.reference! });
      return ok({ outcome: 'refunded' });
    }
    if (this.#undecided(orderId)) return ok({ outcome: 'pending' });
    if (body.token === malformedToken) return { status: 400, body: { message: 'this token is malformed' } };
    if (body.token === 'tok_declined') return this.#refuse(orderId, { outcome: 'declined', reason: 'card declined' });
    const reference = `charge-${this.books.length}`;
    this.#enter({ kind: 'capture', orderId, amount, reference });
    return ok({ outcome: 'captured', reference });
  }

  #carrier(method: string, path: string, body: { orderId: string; shipTo?: { postalCode?: string } }): Answer {
    const [, , id, action] = path.split('/');
    if (method === 'GET') return this.#find(decodeURIComponent(id!), 'shipment', 'call-off');
    if (action === 'cancel') {
      const orderId = decodeURIComponent(id!);
      this.#enter({ kind: 'call-off', orderId, reference: orderId });
      return ok({ outcome: 'cancelled' });
    }
    if (this.#undecided(`ship ${body.orderId}`)) return ok({ outcome: 'pending' });
    if (body.shipTo?.postalCode === malformedPostalCode) return { status: 422, body: { message: 'no such postal code' } };
    if (body.shipTo?.postalCode === '00000') return this.#refuse(body.orderId, { outcome: 'rejected', reason: 'undeliverable' });
    const trackingId = `parcel-${this.books.length}`;
    this.#enter({ kind: 'shipment', orderId: body.orderId, reference: trackingId });
    return ok({ outcome: 'arranged', trackingId });
  }

  #find(orderId: string, done: Entry['kind'], undone: Entry['kind']): Answer {
    const entry = this.books.find(({ kind, orderId: of }) => kind === done && of === orderId);
    if (!entry) {
      if (this.#undecided(done === 'capture' ? orderId : `ship ${orderId}`)) return ok({ outcome: 'pending' });
      const reason = this.#declined.get(orderId);
      if (reason === undefined) return { status: 404, body: {} };
      return ok({ outcome: done === 'capture' ? 'declined' : 'rejected', reason });
    }
    const reversed = this.books.some(({ kind, orderId: of }) => kind === undone && of === orderId);
    if (done === 'capture') return ok({ outcome: reversed ? 'refunded' : 'captured', reference: entry.reference });
    return ok({ outcome: reversed ? 'cancelled' : 'arranged', trackingId: entry.reference });
  }

  #refuse(orderId: string, body: { outcome: string; reason: string }): Answer {
    this.#declined.set(orderId, body.reason);
    return ok(body);
  }

  #undecided(what: string): boolean {
    return this.#now() < (this.#pendingUntil.get(what) ?? 0);
  }

  #enter(entry: Entry): void {
    this.books.push(entry);
    this.onEntry(entry);
  }
}

function ok(body: unknown): Answer {
  return { status: 200, body };
}
