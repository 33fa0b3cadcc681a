import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { Identities } from '@outbox-saga/local/identities';
import { clientOf, placeOrder } from '../load/customers.ts';
import { page, sku } from './load.ts';
import type { StartedRuntime } from '@outbox-saga/local/spawn';
import { median, startBenchRuntime } from './runtime.ts';

export interface AccessResult {
  /** Accepting an order on an idle system, median, in ms: everyone let in, and with tokens demanded. */
  readonly openMs: number;
  readonly tokenMs: number;
  /** What checking a function's signature and its policies adds to one AWS call, in ms. Accepting an order makes one. */
  readonly enforcementMs: number;
}

/** How often each thing is done: first unmeasured, then measured. */
export interface Samples {
  readonly warmUp: number;
  readonly measured: number;
}

/** What the checks cost, on two runtimes side by side and in turn: what disturbs one disturbs the other. Nothing else runs: no message is published. */
export async function measureAccess(samples: Samples): Promise<AccessResult> {
  const open = await startBenchRuntime({ name: 'open' });
  const closed = await startBenchRuntime({ name: 'closed', args: ['--auth'] });
  try {
    for (const { url } of [open, closed]) await page(url, 'faults', 'PUT', { 'outbox-publisher': { outage: true } });
    const identities = new Identities(closed.dataDir);
    const token = await identities.subjectToken('bench', 'orders/place');
    const anyone = { client: clientOf(open.url), customerId: 'bench' };
    const customer = { client: clientOf(closed.url, () => ({ authorization: `Bearer ${token}` })), customerId: 'bench' };
    const [openMs, tokenMs] = await mediansInTurn(
      samples,
      () => placeOrder(anyone, sku),
      () => placeOrder(customer, sku),
    );
    const [unchecked, checked] = await reads(closed, identities, samples);
    return { openMs, tokenMs, enforcementMs: checked - unchecked };
  } finally {
    await Promise.all([open.remove(), closed.remove()]);
  }
}

/** A read by an operator, whose signature and policies are not checked, and the same read by query-orders, whose are. */
async function reads({ url }: StartedRuntime, identities: Identities, samples: Samples): Promise<[number, number]> {
  const { endpoint, region, outputs }: { endpoint: string; region: string; outputs: Record<string, string> } = await page(url, 'resources');
  const functions: Record<string, { identity: string }> = await page(url, 'functions');
  const accessKeyId = functions['query-orders']!.identity;
  const connect = (credentials: { accessKeyId: string; secretAccessKey: string }): DynamoDBDocumentClient =>
    DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint, region, credentials }));
  const operator = connect({ accessKeyId: 'BENCH', secretAccessKey: 'bench' });
  const own = connect({ accessKeyId, secretAccessKey: identities.secretOfFunction(accessKeyId) });
  const get = (): GetCommand => new GetCommand({ TableName: outputs['OrdersTableName'], Key: { orderId: 'none' } });
  const medians = await mediansInTurn(
    samples,
    () => operator.send(get()),
    () => own.send(get()),
  );
  for (const client of [own, operator]) client.destroy();
  return medians;
}

/** How long each of two things takes, done in turn, one after the other: medians in ms. */
async function mediansInTurn(
  { warmUp, measured }: Samples,
  ...things: readonly [() => Promise<unknown>, () => Promise<unknown>]
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < warmUp + measured; i++) {
    for (const which of i % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const before = performance.now();
      await things[which]();
      if (i >= warmUp) times[which].push(performance.now() - before);
    }
  }
  return [median(times[0]), median(times[1])];
}
