import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const project = join(import.meta.dirname, '../..');

/** A folder of its own, in memory where the machine has such a place: tests need no durability beyond a killed process. */
export function temporaryFolder(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'order-saga-'));
}

export interface StartedRuntime {
  readonly url: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Everything it printed so far. */
  readonly output: () => string;
  /** Ends it with a signal and waits; the data stays. @returns its exit code */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** Ends it and deletes its data. */
  remove(): Promise<void>;
}

export interface RunOptions {
  readonly dataDir?: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The project that is run; this one by default. */
  readonly root?: string;
}

/** Starts the real command in a process group of its own, on a free port, with the durations of the test stage. */
export function spawnRuntime({ dataDir = temporaryFolder(), args = ['--stage', 'test'], env = {}, root = project }: RunOptions = {}): {
  readonly dataDir: string;
  readonly process: ChildProcess;
  readonly output: () => string;
  /** @throws Error with its output when it ends before it is ready */
  readonly ready: Promise<StartedRuntime>;
  readonly exited: Promise<number | null>;
} {
  const child = spawn(process.execPath, [join(root, 'bin/local.mjs'), '--data-dir', dataDir, ...args], {
    cwd: root,
    detached: true,
    env: { ...process.env, PORT: '0', npm_lifecycle_event: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const output = (): string => text;
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const url = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        text += `${line}\n`;
        const found = /is ready after .*(http:\/\/\S+)/.exec(line)?.[1];
        if (found) resolve(found);
      });
    }
  });
  const end = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return exited;
  };
  const ready = Promise.race([
    url.then((base): StartedRuntime => ({
      url: base,
      dataDir,
      process: child,
      output,
      end,
      remove: async () => {
        await end();
        rmSync(dataDir, { recursive: true, force: true });
      },
    })),
    exited.then((code) => Promise.reject(new Error(`the runtime ended with ${code} before it was ready:\n${text}`))),
  ]);
  ready.catch(() => undefined);
  return { dataDir, process: child, output, ready, exited };
}

export async function startRuntime(options?: RunOptions): Promise<StartedRuntime> {
  return spawnRuntime(options).ready;
}
