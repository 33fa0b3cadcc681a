import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { ApiProblem } from '../client/http.ts';
import { OrderSagaClient } from '../client/order-saga.ts';
import { localTarget } from '../ops/target.ts';

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
  const { outputs, database } = await localTarget(base);
  const client = new OrderSagaClient({ baseUrl: base });
  await client.listOrders({ customerId: 'demo' }).catch((error: unknown) => {
    if (!(error instanceof ApiProblem) || ![401, 403].includes(error.status)) throw error;
    throw new Error(`${base} asks who we are. The demo needs a system that lets everyone in: npm start, without --auth`, { cause: error });
  });
  return {
    client,
    ledger: async () => {
      const { Items = [] } = await database.send(new ScanCommand({ TableName: outputs['LedgerTableName'], ConsistentRead: true }));
      return Items as LedgerEntry[];
    },
  };
}
