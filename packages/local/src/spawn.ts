import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';

export interface SpawnOptions {
  readonly dataDir: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The project that is run. */
  readonly root: string;
  /** What starts it, below the root: a script that takes the command's options, or a module that exports `app`, which this package's command then runs. */
  readonly program: string;
  /** What runs it; by default, what runs this. */
  readonly node?: string;
  /** Whether it has --stop-with-stdin; releases up to 0.3.0 have not. */
  readonly stopsWithStdin?: boolean;
}

export interface StartedRuntime {
  readonly url: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** From the command to its banner. */
  readonly readySeconds: number;
  /** Everything it printed so far. */
  readonly output: () => string;
  /** Ends it with a signal and waits; the data stays. @returns its exit code */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** Ends it and deletes its data. */
  remove(): Promise<void>;
}

export interface SpawnedRuntime {
  readonly dataDir: string;
  readonly process: ChildProcess;
  readonly output: () => string;
  /** @throws Error with its output when it ends before it is ready */
  readonly ready: Promise<StartedRuntime>;
  readonly exited: Promise<number | null>;
}

/** This package's command: beside the sources, or inside what was packed. */
const command = ['../bin', 'bin']
  .map((folder) => join(import.meta.dirname, folder, 'outbox-saga-local.mjs'))
  .find((file) => existsSync(file))!;

const endsWithParent = join(import.meta.dirname, `ends-with-parent${extname(import.meta.filename)}`);

/**
 * Starts what `npm start` starts, on a free port and in a process group of its own. It ends with this process, however this one ends: its standard
 * input is a pipe that the system closes then. A release that does not watch it gets a channel for that.
 */
export function spawnRuntime({
  dataDir,
  args = [],
  env = {},
  root,
  program: file,
  node = process.execPath,
  stopsWithStdin = true,
}: SpawnOptions): SpawnedRuntime {
  const startedAt = performance.now();
  const program = [...(file.endsWith('.ts') ? [command, file] : [join(root, file)]), '--data-dir', dataDir, ...args];
  const child = spawn(node, stopsWithStdin ? [...program, '--stop-with-stdin'] : ['--import', endsWithParent, ...program], {
    cwd: root,
    detached: true,
    env: { ...process.env, PORT: '0', npm_lifecycle_event: undefined, ...env },
    stdio: ['pipe', 'pipe', 'pipe', ...(stopsWithStdin ? [] : ['ipc' as const])],
  });
  let text = '';
  const output = (): string => text;
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const url = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream! }).on('line', (line) => {
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
      readySeconds: (performance.now() - startedAt) / 1000,
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
