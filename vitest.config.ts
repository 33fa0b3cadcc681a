import { defineConfig } from 'vitest/config';

// CDK's offline validator runs at every synth; the infra tests that need it turn it on for themselves.
process.env['CDK_VALIDATION'] ??= 'false';

export default defineConfig({
  test: {
    // All cores: on two, the default would use one.
    maxWorkers: '100%',
    reporters: ['default', './test/support/count-reporter.ts'],
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/style/**/*.test.ts'], pool: 'threads', isolate: false } },
      {
        test: {
          name: 'infra',
          include: ['test/infra/**/*.test.ts'],
          pool: 'threads',
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          pool: 'forks',
          isolate: false,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      // The same suite on the simulation's memory: what is proven there holds for what it stands for.
      {
        test: {
          name: 'contract-memory',
          include: ['test/contract/**/*.test.ts'],
          pool: 'threads',
          isolate: false,
          env: { TEST_TABLES: 'memory' },
        },
      },
      { test: { name: 'engine', include: ['test/engine/**/*.test.ts'], pool: 'forks', testTimeout: 30_000, hookTimeout: 30_000 } },
      { test: { name: 'simulation', include: ['test/simulation/**/*.test.ts'], pool: 'forks', testTimeout: 60_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          pool: 'forks',
          // Each file starts a whole system of a dozen processes: three at a time, as they also wait, after the files that start none.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
