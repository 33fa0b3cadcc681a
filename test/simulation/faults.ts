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
/** What happens to the run as a whole, at a time of its own. */
export const timedFaults = [
  'consumer-outage',
  'queue-outage',
  'table-outage',
  'provider-outage',
  'mailer-outage',
  'stream-outage',
  'queue-wiped',
  'message-lost',
  'stale-index',
  'stale-read',
  'clock-skew',
  'clock-ticks',
  'newer-version',
  'cancel',
  'poison',
  'late-duplicate',
  'redrive',
] as const;
/** What orders, customers and operators do that the plainest run does not; not faults, but they can be left out like faults. */
export const features = ['client-error', 'immense-quantity', 'several-lines', 'mail', 'stock-change', 'query', 'erasure'] as const;

export type CallFault = (typeof callFaults)[keyof typeof callFaults][number];
export type DeliveryFault = (typeof deliveryFaults)[number];
export type TimedFault = (typeof timedFaults)[number];
export type Feature = (typeof features)[number];
export type Fault = CallFault | DeliveryFault | TimedFault;
export const faultKinds: readonly Fault[] = [...Object.values(callFaults).flat(), ...deliveryFaults, ...timedFaults];

/**
 * What a run is about. `mixed`: half of all faults, for minutes. `days`: the same at a low rate, for days. `weeks`: a consumer is down for longer than its
 * queue keeps messages, or than rows are kept. `listener`: a listener or its queue or its table is down and little else happens, so that what
 * nobody may wait for can be seen to hold nothing up. `hanging`: some calls are never answered, and nothing else. `large`: many orders.
 */
export const profiles = ['mixed', 'days', 'weeks', 'listener', 'hanging', 'large'] as const;
export type Profile = (typeof profiles)[number];

/** Which faults a run has, and how often. */
export interface FaultPlan {
  readonly profile: Profile;
  readonly callRate: number;
  readonly deliveryRate: number;
  readonly kinds: ReadonlySet<Fault>;
  /** Milliseconds after the start during which calls and deliveries are disturbed. */
  readonly lastsMs: number;
}

export const noFaults: FaultPlan = { profile: 'mixed', callRate: 0, deliveryRate: 0, kinds: new Set(), lastsMs: 0 };

const minute = 60_000;
const hour = 60 * minute;

/** Most runs are short; the long and the large ones are worth dozens of them. */
export function profileOf(seed: number): Profile {
  const draw = new Random(seed, 7).next();
  if (draw < 0.9) return 'mixed';
  if (draw < 0.93) return 'listener';
  if (draw < 0.97) return 'hanging';
  if (draw < 0.99) return 'days';
  return draw < 0.995 ? 'weeks' : 'large';
}

/** A random part of the faults: those that mask each other when all are on show themselves when some are off. */
function someOf(random: Random, kinds: readonly Fault[]): Fault[] {
  return kinds.filter((kind) => random.chance((timedFaults as readonly string[]).includes(kind) ? 0.3 : 0.5));
}

/** Each run has a random half of the fault kinds, at a random intensity, as far as its profile has them. */
export function planFaults(seed: number, without: ReadonlySet<string> = new Set()): FaultPlan {
  const random = new Random(seed, 1);
  const profile = profileOf(seed);
  const leave = (kinds: readonly Fault[]): ReadonlySet<Fault> => new Set(kinds.filter((kind) => !without.has(kind)));
  const deliveryRate = random.pick([0.02, 0.05, 0.15]);
  switch (profile) {
    case 'listener':
      return {
        profile,
        callRate: random.pick([0.01, 0.05]),
        deliveryRate,
        kinds: leave([
          random.pick(['queue-outage', 'queue-outage', 'table-outage', 'consumer-outage'] as const),
          ...(random.chance(0.6) ? [random.pick(['message-lost', 'partial-batch'] as const)] : []),
          ...(random.chance(0.3) ? (['duplicate', 'reorder'] as const) : []),
        ]),
        lastsMs: 2 * hour,
      };
    case 'hanging':
      return {
        profile,
        callRate: random.pick([0.003, 0.01]),
        deliveryRate,
        kinds: leave(['hang-before', 'hang-after']),
        lastsMs: 5 * minute,
      };
    case 'days':
      return {
        profile,
        callRate: random.pick([0.0005, 0.002, 0.005]),
        deliveryRate: 0.02,
        kinds: leave(someOf(random, faultKinds)),
        lastsMs: random.int(6, 60) * hour,
      };
    case 'weeks':
      return {
        profile,
        callRate: 0.001,
        deliveryRate: 0.01,
        kinds: leave(['consumer-outage', ...someOf(random, ['mailer-outage', 'clock-skew', 'duplicate', 'throttled', 'crash-after'])]),
        lastsMs: hour,
      };
    default:
      return {
        profile,
        callRate: random.pick([0.003, 0.01, 0.03]),
        deliveryRate,
        kinds: leave(someOf(random, faultKinds)),
        lastsMs: random.int(2, 30) * minute,
      };
  }
}

/** Places to die are dealt to seeds, so that a few hundred runs see an environment die at every one of them. */
const buckets = 13;

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
