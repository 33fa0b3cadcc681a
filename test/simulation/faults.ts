import {
  callFaults,
  deliveryFaults,
  type CallFault,
  type DeliveryFault,
  type FaultPlan as CloudFaultPlan,
} from '@outbox-saga/testing/simulation/faults';
import { Random } from '@outbox-saga/testing/simulation/random';

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
export interface FaultPlan extends CloudFaultPlan {
  readonly profile: Profile;
  readonly kinds: ReadonlySet<Fault>;
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
