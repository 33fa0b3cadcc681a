import type { Handler } from '@outbox-saga/testing/simulation/application';
import { deadLetterUrl, queueUrl } from '@outbox-saga/testing/simulation/queue-names';
import { functions, type Environment, type FunctionName } from '../../lambdas/contract/functions.ts';
import { topology, type Consumer } from '../../lambdas/contract/routes.ts';
import { type StageName } from '../../lambdas/contract/stage-names.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import { tables } from '../../lambdas/contract/tables.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { createPublisher } from '@outbox-saga/kit/outbox/handlers';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import { createHandler as inventory } from '../../lambdas/inventory/handler.ts';
import { createHandler as notification } from '../../lambdas/notification/handler.ts';
import { createHandler as orderCancel } from '../../lambdas/order-saga/cancel-handler.ts';
import { createHandler as orderSaga } from '../../lambdas/order-saga/handler.ts';
import { createHandler as orderSweep } from '../../lambdas/order-saga/sweep-handler.ts';
import { createHandler as orderView } from '../../lambdas/order-view/handler.ts';
import { createHandler as outboxRelay } from '../../lambdas/outbox-relay/handler.ts';
import { createHandler as payment } from '../../lambdas/payment/handler.ts';
import { createHandler as placeOrder } from '../../lambdas/place-order/handler.ts';
import { createHandler as queryOrders } from '../../lambdas/query-orders/handler.ts';
import { createHandler as shipping } from '../../lambdas/shipping/handler.ts';
import { createHandler as stockAdmin } from '../../lambdas/stock-admin/handler.ts';
import { eraseCustomer } from '../../ops/erase.ts';

/** The simulated stage: what runs for weeks in production runs for weeks here. */
export const stage: StageName = 'prod';
export const stageDurations = durations[stage];

/** The functions that take part: every one but `health`. */
const creators = {
  'place-order': placeOrder,
  'query-orders': queryOrders,
  'stock-admin': stockAdmin,
  'order-cancel': orderCancel,
  'order-sweep': orderSweep,
  'order-saga': orderSaga,
  inventory,
  payment,
  shipping,
  notification,
  'order-view': orderView,
  'outbox-publisher': (environment: Environment<'outbox-publisher'>, connections: QueueConnections) =>
    createPublisher(environment, connections, { topology, durations: stageDurations }),
  'outbox-relay': outboxRelay,
} satisfies { [Name in FunctionName]?: (environment: Environment<Name>, connections: QueueConnections) => unknown };
/** `erase` is no function but the operator's command, run from a machine that may die as well. */
export type SimulatedFunction = keyof typeof creators | 'erase';

export const consumers = Object.keys(topology.consumers) as Consumer[];

const tableNames = Object.fromEntries(
  Object.keys(tables).map((name) => [`${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}_TABLE`, name]),
);

const outputs = Object.fromEntries(Object.keys(tables).map((name) => [`${name[0]!.toUpperCase()}${name.slice(1)}TableName`, name]));

/** `npm run ops -- erase`: an event names the customer, and the result is what became of each order. */
function eraseCommand({ database, world }: QueueConnections): Handler {
  return async (event) => {
    const erasures = [];
    const options = {
      customerId: (event as { customerId: string }).customerId,
      now: world.now(),
      readUnitsPerSecond: 100,
      pause: (milliseconds: number) => world.pause(milliseconds),
      onProgress: () => undefined,
    };
    for await (const erasure of eraseCustomer({ outputs, database: database as never }, options)) erasures.push(erasure);
    return erasures;
  };
}

const parsed = new Map<string, unknown>();

/** Creates a function as its `main.ts` does, with the simulation's connections. */
export function createFunction(name: SimulatedFunction, connections: QueueConnections): Handler {
  if (name === 'erase') return eraseCommand(connections);
  let environment = parsed.get(name);
  if (!environment) {
    environment = readEnvironment(name, functions[name], {
      ...tableNames,
      SANDBOX_LEDGER_TABLE: '',
      // Whoever asks for orders comes with a token, and sees only their own; orders are placed by a caller who may name the customer.
      AUTHENTICATION: name === 'query-orders' ? 'token' : 'none',
      SANDBOX_DEFAULTS: 'true',
      EMAIL_SENDER: 'shop@mail.test',
      STAGE: stage,
      QUEUE_URL: queueUrl(name),
      DEAD_LETTER_QUEUE_URL: deadLetterUrl(name),
      QUEUE_URLS: JSON.stringify(Object.fromEntries(consumers.map((consumer) => [consumer, queueUrl(consumer)]))),
      PROVIDER_URL: name === 'payment' ? 'http://payment.test' : 'http://carrier.test',
    });
    parsed.set(name, environment);
  }
  return creators[name](environment as never, connections) as Handler;
}

export function timeoutMs(name: SimulatedFunction): number {
  return name === 'erase' ? 3_600_000 : functions[name].timeoutSeconds(stageDurations) * 1000;
}
