import { orderSteps, type Order, type OrderStep } from '../../lambdas/contract/order.ts';
import type { Reply } from '../../lambdas/order-saga/steps.ts';
import type { Environment } from './cloud.ts';
import type { Site } from '@outbox-saga/testing/simulation/calls';
import { faultKinds, type Fault } from './faults.ts';

/** How often each thing was seen that a proof must have seen. Plain data, so that workers can send it. */
export interface Coverage {
  readonly faults: Record<string, number>;
  /** `STEP × input`: what the saga heard, and where it was. */
  readonly pairs: Record<string, number>;
  /** `function operation target before|after`: where environments died. */
  readonly crashes: Record<string, number>;
  /** `function operation target`: where they could have, and in how many runs. */
  readonly sites: Record<string, number>;
}

export function noCoverage(): Coverage {
  return { faults: {}, pairs: {}, crashes: {}, sites: {} };
}

export function addTo(counts: Record<string, number>, key: string, count = 1): void {
  counts[key] = (counts[key] ?? 0) + count;
}

export function addCoverage(to: Coverage, from: Coverage): void {
  for (const kind of ['faults', 'pairs', 'crashes', 'sites'] as const) {
    for (const [key, count] of Object.entries(from[kind])) addTo(to[kind], key, count);
  }
}

export const siteKey = ({ name }: Environment, { operation, target }: Site): string => `${name} ${operation} ${target}`;
export const pairKey = (step: Order['step'], input: string): string => `${step} × ${input}`;

/** Answer → the step that waits for it. No order gets it before that step: nobody answers what was never asked. */
export const awaitedAt: Readonly<Record<string, OrderStep>> = {
  StockReserved: 'RESERVING_STOCK',
  StockRejected: 'RESERVING_STOCK',
  PaymentCaptured: 'CAPTURING_PAYMENT',
  PaymentDeclined: 'CAPTURING_PAYMENT',
  ShipmentArranged: 'ARRANGING_SHIPMENT',
  ShipmentRejected: 'ARRANGING_SHIPMENT',
  ShipmentCancelled: 'CALLING_OFF_SHIPMENT',
  PaymentRefunded: 'REFUNDING_PAYMENT',
  StockReleased: 'RELEASING_STOCK',
} satisfies Record<Reply['type'], OrderStep>;

/** Pairs that an order's history rules out although the step is late enough, each with why. */
const impossible: ReadonlySet<string> = new Set([
  // A rejected reservation ends the order at once, unless it was being undone already.
  ...['CAPTURING_PAYMENT', 'ARRANGING_SHIPMENT', 'CALLING_OFF_SHIPMENT', 'REFUNDING_PAYMENT'].map((step) =>
    pairKey(step as OrderStep, 'StockRejected'),
  ),
  // A declined payment is never shipped.
  ...['ARRANGING_SHIPMENT', 'CALLING_OFF_SHIPMENT'].map((step) => pairKey(step as OrderStep, 'PaymentDeclined')),
]);

/** Every pair of step and input that can meet. */
export const possiblePairs: readonly string[] = orderSteps.flatMap((step, reached) =>
  [...Object.keys(awaitedAt).filter((answer) => reached >= orderSteps.indexOf(awaitedAt[answer]!)), 'Cancel', 'Tick']
    .map((input) => pairKey(step, input))
    .filter((pair) => !impossible.has(pair)),
);

/** Places that two runs of five come to. A missing crash at a rarer one says nothing. */
export function commonSites({ sites }: Coverage, runs: number): string[] {
  return Object.keys(sites).filter((site) => sites[site]! >= runs * 0.4);
}

/** What a whole proof lacks; empty when it lacks nothing. */
export function gapsOf(coverage: Coverage, runs: number): string[] {
  const gaps = faultKinds.filter((kind: Fault) => !coverage.faults[kind]).map((kind) => `fault ${kind}`);
  for (const pair of possiblePairs) if (!coverage.pairs[pair]) gaps.push(`pair ${pair}`);
  for (const site of commonSites(coverage, runs)) {
    for (const when of ['before', 'after']) if (!coverage.crashes[`${site} ${when}`]) gaps.push(`crash ${when} ${site}`);
  }
  return gaps;
}
