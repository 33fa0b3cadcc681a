import { randomInt, randomUUID } from 'node:crypto';
import { EmbeddedAws } from '@outbox-saga/emulator/embedded';
import { localAccount, localRegion } from '@outbox-saga/local/template';
import { median } from './runtime.ts';
import { busyCustomer, renamer } from './seed.ts';

/** CPU of one call, in microseconds, on few orders and on many. */
export interface CallResult {
  readonly call: string;
  readonly fewMicros: number;
  readonly manyMicros: number;
}

/** How many rounds, and how many calls of a kind on either file in each. */
export interface Rounds {
  readonly rounds: number;
  readonly calls: number;
}

type Item = Readonly<Record<string, Readonly<Record<string, string>>>>;
type Call = (i: number) => Promise<unknown>;

/** Measures each kind of call on two files in turn, in this process, so that whatever disturbs one disturbs the other. Medians of the rounds. */
export async function measureCalls(fewFile: string, manyFile: string, { rounds, calls }: Rounds): Promise<CallResult[]> {
  const engines = [fewFile, manyFile].map(
    (file) => new EmbeddedAws({ file, region: localRegion, account: localAccount, endpoint: () => 'http://localhost:1' }),
  );
  try {
    const [few, many] = [await callsOn(engines[0]!), await callsOn(engines[1]!)];
    const micros = new Map<string, [number[], number[]]>(Object.keys(few).map((call) => [call, [[], []]]));
    for (let round = -1; round < rounds; round++) {
      for (const [call, taken] of micros) {
        for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
          const one = [few, many][which]![call]!;
          const before = process.cpuUsage();
          for (let i = 0; i < calls; i++) await one(i);
          const { user, system } = process.cpuUsage(before);
          // The first round warms up.
          if (round >= 0) taken[which].push((user + system) / calls);
        }
      }
    }
    return Array.from(micros, ([call, [onFew, onMany]]) => ({ call, fewMicros: median(onFew), manyMicros: median(onMany) }));
  } finally {
    for (const engine of engines) engine.stop();
  }
}

/** The calls that orders make most, as the functions make them. */
async function callsOn(engine: EmbeddedAws): Promise<Readonly<Record<string, Call>>> {
  const db = (operation: string, input: object): Promise<Record<string, unknown>> => engine.call(`DynamoDB_20120810.${operation}`, input);
  const { TableNames } = (await db('ListTables', {})) as { TableNames: string[] };
  const named = (part: string): string => TableNames.find((name) => name.includes(`-${part}Table`))!;
  const [orders, outbox, views, idempotency] = ['Orders', 'Outbox', 'OrderView', 'Idempotency'].map(named) as [
    string,
    string,
    string,
    string,
  ];
  const old = await Promise.all(Array.from({ length: 1000 }, () => sampleOf(db, orders, outbox)));
  const oldOne = (): Sample => old[randomInt(old.length)]!;
  const history = await historyOf(db, views);
  const { QueueUrl } = await engine.call('AmazonSQS.CreateQueue', { QueueName: 'bench' });
  const copied = (): Sample => JSON.parse(renamer(randomInt(1_000_000))(JSON.stringify(oldOne()))) as Sample;
  // An order's own calls come soon one after the other.
  const accepted: Sample[] = [];
  const locks: string[] = [];
  return {
    'accept an order (TransactWriteItems)': () => {
      const one = copied();
      accepted.push(one);
      return db('TransactWriteItems', {
        ClientRequestToken: randomUUID(),
        TransactItems: [
          {
            Put: {
              TableName: orders,
              Item: { ...one.order, openShard: { S: openShard } },
              ConditionExpression: 'attribute_not_exists(orderId)',
            },
          },
          { Put: { TableName: outbox, Item: one.rows[0] } },
        ],
      });
    },
    'take a step (TransactWriteItems)': (i) => {
      const { order, rows } = accepted.at(-1 - i)!;
      return db('TransactWriteItems', {
        ClientRequestToken: randomUUID(),
        TransactItems: [
          {
            Update: {
              TableName: orders,
              Key: { orderId: order['orderId'] },
              UpdateExpression: 'SET #step = :step, updatedAt = :now',
              ConditionExpression: 'version = :version',
              ExpressionAttributeNames: { '#step': 'step' },
              ExpressionAttributeValues: { ':step': { S: 'SETTLED' }, ':now': { N: String(Date.now()) }, ':version': order['version'] },
            },
          },
          { Put: { TableName: outbox, Item: rows[1] } },
        ],
      });
    },
    'lock a message (PutItem)': () => {
      const id = `bench#${randomUUID()}`;
      locks.push(id);
      return db('PutItem', {
        TableName: idempotency,
        Item: { id: { S: id }, status: { S: 'INPROGRESS' }, expiration: { N: String(Math.floor(Date.now() / 1000) + 86_400) } },
        ConditionExpression: 'attribute_not_exists(id) OR expiration < :now',
        ExpressionAttributeValues: { ':now': { N: String(Math.floor(Date.now() / 1000)) } },
      });
    },
    'remember it (UpdateItem)': (i) =>
      db('UpdateItem', {
        TableName: idempotency,
        Key: { id: { S: locks.at(-1 - i)! } },
        UpdateExpression: 'SET #status = :done',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':done': { S: 'COMPLETED' } },
      }),
    'mark a row sent (UpdateItem)': (i) => {
      const { aggregateId, messageId } = accepted.at(-1 - i)!.rows[1]!;
      return db('UpdateItem', {
        TableName: outbox,
        Key: { aggregateId, messageId },
        UpdateExpression: 'SET #status = :sent, sentAt = :now',
        ConditionExpression: 'attribute_exists(aggregateId)',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':sent': { S: 'SENT' }, ':now': { N: String(Date.now()) } },
      });
    },
    'send, receive and delete a message': async () => {
      await engine.call('AmazonSQS.SendMessage', { QueueUrl, MessageBody: 'x'.repeat(500) });
      const { Messages } = (await engine.call('AmazonSQS.ReceiveMessage', { QueueUrl })) as { Messages: [{ ReceiptHandle: string }] };
      await engine.call('AmazonSQS.DeleteMessage', { QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle });
    },
    'read an order (GetItem)': (i) => db('GetItem', { TableName: orders, Key: { orderId: accepted.at(-1 - i)!.order['orderId'] } }),
    'look for open orders (Query of an index)': () =>
      db('Query', {
        TableName: orders,
        IndexName: 'open',
        KeyConditionExpression: 'openShard = :shard AND placedAt <= :before',
        ExpressionAttributeValues: { ':shard': { S: openShard }, ':before': { N: String(Date.now() * 2) } },
        Limit: 25,
      }),
    'close an order (UpdateItem)': (i) =>
      db('UpdateItem', {
        TableName: orders,
        Key: { orderId: accepted.at(-1 - i)!.order['orderId'] },
        UpdateExpression: 'REMOVE openShard',
      }),
    'read an old order (GetItem)': () => db('GetItem', { TableName: orders, Key: { orderId: oldOne().order['orderId'] } }),
    'read the history of an old order (Query)': () => db('Query', historyOfOrder(outbox, oldOne().order)),
    "list a customer's orders (Query)": () => db('Query', pageOf(views)),
    'list them from the middle (Query)': () => db('Query', { ...pageOf(views), ExclusiveStartKey: history[randomInt(history.length)] }),
    'describe a table (DescribeTable)': () => db('DescribeTable', { TableName: outbox }),
  };
}

const openShard = 'open#1';

interface Sample {
  readonly order: Item;
  readonly rows: readonly Item[];
}

type Db = (operation: string, input: object) => Promise<Record<string, unknown>>;

/** An order by chance, with its rows of the outbox. */
async function sampleOf(db: Db, orders: string, outbox: string): Promise<Sample> {
  const letter = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[randomInt(32)]!;
  const from = { ExclusiveStartKey: { orderId: { S: renamer(0)('ord_'.padEnd(30, letter)) } } };
  const scan = async (more: object): Promise<Item | undefined> =>
    ((await db('Scan', { TableName: orders, Limit: 1, ...more }))['Items'] as Item[])[0];
  // Nothing is behind the last one.
  const order = (await scan(from)) ?? (await scan({}))!;
  const rows = await rowsOf(db, outbox, order);
  // It may be one that a measurement made.
  return rows.length < 3 ? sampleOf(db, orders, outbox) : { order, rows };
}

const rowsOf = async (db: Db, outbox: string, order: Item): Promise<Item[]> =>
  (await db('Query', historyOfOrder(outbox, order)))['Items'] as Item[];

const historyOfOrder = (outbox: string, { orderId }: Item): object => ({
  TableName: outbox,
  KeyConditionExpression: 'aggregateId = :id',
  ExpressionAttributeValues: { ':id': orderId },
});

const pageOf = (views: string): object => ({
  TableName: views,
  KeyConditionExpression: 'customerId = :customer',
  ExpressionAttributeValues: { ':customer': { S: busyCustomer } },
  ScanIndexForward: false,
  Limit: 10,
});

/** Keys of the busy customer's orders that have at least a page behind them, from all over the history. */
async function historyOf(db: Db, views: string): Promise<Item[]> {
  const keys: Item[] = [];
  let next: object = {};
  for (;;) {
    const page = await db('Query', { ...pageOf(views), Limit: 1000, ProjectionExpression: 'customerId, placedOrder', ...next });
    keys.push(...(page['Items'] as Item[]));
    if (!page['LastEvaluatedKey']) break;
    next = { ExclusiveStartKey: page['LastEvaluatedKey'] };
  }
  const behind = keys.slice(0, -10);
  return Array.from({ length: 10 }, (_, i) => behind[Math.floor((i * behind.length) / 10)]!);
}
