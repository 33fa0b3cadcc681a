import { readFileSync } from 'node:fs';
import { startRuntime, type StartedRuntime } from '../support/runtime.ts';
import { deployedSystem, localSystem, type System } from '../support/system.ts';

/**
 * The system that the suite runs against: the stack at ORDER_SAGA_URL, with its outputs in the file ORDER_SAGA_OUTPUTS
 * (as `cdk deploy --outputs-file` writes it; a running `npm start` needs none), or a local runtime that is started for the suite; its functions run
 * in what ORDER_SAGA_ISOLATION says.
 */
export async function target(): Promise<{ system: System; release: () => Promise<void> }> {
  const { ORDER_SAGA_URL: url, ORDER_SAGA_OUTPUTS: file, ORDER_SAGA_ISOLATION: isolation } = process.env;
  if (url === undefined) {
    const runtime: StartedRuntime = await startRuntime(isolation === undefined ? {} : { isolation: isolation as 'thread' | 'process' });
    return { system: await localSystem(runtime.url), release: () => runtime.remove() };
  }
  // A local runtime tells its outputs itself.
  if (file === undefined) return { system: await localSystem(url), release: () => Promise.resolve() };
  const stacks = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>;
  const outputs = Object.values(stacks)[0];
  if (!outputs) throw new Error(`${file} holds no outputs`);
  return { system: deployedSystem(url, outputs), release: () => Promise.resolve() };
}
