import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { Identities, localAudience } from '../local/identities.ts';
import { clientOf, page, placeOrder } from './load.ts';
import { median, startBenchRuntime, type BenchRuntime } from './runtime.ts';

export interface AccessResult {
  /** Accepting one order after the other, median, in ms: everyone let in, and with tokens demanded. */
  readonly openMs: number;
  readonly tokenMs: number;
  /** Median of the rounds' ratios: each round measures both, one after the other. */
  readonly ratio: number;
  /** What checking a function's signature and its policies adds to one AWS call, in ms. Accepting an order makes one. */
  readonly enforcementMs: number;
}

const rounds = 16;
const ordersPerRound = 12;
const callsPerRound = 40;

/** What the checks cost, on two runtimes side by side: what disturbs one disturbs the other. */
export async function measureAccess(): Promise<AccessResult> {
  const open = await startBenchRuntime();
  const closed = await startBenchRuntime('--auth');
  try {
    const identities = new Identities(closed.dataDir);
    const token = await identities.token({
      sub: 'bench',
      aud: localAudience,
      scope: 'orders/place',
      exp: Math.floor(Date.now() / 1000) + 3600,
    });
    const anyone = clientOf(open.url);
    const customer = clientOf(closed.url, () => ({ authorization: `Bearer ${token}` }));
    const samples = { open: [] as number[], token: [] as number[], ratios: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      const first = await timesOf(ordersPerRound, () => placeOrder(anyone, 'bench'));
      const second = await timesOf(ordersPerRound, () => placeOrder(customer, 'bench'));
      // The first rounds warm both up.
      if (round < 2) continue;
      samples.open.push(...first);
      samples.token.push(...second);
      samples.ratios.push(median(second) / median(first));
    }
    return {
      openMs: median(samples.open),
      tokenMs: median(samples.token),
      ratio: median(samples.ratios),
      enforcementMs: await enforcement(closed, identities),
    };
  } finally {
    await Promise.all([open.stop(), closed.stop()]);
  }
}

/** A read by query-orders, whose signature and policies are checked, less the same read by an operator, whose are not. */
async function enforcement({ url }: BenchRuntime, identities: Identities): Promise<number> {
  const { endpoint, region, outputs }: { endpoint: string; region: string; outputs: Record<string, string> } = await page(url, 'resources');
  const functions: Record<string, { identity: string }> = await page(url, 'functions');
  const accessKeyId = functions['query-orders']!.identity;
  const connect = (credentials: { accessKeyId: string; secretAccessKey: string }): DynamoDBDocumentClient =>
    DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint, region, credentials }));
  const own = connect({ accessKeyId, secretAccessKey: identities.secretOfFunction(accessKeyId) });
  const operator = connect({ accessKeyId: 'BENCH', secretAccessKey: 'bench' });
  const get = (): GetCommand => new GetCommand({ TableName: outputs['OrdersTableName'], Key: { orderId: 'none' } });
  const differences: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const checked = await timesOf(callsPerRound, () => own.send(get()));
    const unchecked = await timesOf(callsPerRound, () => operator.send(get()));
    differences.push(median(checked) - median(unchecked));
  }
  for (const client of [own, operator]) client.destroy();
  return median(differences);
}

/** How long each of some runs took, one after the other, in ms. */
async function timesOf(count: number, run: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    await run();
    times.push(performance.now() - before);
  }
  return times;
}
