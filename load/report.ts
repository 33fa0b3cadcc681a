import type { Plan } from './arrivals.ts';
import type { Latencies } from './histogram.ts';
import type { Ending } from './run.ts';
import type { Counts, Tally } from './tally.ts';

/** What a load has come to, for programs. */
export interface Report {
  readonly url: string;
  readonly clients: number;
  readonly rate: number | null;
  readonly ending: Ending;
  /** Requests to place an order. Each was accepted or refused, or failed without an answer. */
  readonly sent: number;
  readonly accepted: number;
  readonly acceptedPerSecond: number;
  readonly acceptMs: Latencies | null;
  /** null: it was not waited for. */
  readonly settled: number | null;
  readonly settledPerSecond: number | null;
  readonly settleMs: Latencies | null;
  readonly outcomes: Counts;
  /** By status and problem type. */
  readonly refusals: Counts;
  /** Requests without an answer, by cause. */
  readonly errors: Counts;
  /** Looks at orders that failed; each was made again. */
  readonly failedLooks: Counts;
  /** With a rate: orders that were sent late because too many requests were under way. */
  readonly heldBack: number;
}

export function reportOf(
  { url, wait, customers, rate }: Pick<Plan, 'customers' | 'rate'> & { url: string; wait: boolean },
  tally: Tally,
  ending: Ending,
): Report {
  return {
    url,
    clients: customers.length,
    rate: rate ?? null,
    ending,
    sent: tally.sent,
    accepted: tally.accepts.count,
    acceptedPerSecond: tally.acceptedPerSecond,
    acceptMs: tally.accepts.latencies() ?? null,
    settled: wait ? tally.settlements.count : null,
    settledPerSecond: wait ? tally.settledPerSecond : null,
    settleMs: tally.settlements.latencies() ?? null,
    outcomes: tally.outcomes,
    refusals: tally.refusals,
    errors: tally.errors,
    failedLooks: tally.failedLooks,
    heldBack: tally.heldBack,
  };
}

/** 0: every order was accepted and, if that was waited for, has settled. 130: somebody stopped it. 2: neither. */
export function exitCodeOf({ ending, sent, accepted, settled }: Report): number {
  if (ending === 'interrupted') return 130;
  return sent > 0 && accepted === sent && (settled ?? accepted) === accepted && ending === 'done' ? 0 : 2;
}

export const milliseconds = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
export const perSecond = (value: number): string => `${value.toLocaleString('en-US', { maximumFractionDigits: 1 })} / s`;
const whole = (value: number): string => value.toLocaleString('en-US');

/** The same for people. */
export function textOf(report: Report): string {
  const { url, clients, rate, ending, sent, accepted, settled, heldBack } = report;
  const rows: [string, string][] = [
    ['accepted', `${whole(accepted)} of ${whole(sent)}   ${perSecond(report.acceptedPerSecond)}`],
    ...latencyRow('accept ms', report.acceptMs),
  ];
  if (settled === null) rows.push(['settled', 'not waited for']);
  else rows.push(['settled', `${whole(settled)} of ${whole(accepted)}   ${perSecond(report.settledPerSecond!)}`]);
  rows.push(...latencyRow('settle ms', report.settleMs));
  rows.push(...countRows('outcomes', report.outcomes), ...countRows('refused', report.refusals), ...countRows('no answer', report.errors));
  rows.push(...countRows('failed looks', report.failedLooks));
  if (heldBack > 0) rows.push(['held back', `${whole(heldBack)} orders were sent late: too many requests were under way`]);
  const who = clients === 1 ? '1 client' : `${whole(clients)} clients`;
  const how = rate === null ? `${who}, each after its last answer` : `${rate} orders a second, by ${who}`;
  return [`${url}: ${how}`, '', ...rows.map(([name, value]) => `  ${name.padEnd(14)}${value}`), ...closing(report, ending)].join('\n');
}

function closing({ accepted, settled }: Report, ending: Ending): string[] {
  const open = settled === null ? 0 : accepted - settled;
  const orders = open === 1 ? '1 accepted order has' : `${whole(open)} accepted orders have`;
  if (ending === 'gave up') return ['', open > 0 ? `gave up: ${orders} not settled` : 'gave up: no order was accepted any more'];
  if (ending === 'interrupted') return ['', open > 0 ? `interrupted: ${orders} not been seen settled` : 'interrupted'];
  return [];
}

const latencyRow = (name: string, latencies: Latencies | null): [string, string][] =>
  latencies === null
    ? []
    : [
        [
          name,
          Object.entries(latencies)
            .map(([which, value]) => `${which} ${milliseconds(value)}`)
            .join('   '),
        ],
      ];

const countRows = (name: string, counts: Counts): [string, string][] =>
  Object.entries(counts).map(([what, count], i) => [i === 0 ? name : '', `${whole(count)} × ${what}`]);
