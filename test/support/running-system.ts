import { afterAll, beforeAll } from 'vitest';
import { startRuntime, type RunOptions, type StartedRuntime } from './runtime.ts';
import { localSystem, type System } from './system.ts';

/** A local runtime of the test file's own, started before its tests and removed after them. Its members are there once a test runs. */
export function runningSystem(options?: RunOptions): System & { readonly dataDir: string } {
  let runtime: StartedRuntime | undefined;
  let system: System;
  beforeAll(async () => {
    runtime = await startRuntime(options);
    system = await localSystem(runtime.url);
  });
  afterAll(() => runtime?.remove());
  return {
    get api() {
      return system.api;
    },
    get client() {
      return system.client;
    },
    get dataDir() {
      return runtime!.dataDir;
    },
    get url() {
      return system.url;
    },
    get outputs() {
      return system.outputs;
    },
    get database() {
      return system.database;
    },
    get queues() {
      return system.queues;
    },
  };
}
