import { flushCompileCache } from 'node:module';
import { banner } from './banner.ts';
import type { LocalApp } from './app.ts';
import { parseOptions, usageOf } from './options.ts';
import { StartProblem } from './problem.ts';
import { parentOf } from './processes.ts';

/** The command: starts, says so, and stops on the first signal. */
export async function main(app: LocalApp, args: readonly string[]): Promise<void> {
  const startedAt = performance.now();
  const print = linePrinter();
  try {
    const options = parseOptions(app, args, process.env);
    if (options === 'help') return print(usageOf(app));
    // Until there is something to stop in order, ending is enough: the reaper ends what was started.
    let stop = (_code: number): void => process.exit(1);
    if (options.stopWithStdin) whenStdinEnds(() => stop(0));
    // Its modules take a while to load: not for a mistake in the command line.
    const { startLocalRuntime } = await import('./runtime.ts');
    const runtime = await startLocalRuntime(app, options, print);
    print(banner(app, runtime, options, (performance.now() - startedAt) / 1000));
    // Now, and not at its end: it may be killed.
    flushCompileCache();

    const stopped = new Promise<number>((resolve) => {
      stop = resolve;
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(0));
      whenNpmEnds(() => stop(0));
    });
    const code = await stopped;
    await runtime.stop();
    print('stopped');
    process.exit(code);
  } catch (error) {
    process.stderr.write(error instanceof StartProblem ? `\n${error.message}\n\n` : `${(error as Error).stack}\n`);
    process.exit(1);
  }
}

/** Lines of one turn of the event loop are written together: under load there are hundreds a second. */
function linePrinter(): (line: string) => void {
  let lines: string[] = [];
  const write = (): void => {
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    lines = [];
  };
  process.on('exit', () => {
    if (lines.length > 0) write();
  });
  return (line) => {
    if (lines.push(line) === 1) setImmediate(write);
  };
}

/** The system closes the other end of a pipe with the process that held it, however it died. */
function whenStdinEnds(stop: () => void): void {
  process.stdin.on('end', stop).on('error', stop).resume();
  // Whoever would have read it is gone too; the rest of the way is silent.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/**
 * A signal to npm ends npm, and perhaps its shell, but does not reach us: losing a parent or its parent is that signal.
 * Asked only under npm; a server started from a script may outlive the script.
 */
function whenNpmEnds(stop: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const ancestors = (): string => `${process.ppid} ${parentOf(process.ppid)}`;
  const before = ancestors();
  const timer = setInterval(() => {
    if (ancestors() === before) return;
    clearInterval(timer);
    stop();
  }, 500);
}
