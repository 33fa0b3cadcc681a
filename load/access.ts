import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ApiProblem } from '../client/http.ts';
import { scopes } from '../lambdas/contract/api/access.ts';
import { Identities, identitiesFile } from '@outbox-saga/local/identities';
import { localRegion } from '@outbox-saga/local/template';
import { environmentCredentials } from '@outbox-saga/kit/aws/credentials';
import { clientOf, type Authorize, type Customer } from './customers.ts';
import type { LoadOptions } from './options.ts';
import { signedBy } from './signed.ts';
import { causeOf } from './tally.ts';

/** Who places the orders, and who sets the stock. */
export interface Access {
  readonly customers: readonly Customer[];
  /** undefined: everyone may. @throws Error that says what is missing: customers may do without it */
  readonly operator: () => Authorize | undefined;
}

type Proof = 'none' | 'token' | 'signature';

const placing = [scopes.place, scopes.read].map(({ scope }) => scope).join(' ');
/** Longer than a load may take. */
const tokenSeconds = 2 * 86_400;

/**
 * Finds out how the system wants to be asked, and gets what that takes: on this machine from the local runtime's data directory, elsewhere from the
 * command line and the environment.
 *
 * @param end ends the customers' requests that are under way
 * @throws Error that says what is missing or not taken; also when nothing answers, when it is no Order Saga, and when it takes real money
 */
export async function findAccess(options: LoadOptions, end: AbortSignal): Promise<Access> {
  const { url, wait } = options;
  await greet(url);
  const access = await accessBy(await demanded(url), options, end);
  const [first] = access.customers;
  // Who need not see orders settle need not be allowed to read them.
  if (wait)
    await list(first!).catch((error: unknown) => {
      throw new Error(`${url} does not take who we say we are: ${(error as Error).message}`, { cause: error });
    });
  return access;
}

async function accessBy(proof: Proof, options: LoadOptions, end: AbortSignal): Promise<Access> {
  const { url, clients, token, local } = options;
  const people = Array.from({ length: clients }, (_, i) => `load-${i + 1}`);
  const each = (authorize?: Authorize): Customer[] => people.map((customerId) => ({ client: clientOf(url, authorize, end), customerId }));

  if (token !== undefined) {
    const customer = { client: clientOf(url, bearer(token), end), customerId: undefined };
    return { customers: people.map(() => customer), operator: () => (proof === 'none' ? undefined : operatorOf(options)) };
  }
  if (proof === 'none') return { customers: each(), operator: () => undefined };
  if (proof === 'signature') {
    if (!local) await environmentCredentials();
    const operator = operatorOf(options);
    return { customers: each(operator), operator: () => operator };
  }
  if (!local) throw new Error(`${url} asks for a customer's token: --token <jwt>, or ORDER_SAGA_TOKEN`);
  const identities = identitiesOf(options);
  const customers: Customer[] = [];
  for (const customerId of people) {
    const authorize = bearer(await identities.subjectToken(customerId, placing, tokenSeconds));
    customers.push({ client: clientOf(url, authorize, end), customerId });
  }
  return { customers, operator: () => operatorOf(options) };
}

async function greet(url: string): Promise<void> {
  const { status, stage } = await clientOf(url)
    .getHealth()
    .then(({ body }): { status?: string; stage?: string } => body ?? {})
    .catch((error: unknown): { status?: string; stage?: string } => {
      if (error instanceof ApiProblem) return {};
      throw new Error(`nothing answers at ${url} (${causeOf(error)}). A local system is started, in another terminal, by: npm start`, {
        cause: error,
      });
    });
  if (status !== 'ok') throw new Error(`${url} answers, but is no Order Saga: /health does not say that it is well`);
  if (stage === 'prod') throw new Error(`${url} is stage prod, which takes real money and sends real parcels. Put the load on stage test`);
}

/** What a customer has to show, by how the system refuses one who shows nothing: the gateway says 401 for a token that is missing, and 403 for a signature. */
async function demanded(url: string): Promise<Proof> {
  try {
    await list({ client: clientOf(url), customerId: 'load-1' });
    return 'none';
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw new Error(`${url} does not answer (${causeOf(error)})`, { cause: error });
    if (error.status === 401) return 'token';
    if (error.status === 403) return 'signature';
    throw new Error(`${url} does not list orders: ${error.message}`, { cause: error });
  }
}

const list = ({ client, customerId }: Customer): Promise<unknown> =>
  client.listOrders({ limit: 1, ...(customerId === undefined ? {} : { customerId }) });

/** Signs as whoever may do everything. The environment's credentials may be of some account: on this machine the runtime's own are taken. */
function operatorOf(options: LoadOptions): Authorize {
  const { url, local } = options;
  if (local) {
    const { operator } = identitiesOf(options);
    return signedBy(() => Promise.resolve(operator), localRegion);
  }
  const [, ofHost] = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com$/.exec(new URL(url).hostname) ?? [];
  return signedBy(environmentCredentials, ofHost ?? process.env['AWS_REGION'] ?? 'us-east-1');
}

/** @throws Error that says which folder was looked into */
function identitiesOf({ url, dataDir }: LoadOptions): Identities {
  const folder = resolve(dataDir);
  // Asking would make some, which no runtime knows.
  if (!existsSync(join(folder, identitiesFile)))
    throw new Error(`${url} asks who we are, and ${folder} knows no identities: --data-dir <dir>, as the runtime was started with`);
  return new Identities(folder);
}

const bearer =
  (token: string): Authorize =>
  () => ({ authorization: `Bearer ${token}` });
