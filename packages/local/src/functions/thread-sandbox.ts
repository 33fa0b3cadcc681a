import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { askedOf, serviceOf } from '../aws/call.ts';
import type { AwsCalls } from '../aws/calls.ts';
import type { FromThread, ThreadData, ToThread } from './protocol.ts';
import { exited, outOfMemory, variablesOf, type StartSandbox } from './sandbox.ts';

export interface Threads {
  readonly calls: AwsCalls;
  /** What functions take for AWS; a call to it leaves a thread as a message. */
  readonly awsEndpoint: string;
  readonly onProblem: (what: string) => void;
}

/** New objects are collected often and cheaply in a small young generation; a larger one costs every thread its memory. */
const youngGenerationMb = 8;

/**
 * A thread of this process for every environment, with variables, output and a memory limit of its own. Its AWS calls come as messages,
 * so the thread itself is the function's identity: nothing is signed anew or checked.
 */
export function inThreads({ calls, awsEndpoint, onProblem }: Threads): StartSandbox {
  return (fn, { onMessage, onLine, onEnd }) => {
    const data: ThreadData = { awsEndpoint, priority: fn.priority };
    const worker = new Worker(join(import.meta.dirname, `inside/thread${extname(import.meta.filename)}`), {
      name: fn.name,
      env: variablesOf(fn, awsEndpoint),
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: fn.memoryMb, maxYoungGenerationSizeMb: youngGenerationMb },
      // What the loaded code prints comes as messages; these are for what V8 itself says.
      stdout: true,
      stderr: true,
    });
    const post = (message: ToThread): void => worker.postMessage(message);
    const open = new Map<number, AbortController>();
    const answer = async ({ id, method, path, target, body }: Extract<FromThread, { kind: 'call' }>): Promise<void> => {
      const abandoned = new AbortController();
      open.set(id, abandoned);
      const read = (): ReturnType<Parameters<AwsCalls['answer']>[1]> =>
        Promise.resolve([fn.name, { ...serviceOf(method, path ?? undefined, target), asked: askedOf(body) }]);
      try {
        const answered = await calls.answer(target, read, abandoned.signal);
        if (answered !== 'none') post({ kind: 'answer', id, ...answered });
      } catch (error) {
        onProblem(`${fn.name}, ${target}: ${(error as Error).stack}`);
        post({ kind: 'answer', id, status: 500, headers: {}, body: JSON.stringify({ __type: 'InternalFailure' }) });
      } finally {
        open.delete(id);
      }
    };
    let why: string | undefined;
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'call') void answer(message);
      else if (message.kind === 'abandon') open.get(message.id)?.abort();
      else if (message.kind === 'lines') for (const line of message.lines) onLine(line);
      else onMessage(message);
    });
    // After an error comes the exit, which says less.
    worker.once('error', (error: NodeJS.ErrnoException) => {
      why = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? outOfMemory : exited('status 1', `${error.name}: ${error.message}`);
    });
    worker.once('exit', (code) => {
      for (const abandoned of open.values()) abandoned.abort();
      onEnd(why ?? exited(`status ${code}`));
    });
    return {
      pid: undefined,
      send: post,
      // V8 has no such thing for a thread: timers of a function go on between its invocations.
      freeze: () => undefined,
      thaw: () => undefined,
      kill: () => void worker.terminate(),
    };
  };
}
