import type { LocalApp } from './app.ts';
import type { MetricCollector } from './metrics.ts';

/** Where lines for the person at the keyboard go. */
export type Print = (line: string) => void;

/** Turns the functions' log lines into what a person wants to follow: what the application tells, and what went wrong. */
export function logReader(
  { tell, aggregateName }: Pick<LocalApp, 'tell' | 'aggregateName'>,
  print: Print,
  metrics: MetricCollector,
  verbose: boolean,
): (name: string, line: string) => void {
  return (name, line) => {
    const parsed = parse(line);
    if (parsed && metrics.collect(parsed)) return;
    if (verbose) {
      print(`${name.padEnd(16)} ${line}`);
      return;
    }
    if (!parsed) {
      if (line.trim() !== '') print(`${clock()}  ${name}: ${line}`);
      return;
    }
    const told = tell?.(parsed);
    if (told !== undefined) print(`${clock()}  ${told}`);
    else if (parsed['level'] === 'WARN' || parsed['level'] === 'ERROR') print(problemLine(name, parsed, aggregateName));
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

function problemLine(name: string, line: Record<string, unknown>, aggregateName: (id: string) => string = (id) => id): string {
  const about = line['aggregateId'] === undefined ? '' : ` ${aggregateName(String(line['aggregateId']))}`;
  const what =
    line['outcome'] === 'retry' ? `retry in ${String(line['delaySeconds'])} s` : String(line['outcome'] ?? line['to'] ?? line['message']);
  const why = line['error'] ?? line['lastError'] ?? '';
  return `${clock()}  ${name}:${about} ${String(line['type'] ?? '')} ${what}${why === '' ? '' : ` (${String(why)})`}`.replaceAll(
    / {2,}(?=\S)/g,
    (run, at: number) => (at === 8 ? run : ' '),
  );
}
