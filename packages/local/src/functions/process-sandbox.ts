import { setPriority } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Processes } from '../processes.ts';
import type { FromEnvironment } from './protocol.ts';
import { exited, outOfMemory, variablesOf, type StartSandbox } from './sandbox.ts';

/** A child process for every environment: memory, crashes and credentials are its own, and it is frozen (SIGSTOP) between invocations. */
export function inProcesses(processes: Processes, awsEndpoint: string): StartSandbox {
  return (fn, { onMessage, onLine, onEnd }) => {
    const child = processes.fork(join(import.meta.dirname, `inside/process${extname(import.meta.filename)}`), {
      env: variablesOf(fn, awsEndpoint),
      // V8's heap is most of what a function uses; the rest of its memory is the process's own.
      execArgv: [`--max-old-space-size=${fn.memoryMb}`, '--disable-warning=ExperimentalWarning'],
    });
    yieldTo(child.pid, fn.priority);
    let errors = '';
    let ended = false;
    const end = (why: string): void => {
      if (ended) return;
      ended = true;
      onEnd(why);
    };
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (stream === child.stderr) errors = `${errors}\n${line}`.slice(-2000);
        onLine(line);
      });
    }
    child.on('message', (message: FromEnvironment) => onMessage(message));
    child.once('exit', (code, signal) => end(whyItEnded(errors, code, signal)));
    child.once('error', (error) => end(error.message));
    const signal = (name: NodeJS.Signals): void => {
      if (process.platform !== 'win32') child.kill(name);
    };
    return {
      pid: child.pid,
      send: (message) =>
        void child.send(message, (error) => {
          if (error) end(error.message);
        }),
      freeze: () => signal('SIGSTOP'),
      thaw: () => signal('SIGCONT'),
      kill: () => void child.kill('SIGKILL'),
    };
  };
}

function yieldTo(pid: number | undefined, priority: number): void {
  try {
    if (pid !== undefined) setPriority(pid, priority);
  } catch {
    // It has ended already, which is told elsewhere.
  }
}

function whyItEnded(errors: string, code: number | null, signal: NodeJS.Signals | null): string {
  if (/heap out of memory|allocation failed/i.test(errors)) return outOfMemory;
  return exited(
    signal === null ? `status ${code}` : `signal ${signal}`,
    errors.split('\n').find((line) => /^\w*Error\b/.test(line)),
  );
}
