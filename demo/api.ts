import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { ApiProblem } from '../client/http.ts';
import { OrderSagaClient } from '../client/order-saga.ts';

export interface LedgerEntry {
  readonly kind?: string;
  readonly orderId: string;
  readonly amount: number;
}

/** What the demo does with a running local system: its API, and the sandbox gateway's books. */
export interface DemoApi {
  readonly client: OrderSagaClient;
  ledger(): Promise<readonly LedgerEntry[]>;
}

/** @throws Error that says how to start a system when none answers */
export async function connectDemo(base: string): Promise<DemoApi> {
  const resources = await fetch(`${base}/_local/resources`).catch(() => undefined);
  if (resources?.status !== 200) throw new Error(`no local system answers at ${base}. Start one in another terminal: npm start`);
  const { endpoint, region, outputs } = (await resources.json()) as { endpoint: string; region: string; outputs: Record<string, string> };
  const client = new OrderSagaClient({ baseUrl: base });
  await client.listOrders({ customerId: 'demo' }).catch((error: unknown) => {
    if (!(error instanceof ApiProblem) || ![401, 403].includes(error.status)) throw error;
    throw new Error(`${base} asks who we are. The demo needs a system that lets everyone in: npm start, without --auth`, { cause: error });
  });
  const database = DynamoDBDocumentClient.from(
    new DynamoDBClient({ endpoint, region, credentials: { accessKeyId: 'DEMO', secretAccessKey: 'demo' } }),
  );
  return {
    client,
    ledger: async () => {
      const { Items = [] } = await database.send(new ScanCommand({ TableName: outputs['LedgerTableName'], ConsistentRead: true }));
      return Items as LedgerEntry[];
    },
  };
}
