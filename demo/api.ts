import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';

export interface OrderAnswer {
  readonly orderId: string;
  readonly status: string;
  readonly step: string;
  readonly total: number;
  readonly failure?: { readonly code: string; readonly detail: string };
  readonly placedAt: string;
  readonly settledAt?: string;
}

export interface TimelineEntry {
  readonly type: string;
  readonly source: string;
  readonly sequence?: number;
  readonly committedAt: string;
  readonly status: string;
}

export interface LedgerEntry {
  readonly kind?: string;
  readonly orderId: string;
  readonly amount: number;
}

interface Answer<Body> {
  readonly status: number;
  readonly replayed: boolean;
  readonly body: Body;
}

/** What the demo does with a running local system: its API, and the sandbox gateway's books. */
export interface DemoApi {
  place(order: object, key: string): Promise<Answer<{ orderId: string; detail?: string }>>;
  setStock(sku: string, available: number): Promise<void>;
  stock(sku: string): Promise<{ available: number; reserved: number }>;
  order(orderId: string): Promise<OrderAnswer>;
  timeline(orderId: string): Promise<readonly TimelineEntry[]>;
  ledger(): Promise<readonly LedgerEntry[]>;
}

/** @throws Error that says how to start a system when none answers */
export async function connectDemo(base: string): Promise<DemoApi> {
  const call = async <Body>(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer<Body>> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const replayed = response.headers.get('idempotency-replayed') === 'true';
    return { status: response.status, replayed, body: (await response.json()) as Body };
  };
  const resources = await call<{ endpoint: string; region: string; outputs: Record<string, string> }>('GET', '/_local/resources').catch(
    () => undefined,
  );
  if (resources?.status !== 200) throw new Error(`no local system answers at ${base}. Start one in another terminal: npm start`);
  const { endpoint, region, outputs } = resources.body;
  const client = new DynamoDBClient({ endpoint, region, credentials: { accessKeyId: 'DEMO', secretAccessKey: 'demo' } });
  const database = DynamoDBDocumentClient.from(client);
  return {
    place: (order, key) => call('POST', '/orders', order, { 'idempotency-key': key }),
    setStock: async (sku, available) => void (await call('PUT', `/admin/stock/${sku}`, { available })),
    stock: async (sku) => (await call<{ available: number; reserved: number }>('GET', `/admin/stock/${sku}`)).body,
    order: async (orderId) => (await call<OrderAnswer>('GET', `/orders/${orderId}`)).body,
    timeline: async (orderId) => (await call<{ entries: TimelineEntry[] }>('GET', `/orders/${orderId}/timeline`)).body.entries,
    ledger: async () => {
      const { Items = [] } = await database.send(new ScanCommand({ TableName: outputs['LedgerTableName'], ConsistentRead: true }));
      return Items as LedgerEntry[];
    },
  };
}
