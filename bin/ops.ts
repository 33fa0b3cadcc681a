/** `npm run ops`: what an operator does to a running system, under the operator's own AWS credentials. */
import { parseArgs } from 'node:util';
import { customerIdSchema } from '../lambdas/contract/order.ts';
import { eraseCustomer } from '../ops/erase.ts';
import { deployedTarget, localTarget } from '../ops/target.ts';

const usage = `npm run ops -- erase --customer <id> [--url <local runtime>] [--outputs <file>]

  erase                 erases a customer's personal data from their orders, and keeps the books
  --customer <id>       whose
  --outputs <file>      of a stack on AWS: what cdk deploy --outputs-file wrote
  --url <url>           of a local runtime                (default http://localhost:3000)

Ends with 0 when nothing is left to erase, with 2 when orders are still open: then run it again later.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { customer: { type: 'string' }, url: { type: 'string', default: 'http://localhost:3000' }, outputs: { type: 'string' } },
  });
  const { customer, url, outputs } = values;
  if (positionals.join() !== 'erase' || customer === undefined) throw new Error(usage);
  if (!customerIdSchema.safeParse(customer).success) throw new Error(`--customer ${customer}: is no customer's id`);
  const target = outputs === undefined ? await localTarget(url) : deployedTarget(outputs);
  const counts = { erased: 0, 'was erased': 0, open: 0 };
  for await (const { orderId, outcome } of eraseCustomer(target, customer, Date.now())) {
    counts[outcome]++;
    process.stdout.write(`${orderId}  ${outcome}\n`);
  }
  process.stdout.write(`${counts.erased} erased, ${counts['was erased']} were erased before, ${counts.open} are still open\n`);
  return counts.open === 0 ? 0 : 2;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`\n${(error as Error).message}\n\n`);
  process.exitCode = 1;
}
