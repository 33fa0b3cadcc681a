/** `npm run storm`, `npm run restarts` and `npm run kills`: the same promises as the simulation's, on real processes. docs/guarantees.md says what they show. */
import { join } from 'node:path';
import { runCommand, UsageProblem } from '../../cli/arguments.ts';

const usage = `npm run storm
npm run restarts
npm run kills

  storm       orders under faults, while processes are killed and the system is started again
  restarts    the system is killed at both sides of every commit of an order
  kills       the system is killed at chance moments under load; what it had acknowledged is there

  STORM=short, RESTARTS=ci    a short one, as CI runs it (environment variables)
  KILLS=20, SEED=1            how often, and at which moments (environment variables)
  --help`;

// npm gives the name of the test as the first word.
await runCommand({ usage, options: {}, words: 1 }, async (_values, [name = '']) => {
  if (!['storm', 'restarts', 'kills'].includes(name)) throw new UsageProblem('Say which: storm, restarts or kills');
  const { startVitest } = await import('vitest/node');
  const run = await startVitest('test', [`${name}.test`], { config: join(import.meta.dirname, 'vitest.config.ts'), watch: false });
  await run.close();
  return run.state.getCountOfFailedTests() > 0 ? 1 : Number(process.exitCode ?? 0);
});
