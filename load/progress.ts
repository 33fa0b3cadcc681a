import { milliseconds, perSecond } from './report.ts';
import type { Tally } from './tally.ts';

/** What a line of progress is written to: standard error. */
export interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** On a terminal one line, written over and over; elsewhere a line a second. @returns what ends it */
export function showProgress(tally: Tally, orders: number | undefined, screen: Screen): () => void {
  const terminal = screen.isTTY === true;
  const show = (): void => void screen.write(terminal ? `\r${progressLine(tally, orders)}\u001B[K` : `${progressLine(tally, orders)}\n`);
  const timer = setInterval(show, terminal ? 200 : 1000);
  return () => {
    clearInterval(timer);
    show();
    if (terminal) screen.write('\n');
  };
}

export function progressLine(tally: Tally, orders: number | undefined): string {
  const { accepts, settlements, refused, failed } = tally;
  const seconds = Math.round((performance.now() - tally.startedAt) / 1000);
  const latencies = accepts.latencies();
  return [
    `${seconds} s`.padStart(6),
    `${accepts.count}${orders === undefined ? '' : ` of ${orders}`} accepted, ${perSecond(tally.acceptedPerSecond)}`,
    ...(latencies ? [`p50 ${milliseconds(latencies.p50)} ms, p99 ${milliseconds(latencies.p99)} ms`] : []),
    `${settlements.count} settled`,
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(failed > 0 ? [`${failed} without an answer`] : []),
  ].join('   ');
}
