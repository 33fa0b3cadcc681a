import { defineConfig } from 'vitest/config';

// A test that has not ended by then hangs: no test is about time.
export default defineConfig({ test: { testTimeout: 120_000, hookTimeout: 120_000 } });
