import { defineConfig } from 'vitest/config';

// Not part of `npm test`: these take minutes. `npm run storm` and `npm run restarts` run them; docs/guarantees.md says what they show.
process.env['CDK_VALIDATION'] ??= 'false';

export default defineConfig({
  test: {
    reporters: ['default', './test/support/count-reporter.ts'],
    include: ['test/storm/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: process.env['RESTARTS'] ? 180_000 : 30 * 60_000,
    hookTimeout: 120_000,
    // Each case has a runtime of its own and spends most of its time waiting for a visibility timeout.
    maxConcurrency: 3,
  },
});
