import { shardOf } from '@outbox-saga/kit/tables';
import { Random } from './random.ts';

/** What may happen to one call of a function to the outside. The rate is per call. */
export const callFaults = {
  dynamodb: ['throttled', 'conflict', 'database-error', 'database-answer-lost', 'sdk-retry', 'in-progress'],
  sqs: ['partial-batch', 'queue-down', 'queue-answer-lost'],
  http: ['provider-error', 'provider-answer-lost', 'provider-pending'],
  any: ['crash-before', 'crash-after', 'slow-call', 'hang-before', 'hang-after'],
} as const;
/** What may happen to a delivery. The rate is per delivery. */
export const deliveryFaults = [
  'duplicate',
  'reorder',
  'delay',
  'lost-acknowledgement',
  'republished',
  'overlap',
  'request-repeated',
] as const;
/** What reads and clocks do, for as long as a run lasts. */
export const cloudFaults = ['stale-read', 'clock-skew', 'clock-ticks'] as const;

export type CallFault = (typeof callFaults)[keyof typeof callFaults][number];
export type DeliveryFault = (typeof deliveryFaults)[number];

/** Which faults a run has, and how often. An application may have kinds of its own. */
export interface FaultPlan {
  /** Of all calls. */
  readonly callRate: number;
  /** Of all deliveries. */
  readonly deliveryRate: number;
  readonly kinds: ReadonlySet<string>;
  /** Milliseconds after the start during which calls and deliveries are disturbed. */
  readonly lastsMs: number;
}

/** Places to die are dealt to seeds, so that a few hundred runs see an environment die at every one of them. */
const buckets = 13;

/** Decides, call by call, what goes wrong. */
export class Faults {
  readonly plan: FaultPlan;
  readonly #random: Random;
  readonly #until: number;
  readonly #choices: ReadonlyMap<string, readonly CallFault[]>;
  /** Fault → how often it struck. */
  readonly counts = new Map<string, number>();
  readonly #bucket: number;
  readonly #aimed = new Set<string>();
  /** Told of each fault when it strikes. */
  onFault: (kind: string, where: string) => void = () => undefined;

  constructor(seed: number, plan: FaultPlan, start: number) {
    this.plan = plan;
    this.#random = new Random(seed, 2);
    this.#bucket = seed % buckets;
    this.#until = start + plan.lastsMs;
    this.#choices = new Map(
      (['dynamodb', 'sqs', 'http'] as const).map((service) => [
        service,
        [...callFaults[service], ...callFaults.any].filter((kind) => plan.kinds.has(kind)),
      ]),
    );
  }

  get total(): number {
    let sum = 0;
    for (const count of this.counts.values()) sum += count;
    return sum;
  }

  strike(kind: string, where: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.onFault(kind, where);
  }

  /** The fault that this call meets, if any. @param site names the kind of call: each seed also kills an environment at one or two of them */
  forCall(service: 'dynamodb' | 'sqs' | 'http', site: string, now: number): CallFault | undefined {
    if (this.plan.kinds.size === 0 || now > this.#until) return undefined;
    for (const when of callFaults.any.slice(0, 2)) {
      const aim = `${site} ${when}`;
      if (shardOf(aim, buckets) !== this.#bucket || !this.plan.kinds.has(when) || this.#aimed.has(aim) || this.#random.chance(0.3))
        continue;
      this.#aimed.add(aim);
      return when;
    }
    if (!this.#random.chance(this.plan.callRate)) return undefined;
    const choices = this.#choices.get(service)!;
    return choices.length === 0 ? undefined : this.#random.pick(choices);
  }

  /** Whether a delivery meets this fault. */
  forDelivery(kind: DeliveryFault, now: number, where: string): boolean {
    if (now > this.#until || !this.plan.kinds.has(kind) || !this.#random.chance(this.plan.deliveryRate)) return false;
    this.strike(kind, where);
    return true;
  }
}
