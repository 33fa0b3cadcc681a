import type { MetricCollector } from './metrics.ts';

/** Where lines for the person at the keyboard go. */
export type Print = (line: string) => void;

interface Transition {
  readonly aggregateId: string;
  readonly from?: string;
  readonly to: string;
  readonly status: string;
  readonly version: number;
  readonly said?: string;
  readonly total?: number;
  readonly currency?: string;
  readonly customerId?: string;
  readonly failure?: { readonly code: string; readonly detail: string };
}

/** Turns the functions' log lines into what a person wants to follow: one line per order transition, and what went wrong. */
export function logReader(print: Print, metrics: MetricCollector, verbose: boolean): (name: string, line: string) => void {
  return (name, line) => {
    const parsed = parse(line);
    if (parsed && metrics.collect(parsed)) return;
    if (verbose) {
      print(`${name.padEnd(16)} ${line}`);
      return;
    }
    if (!parsed) {
      if (line.trim() !== '') print(`${clock()}  ${name}: ${line}`);
    } else if (parsed['message'] === 'order transition') {
      print(transitionLine(parsed as unknown as Transition));
    } else if (parsed['level'] === 'WARN' || parsed['level'] === 'ERROR') {
      print(problemLine(name, parsed));
    }
  };
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const clock = (): string => new Date().toTimeString().slice(0, 8);
const short = (id: unknown): string => String(id).replace(/^ord_/, '').slice(0, 8);

function transitionLine({ aggregateId, from, to, status, version, total, currency, customerId, failure }: Transition): string {
  const head = `${clock()}  order ${short(aggregateId)}`;
  if (from === undefined) return `${head}  placed by ${customerId}: ${total} ${currency} → ${to}`;
  if (to === 'SETTLED') {
    const why = failure ? ` ${failure.code} (${failure.detail})` : '';
    return `${head}  ${from} → ${status}${why}`;
  }
  const why = failure ? `  because ${failure.code} (${failure.detail})` : '';
  return `${head}  ${from} → ${to}  v${version}${why}`;
}

function problemLine(name: string, line: Record<string, unknown>): string {
  const about = line['aggregateId'] === undefined ? '' : ` order ${short(line['aggregateId'])}`;
  const what =
    line['outcome'] === 'retry' ? `retry in ${String(line['delaySeconds'])} s` : String(line['outcome'] ?? line['to'] ?? line['message']);
  const why = line['error'] ?? line['lastError'] ?? '';
  return `${clock()}  ${name}:${about} ${String(line['type'] ?? '')} ${what}${why === '' ? '' : ` (${String(why)})`}`.replaceAll(
    / {2,}(?=\S)/g,
    (run, at: number) => (at === 8 ? run : ' '),
  );
}
