/** `npm run load`: places orders on a running system from many clients at once, and tells how fast they were accepted and settled. */
import { runCommand } from '../cli/arguments.ts';
import { findAccess, type Access } from './access.ts';
import { clientOf } from './customers.ts';
import { options, readOptions, usage, type LoadOptions } from './options.ts';
import { pause } from './pause.ts';
import { showProgress } from './progress.ts';
import { exitCodeOf, reportOf, textOf } from './report.ts';
import { runLoad } from './run.ts';
import { Tally } from './tally.ts';

/** After Ctrl-C, requests that are under way get so long: an order whose answer is not heard was placed all the same. */
const answersWithinMs = 5000;
/** Under npm one Ctrl-C arrives twice, from the terminal and from npm. What comes later is a second one: it ends everything at once. */
const onePressMs = 1000;

async function load(settings: LoadOptions): Promise<number> {
  const [stop, end] = [new AbortController(), new AbortController()];
  const access = await findAccess(settings, end.signal);
  await setStock(settings, access);

  let interruptedAt: number | undefined;
  const interrupt = (): void => {
    const now = performance.now();
    interruptedAt ??= now;
    if (now - interruptedAt > onePressMs) process.exit(130);
    if (stop.signal.aborted) return;
    stop.abort();
    void pause(answersWithinMs, end.signal).then(() => end.abort());
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);

  const tally = new Tally();
  const hide = showProgress(tally, settings.orders, process.stderr);
  const plan = { ...settings, customers: access.customers };
  const { ending } = await runLoad(plan, { tally, stop: stop.signal });
  hide();
  // Ends the wait for answers too.
  end.abort();
  const report = reportOf(plan, tally, ending);
  process.stdout.write(settings.json ? `${JSON.stringify(report, null, 2)}\n` : `${textOf(report)}\n`);
  return exitCodeOf(report);
}

async function setStock({ url, sku, stock }: LoadOptions, { operator }: Access): Promise<void> {
  if (stock === undefined) return;
  await clientOf(url, operator())
    .putStock(sku, { available: stock })
    .catch((error: unknown) => {
      throw new Error(`the stock of ${sku} could not be set: ${(error as Error).message}`, { cause: error });
    });
}

await runCommand({ usage, options }, (written) => load(readOptions(written, process.env)));
