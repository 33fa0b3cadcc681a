import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/fidelity/**/*.test.ts'],
    reporters: ['default', './test/support/count-reporter.ts'],
    pool: 'forks',
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
