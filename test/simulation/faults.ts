import { shardOf } from '../../lambdas/contract/core/tables.ts';
import { Random } from './random.ts';

/** What may happen to one call of a function to the outside. The rate is per call. */
export const callFaults = {
  dynamodb: ['throttled', 'conflict', 'database-error', 'database-answer-lost'],
  sqs: ['partial-batch', 'queue-down', 'queue-answer-lost'],
  http: ['provider-error', 'provider-answer-lost', 'provider-pending'],
  any: ['crash-before', 'crash-after', 'slow-call'],
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
/** What happens to the run as a whole, at a time of its own. */
export const timedFaults = [
  'consumer-outage',
  'provider-outage',
  'stream-outage',
  'queue-wiped',
  'stale-index',
  'clock-skew',
  'cancel',
  'poison',
  'late-duplicate',
  'redrive',
] as const;

export type CallFault = (typeof callFaults)[keyof typeof callFaults][number];
export type DeliveryFault = (typeof deliveryFaults)[number];
export type TimedFault = (typeof timedFaults)[number];
export type Fault = CallFault | DeliveryFault | TimedFault;
export const faultKinds: readonly Fault[] = [...Object.values(callFaults).flat(), ...deliveryFaults, ...timedFaults];

/** Which faults a run has, and how often. */
export interface FaultPlan {
  readonly callRate: number;
  readonly deliveryRate: number;
  readonly kinds: ReadonlySet<Fault>;
  /** Milliseconds after the start during which calls and deliveries are disturbed. */
  readonly lastsMs: number;
}

export const noFaults: FaultPlan = { callRate: 0, deliveryRate: 0, kinds: new Set(), lastsMs: 0 };

/**
 * Each run has a random half of the fault kinds, at a random intensity: faults that mask each other when all are on
 * show themselves when some are off.
 */
export function planFaults(seed: number, without: ReadonlySet<string> = new Set()): FaultPlan {
  const random = new Random(seed, 1);
  const kinds = new Set(faultKinds.filter((kind) => random.chance((timedFaults as readonly string[]).includes(kind) ? 0.3 : 0.5)));
  for (const kind of without) kinds.delete(kind as Fault);
  return {
    callRate: random.pick([0.003, 0.01, 0.03]),
    deliveryRate: random.pick([0.02, 0.05, 0.15]),
    kinds,
    lastsMs: random.int(2, 30) * 60_000,
  };
}

/** Places to die are dealt to seeds, so that a few hundred runs see an environment die at every one of them. */
const buckets = 41;

/** Decides, call by call, what goes wrong. */
export class Faults {
  readonly plan: FaultPlan;
  readonly #random: Random;
  readonly #until: number;
  readonly #choices: ReadonlyMap<string, readonly CallFault[]>;
  readonly counts = new Map<Fault, number>();
  readonly #bucket: number;
  readonly #aimed = new Set<string>();
  /** Told of each fault when it strikes. */
  onFault: (kind: Fault, where: string) => void = () => undefined;

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

  strike(kind: Fault, where: string): void {
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
