import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { compileCacheVariable } from './packages/local/src/functions/protocol.ts';

// CDK's offline validator runs at every synth; the infra tests that need it turn it on for themselves.
process.env['CDK_VALIDATION'] ??= 'false';
// Workers, and the commands that tests start, load the same packages over and over: they are compiled once, as the runtime's own code is.
process.env[compileCacheVariable] ??= join(import.meta.dirname, 'node_modules/.cache/outbox-saga/code');

/** A test that has not ended by then hangs. No test is about time: a busy machine may be ten times slower. */
const hanging = 600_000;

const patient = { testTimeout: hanging, hookTimeout: hanging };

/** Each file starts whole systems. */
const systems = { pool: 'forks' as const, ...patient };
const endToEnd = { include: ['test/e2e/**/*.test.ts'], ...systems };

export default defineConfig({
  test: {
    // One more than there are cores, as most files also wait: for a retry window, a queue, a process.
    maxWorkers: availableParallelism() + 1,
    reporters: ['default', './test/support/count-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,style}/**/*.test.ts', 'packages/{kit,local}/test/**/*.test.ts', 'packages/testing/test/*.test.ts'],
          pool: 'threads',
          isolate: false,
          ...patient,
        },
      },
      {
        test: {
          name: 'infra',
          include: ['test/infra/**/*.test.ts', 'packages/constructs/test/**/*.test.ts'],
          pool: 'threads',
          isolate: false,
          ...patient,
        },
      },
      { test: { name: 'contract', include: ['test/contract/**/*.test.ts'], pool: 'forks', isolate: false, ...patient } },
      // The same suite on the simulation's memory: what is proven there holds for what it stands for.
      {
        test: {
          name: 'contract-memory',
          include: ['test/contract/**/*.test.ts'],
          pool: 'threads',
          isolate: false,
          env: { TEST_TABLES: 'memory' },
          ...patient,
        },
      },
      { test: { name: 'engine', include: ['packages/emulator/test/**/*.test.ts'], pool: 'forks', ...patient } },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts', 'packages/testing/test/simulation/*.test.ts'],
          pool: 'forks',
          ...patient,
        },
      },
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], ...systems } },
      { test: { name: 'e2e', ...endToEnd } },
      // Once more with every function in a process of its own.
      { test: { name: 'e2e-processes', ...endToEnd, env: { ORDER_SAGA_ISOLATION: 'process' } } },
    ],
  },
});
