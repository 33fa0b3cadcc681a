import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with one plain line, `660 passed, 0 failed`, that any tool can read. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state]++;
      // A file that does not even load has no tests to count, but it has failed.
      if (!module.ok() && counts.failed === 0) counts.failed++;
    }
    process.stdout.write(
      `\n${counts.passed} passed, ${counts.failed + counts.pending} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}\n`,
    );
  }
}
