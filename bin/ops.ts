/** `npm run ops`: what an operator does to a running system, under the operator's own AWS credentials. */
import { setTimeout } from 'node:timers/promises';
import { runCommand, UsageProblem, wholeNumber } from '../cli/arguments.ts';
import { customerIdSchema } from '../lambdas/contract/order.ts';
import { consumersOf } from '../ops/dead-letters.ts';
import { eraseCustomer } from '../ops/erase.ts';
import { deployedTarget, localTarget, type QueueTarget, type Target } from '../ops/target.ts';
import { listDeadLetters, redriveDeadLetters } from '../ops/triage.ts';

const usage = `npm run ops -- <command> [options]

  dead-letters list         what lies in the dead-letter queues, by consumer and cause; it stays there
    --consumer <name>         of this consumer only
    --look <n>                messages to look at in each queue            (default 1000)

  dead-letters redrive      sends letters back to their consumer; mend the cause first
    --consumer <name>         whose
    --fingerprint <f>         only those of this cause, as list names it
    --message <id>            only this message
    --order <id>              only those of this order
    --limit <n>               at most so many, the longest dead first
    --look <n>                messages to look at                          (default 1000)
    --yes                     do it; without, it only says what it would do

  erase                     erases a customer's personal data from their orders, and keeps the books
    --customer <id>           whose
    --read-units <n>          a second at most, to look through all orders (default 500; a million orders take about 250,000)

  --outputs <file>          of a stack on AWS: what cdk deploy --outputs-file wrote
  --url <url>               of a local runtime                             (default http://localhost:3000)
  --help

Ends with 0 when everything was done; with 2 when only a part was, and it must be run again: letters that were kept or not looked at,
orders that are still open or cannot be read; with 1 when it could not be done.`;

const text = { type: 'string' } as const;
const options = {
  customer: text,
  consumer: text,
  fingerprint: text,
  message: text,
  order: text,
  limit: text,
  look: text,
  'read-units': text,
  yes: { type: 'boolean' },
  outputs: text,
  url: text,
} as const;
type Values = { readonly [Name in Exclude<keyof typeof options, 'yes'>]?: string } & { readonly yes?: boolean };

/** What each command takes beside where the system is. */
const commands: Readonly<Record<string, { readonly takes: readonly (keyof Values)[]; readonly run: (values: Values) => Promise<number> }>> =
  {
    'dead-letters list': { takes: ['consumer', 'look'], run: list },
    'dead-letters redrive': { takes: ['consumer', 'fingerprint', 'message', 'order', 'limit', 'look', 'yes'], run: redrive },
    erase: { takes: ['customer', 'read-units'], run: erase },
  };

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function target({ outputs, url }: Values): Promise<QueueTarget> {
  if (outputs !== undefined && url !== undefined) throw new UsageProblem('--outputs and --url: a system is in one place');
  return outputs === undefined ? localTarget(url ?? 'http://localhost:3000') : Promise.resolve(deployedTarget(outputs));
}

function consumersNamed({ outputs }: Target, name: string | undefined): ReturnType<typeof consumersOf> {
  const all = consumersOf(outputs);
  const named = all.filter(({ consumer }) => name === undefined || consumer === name);
  if (named.length > 0) return named;
  throw new Error(`--consumer ${name}: no such consumer. There are ${all.map(({ consumer }) => consumer).join(', ') || 'none'}`);
}

async function list(values: Values): Promise<number> {
  const look = wholeNumber('look', values.look ?? '1000');
  const system = await target(values);
  return listDeadLetters(system.queues, consumersNamed(system, values.consumer), look, print);
}

async function redrive(values: Values): Promise<number> {
  const { consumer, fingerprint, message, order, limit, look = '1000', yes = false } = values;
  if (consumer === undefined) throw new UsageProblem('--consumer <name>: say whose letters');
  const selection = { fingerprint, message, order, limit: limit === undefined ? undefined : wholeNumber('limit', limit) };
  const looked = wholeNumber('look', look);
  const system = await target(values);
  const [whose] = consumersNamed(system, consumer);
  return redriveDeadLetters(system.queues, whose!, { selection, look: looked, yes }, print);
}

async function erase(values: Values): Promise<number> {
  const { customer } = values;
  if (customer === undefined) throw new UsageProblem('--customer <id>: say whose data');
  if (!customerIdSchema.safeParse(customer).success) throw new UsageProblem(`--customer ${customer}: is no customer's id`);
  const readUnitsPerSecond = wholeNumber('read-units', values['read-units'] ?? '500');
  const counts = { erased: 0, 'was erased': 0, open: 0, unreadable: 0 };
  // Beside the result, which programs read.
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  progress(`looks through all orders, with at most ${readUnitsPerSecond} read units a second`);
  const erasures = eraseCustomer(await target(values), {
    customerId: customer,
    now: Date.now(),
    readUnitsPerSecond,
    pause: (milliseconds) => setTimeout(milliseconds),
    onProgress: (lookedAt) => progress(`${lookedAt} orders looked at`),
  });
  for await (const { orderId, outcome } of erasures) {
    counts[outcome]++;
    print(`${orderId}  ${outcome}`);
  }
  print(`${counts.erased} erased, ${counts['was erased']} were erased before, ${counts.open} are still open`);
  if (counts.unreadable > 0) print(`${counts.unreadable} cannot be read by this version: erase with the one that wrote them`);
  return counts.open + counts.unreadable === 0 ? 0 : 2;
}

await runCommand({ usage, options, words: 2 }, async (values, words) => {
  const name = words.join(' ');
  const command = Object.hasOwn(commands, name) ? commands[name]! : undefined;
  if (!command) throw new UsageProblem(name === '' ? 'Say what to do' : `'${name}': no such command`);
  const foreign = Object.keys(values).find((option) => !['outputs', 'url', ...command.takes].includes(option));
  if (foreign !== undefined) throw new UsageProblem(`--${foreign}: ${name} does not take it`);
  return command.run(values);
});
