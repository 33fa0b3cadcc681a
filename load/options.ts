import { UsageProblem, wholeNumber } from '../cli/arguments.ts';

export const usage = `npm run load -- [options]

  Places orders on a running system from many clients at once, and tells how fast they were accepted and settled. The report is on standard output,
  progress on standard error.

  --clients <n>      customers, from 1 to 1000                            (default 16)
  --orders <n>       places so many orders                                (default 320)
  --seconds <n>      places orders for so long, in place of --orders
  --rate <n>         orders a second, whether or not those before were answered; latencies count from when each was due.
                     Default: each client places its next order when the last one was answered
  --sku <sku>        what is ordered. Default, on this machine only: a SKU of this command's own, whose stock it sets
  --stock <n>        sets the stock of --sku first
  --no-wait          does not wait until the orders have settled
  --patience <n>     gives up after so many seconds in which no order was accepted or settled    (default 120)
  --json             prints the report as JSON

  --url <url>        where the system is                                  (default ORDER_SAGA_URL, or http://localhost:PORT, or port 3000)
  --allow-remote     it may be on another machine: by https, and never stage prod
  --token <jwt>      who orders                                           (default ORDER_SAGA_TOKEN)
  --data-dir <dir>   of a local runtime with --auth: identities are made from it                 (default .local)
  --help

Without a token, a system elsewhere that asks who we are gets signatures by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; so does every --stock there.
A client whose order was not accepted rests for 0.1 s. Ctrl-C ends placing, and the report tells of what was done.

Ends with 0 when every order was accepted and has settled (with --no-wait: was accepted); with 2 when one was refused, got no answer or has not
settled; with 1 when it could not begin; with 130 after Ctrl-C.`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
export const options = {
  clients: { ...text, default: '16' },
  orders: text,
  seconds: text,
  rate: text,
  sku: text,
  stock: text,
  'no-wait': flag,
  patience: { ...text, default: '120' },
  json: flag,
  url: text,
  'allow-remote': flag,
  token: text,
  'data-dir': { ...text, default: '.local' },
} as const;

type Texts = 'orders' | 'seconds' | 'rate' | 'sku' | 'stock' | 'url' | 'token';
/** What was written on the command line. */
export type Written = { readonly [Name in Texts]?: string | undefined } & {
  readonly [Name in 'clients' | 'patience' | 'data-dir']: string;
} & { readonly [Name in 'no-wait' | 'json' | 'allow-remote']: boolean };

export interface LoadOptions {
  /** Without a slash at its end. */
  readonly url: string;
  /** Whether the system is on this machine. */
  readonly local: boolean;
  readonly clients: number;
  readonly orders: number | undefined;
  readonly seconds: number | undefined;
  readonly rate: number | undefined;
  readonly sku: string;
  /** What the stock of the SKU is set to; undefined: it is left alone. */
  readonly stock: number | undefined;
  readonly wait: boolean;
  readonly patienceMs: number;
  readonly json: boolean;
  readonly token: string | undefined;
  readonly dataDir: string;
}

const ownSku = 'load';
const ownStock = 1_000_000_000;

/** @throws UsageProblem that names the option that is wrong */
export function readOptions(written: Written, environment: NodeJS.ProcessEnv): LoadOptions {
  const { orders, seconds, rate } = written;
  if (orders !== undefined && seconds !== undefined) throw new UsageProblem('--orders and --seconds: placing ends in one way');
  const url = addressOf(written, environment);
  const local = isLoopback(url);
  return {
    url: url.href.replace(/\/$/, ''),
    local,
    clients: numberUpTo('clients', written.clients, 1000),
    orders: seconds === undefined ? numberUpTo('orders', orders ?? '320', 10_000_000) : undefined,
    seconds: seconds === undefined ? undefined : numberUpTo('seconds', seconds, 86_400),
    rate: rate === undefined ? undefined : rateOf(rate),
    ...wareOf(written, local),
    wait: !written['no-wait'],
    patienceMs: numberUpTo('patience', written.patience, 86_400) * 1000,
    json: written.json,
    token: written.token ?? (environment['ORDER_SAGA_TOKEN'] || undefined),
    dataDir: written['data-dir'],
  };
}

function numberUpTo(option: string, text: string, most: number): number {
  const number = wholeNumber(option, text);
  if (number > most) throw new UsageProblem(`--${option} ${text}: must be at most ${most}`);
  return number;
}

function rateOf(text: string): number {
  const rate = Number(text);
  if (!/^\d{1,5}(\.\d{1,3})?$/.test(text) || rate <= 0 || rate > 10_000)
    throw new UsageProblem(`--rate ${text}: must be a number above 0 and at most 10000`);
  return rate;
}

/** Nothing that is sold is touched unasked: by default the SKU is the command's own, and only on this machine. */
function wareOf({ sku, stock }: Written, local: boolean): Pick<LoadOptions, 'sku' | 'stock'> {
  if (stock !== undefined && sku === undefined) throw new UsageProblem('--stock needs --sku: say whose stock is set');
  if (sku === undefined && !local)
    throw new UsageProblem('--sku <sku>: say what is ordered; only on this machine the command has stock of its own');
  if (sku === undefined) return { sku: ownSku, stock: ownStock };
  return { sku, stock: stock === undefined ? undefined : wholeNumber('stock', stock, 0) };
}

function addressOf({ url: option, 'allow-remote': remote }: Written, environment: NodeJS.ProcessEnv): URL {
  const [name, text] =
    option !== undefined
      ? ['--url', option]
      : environment['ORDER_SAGA_URL']
        ? ['ORDER_SAGA_URL', environment['ORDER_SAGA_URL']]
        : ['PORT', `http://localhost:${environment['PORT'] ?? '3000'}`];
  const wrong = (why: string): UsageProblem => new UsageProblem(`${name} ${text}: ${why}`);
  if (!URL.canParse(text)) throw wrong('is not a URL');
  const url = new URL(text);
  if (!['http:', 'https:'].includes(url.protocol)) throw wrong('must begin with http:// or https://');
  if (url.search !== '' || url.hash !== '' || url.username !== '') throw wrong('must be an address without user, query and fragment');
  if (isLoopback(url)) return url;
  if (!remote) throw wrong('is not on this machine. --allow-remote places orders there all the same');
  if (url.protocol !== 'https:') throw wrong('must begin with https:// because it is not on this machine');
  return url;
}

const isLoopback = ({ hostname }: URL): boolean => ['localhost', '[::1]'].includes(hostname) || /^127(\.\d+){3}$/.test(hostname);
