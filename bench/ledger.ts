import { setTimeout as pause } from 'node:timers/promises';
import { placeOrder } from '../load/customers.ts';
import { customerOf, page, sku, whenSettled } from './load.ts';

/** What one confirmed one-line order costs at one function. */
export interface StepCost {
  readonly step: string;
  readonly calls: number;
  readonly writeUnits: number;
  readonly readUnits: number;
  /** SendMessageBatch by the function; receives and deletes of its event source. */
  readonly sqsRequests: number;
  readonly invocations: number;
}

interface Usage {
  readonly calls: number;
  readonly readUnits: number;
  readonly writeUnits: number;
}

const consumers = new Set(['order-saga', 'inventory', 'payment', 'shipping', 'notification', 'order-view']);
const steps = [
  'place-order',
  'outbox-publisher',
  'inventory',
  'order-saga',
  'payment',
  'shipping',
  'notification',
  'order-view',
  'order-sweep',
];

/** Longer than the stage's closeAfterSeconds: then every order of the sample is due to be closed. */
const untilClosableMs = 32_000;

/** What a scheduled sweep needs that is under way. */
const aMomentMs = 3000;

/**
 * Places orders one at a time with metering on, and divides what every function used by their number.
 * One at a time is the dearest case: no batch holds more than one message. The sandbox's own books are left out.
 */
export async function measureLedger(url: string, sample: number): Promise<StepCost[]> {
  const customer = customerOf(url, 'ledger');
  const orderOnce = async (): Promise<void> => {
    await whenSettled(customer.client, await placeOrder(customer, sku));
    // The last messages (read model, notification, SENT marks) follow the settlement.
    await pause(400);
  };
  // What the loads left is closed first, so that the sample's sweep sees the sample alone.
  await orderOnce();
  await pause(untilClosableMs);
  await page(url, 'functions/order-sweep', 'POST', {});
  await pause(aMomentMs);
  await page(url, 'usage', 'PUT');
  await page(url, 'usage', 'DELETE');
  const before = await invocations(url);
  for (let i = 0; i < sample; i++) await orderOnce();
  await pause(untilClosableMs);
  await nextSweep(url);
  const body: Record<string, Usage> = await page(url, 'usage');
  const after = await invocations(url);
  const usage = Object.entries(body).map(([key, value]) => {
    const [caller, operation, table] = key.split(' ') as [string, string, string];
    return { caller, operation, table, ...value };
  });
  return steps.map((step) => {
    const mine = usage.filter(({ caller, table }) => caller === step && !table.includes('SandboxLedger'));
    const queues = /^(SendMessage|ChangeMessage)/;
    const dynamo = mine.filter(({ operation }) => !queues.test(operation));
    const sum = (rows: typeof mine, pick: (row: Usage) => number): number => rows.reduce((total, row) => total + pick(row), 0) / sample;
    const invoked = (after[step]! - before[step]!) / sample;
    return {
      step,
      calls: sum(dynamo, ({ calls }) => calls),
      writeUnits: sum(dynamo, ({ writeUnits }) => writeUnits),
      readUnits: sum(dynamo, ({ readUnits }) => readUnits),
      sqsRequests:
        sum(
          mine.filter(({ operation }) => queues.test(operation)),
          ({ calls }) => calls,
        ) + (consumers.has(step) ? 2 * invoked : 0),
      invocations: invoked,
    };
  });
}

/** Waits for the scheduled sweep. One of our own could run beside it, and both would close the sample's orders. */
async function nextSweep(url: string): Promise<void> {
  const sweeps = async (): Promise<number> => (await invocations(url))['order-sweep']!;
  const before = await sweeps();
  while ((await sweeps()) === before) await pause(500);
  // It has begun, and closes a few orders only.
  await pause(aMomentMs);
}

async function invocations(url: string): Promise<Record<string, number>> {
  const body: Record<string, { invocations: number }> = await page(url, 'functions');
  return Object.fromEntries(Object.entries(body).map(([name, { invocations: count }]) => [name, count]));
}
