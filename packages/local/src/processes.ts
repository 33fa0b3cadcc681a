import { execFileSync, fork, spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';

/** Begins the argument by which a process is known to be a data directory's. */
const markerOption = '--local-runtime=';

/**
 * Every process that the runtime starts, so that none outlives it. Three nets: an orderly stop ends them; a reaper process
 * kills them when the runtime dies without a word (kill -9); and what even that missed is found by its id at the next start.
 *
 * All of them run in process groups of their own: Ctrl-C in a terminal must reach the runtime, which then stops them in order.
 */
export class Processes {
  readonly #file: string;
  readonly #marker: string;
  #reaper: ChildProcess | undefined;
  readonly #running = new Set<ChildProcess>();

  constructor(dataDir: string) {
    this.#file = join(dataDir, 'processes');
    this.#marker = `${markerOption}${dataDir}`;
    this.#killOrphans();
  }

  spawn(command: string, args: readonly string[]): ChildProcess {
    const reaper = this.#watching();
    return this.#keep(reaper, spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  fork(script: string, options: { env: NodeJS.ProcessEnv; execArgv: string[] }): ChildProcess {
    const reaper = this.#watching();
    return this.#keep(reaper, fork(script, [this.#marker], { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }));
  }

  /** Ends all of them at once and waits until they are gone. */
  async killAll(): Promise<void> {
    const running = [...this.#running];
    const gone = running.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of running) child.kill('SIGKILL');
    await Promise.all(gone);
    rmSync(this.#file, { force: true });
    const reaper = this.#reaper;
    if (!reaper) return;
    reaper.ref();
    const reaperGone = new Promise((resolve) => reaper.once('exit', resolve));
    reaper.stdin!.end();
    await reaperGone;
  }

  /** The reaper. It is started before the first process that it watches: nobody else would end a frozen one. */
  #watching(): ChildProcess {
    if (this.#reaper) return this.#reaper;
    const reaper = spawn(process.execPath, [join(import.meta.dirname, `reaper${extname(import.meta.filename)}`), this.#marker], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    reaper.stdin.on('error', () => undefined);
    reaper.unref();
    this.#reaper = reaper;
    return reaper;
  }

  #keep({ stdin }: ChildProcess, child: ChildProcess): ChildProcess {
    const { pid } = child;
    if (pid === undefined) return child;
    this.#running.add(child);
    stdin!.write(`+${pid}\n`);
    appendFileSync(this.#file, `${pid}\n`);
    child.once('exit', () => {
      this.#running.delete(child);
      stdin!.write(`-${pid}\n`);
    });
    return child;
  }

  /** Kills what an earlier run left, if the process with that id still is one of this data directory's. */
  #killOrphans(): void {
    if (!existsSync(this.#file)) return;
    for (const line of readFileSync(this.#file, 'utf8').split('\n')) {
      const pid = Number(line);
      if (!Number.isInteger(pid) || pid <= 1 || !commandOf(pid).includes(this.#marker.slice(markerOption.length))) continue;
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself between the look and the kill.
      }
    }
    rmSync(this.#file, { force: true });
  }
}

/** The command line of a process; empty when there is none. */
export function commandOf(pid: number): string {
  return ask('command=', pid);
}

/** The parent's id of a process; empty when there is none. */
export function parentOf(pid: number): string {
  if (process.platform !== 'linux') return ask('ppid=', pid).trim();
  try {
    // After the name, which may hold anything and ends with the last parenthesis: state, then the parent's id. It costs no process, and is asked twice a second.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? '';
  } catch {
    return '';
  }
}

function ask(column: string, pid: number): string {
  try {
    return execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}
