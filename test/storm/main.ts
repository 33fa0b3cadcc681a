/** `npm run storm` and `npm run restarts`: the same promises as the simulation's, on real processes. docs/guarantees.md says what they show. */
import { join } from 'node:path';
import { runCommand, UsageProblem } from '../../cli/arguments.ts';

const usage = `npm run storm
npm run restarts

  storm       orders under faults, while processes are killed and the system is started again
  restarts    the system is killed at both sides of every commit of an order

  STORM=short, RESTARTS=ci    a short one, as CI runs it (environment variables)
  --help`;

// npm gives the name of the test as the first word.
await runCommand({ usage, options: {}, words: 1 }, async (_values, [name = '']) => {
  if (!['storm', 'restarts'].includes(name)) throw new UsageProblem('Say which: storm or restarts');
  const { startVitest } = await import('vitest/node');
  const run = await startVitest('test', [`${name}.test`], { config: join(import.meta.dirname, 'vitest.config.ts'), watch: false });
  await run.close();
  return run.state.getCountOfFailedTests() > 0 ? 1 : Number(process.exitCode ?? 0);
});
