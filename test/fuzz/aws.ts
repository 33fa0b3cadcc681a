import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import * as fc from 'fast-check';
import { Identities } from '@outbox-saga/local/identities';
import { signWith, type Credentials } from '../support/client.ts';
import { requestText, sendBytes, type RawAnswer } from '../support/raw.ts';
import type { StartedRuntime } from '../support/runtime.ts';
import { localSystem, type System } from '../support/system.ts';

/** What is sent to the AWS endpoint, or as bytes to any port of the runtime. */
type Attempt =
  | { readonly kind: 'call'; readonly target: string; readonly body: string; readonly line: string; readonly sender: Sender }
  | { readonly kind: 'bytes'; readonly port: 'aws' | 'api'; readonly bytes: string };

/** A function signs with its own secret, or names itself without one. Everybody else is an operator to the endpoint. */
type Sender = 'function' | 'impostor' | 'nobody';

const operations = [
  ...'PutItem GetItem UpdateItem DeleteItem Query Scan TransactWriteItems TransactGetItems BatchGetItem BatchWriteItem DescribeTable ListTables'
    .split(' ')
    .map((name) => `DynamoDB_20120810.${name}`),
  ...'DescribeStream GetShardIterator GetRecords ListStreams'.split(' ').map((name) => `DynamoDBStreams_20120810.${name}`),
  ...'SendMessage SendMessageBatch ReceiveMessage DeleteMessage DeleteMessageBatch ChangeMessageVisibility GetQueueAttributes ListQueues GetQueueUrl'
    .split(' ')
    .map((name) => `AmazonSQS.${name}`),
];
const strangeTargets = [
  '',
  '.',
  'DynamoDB',
  'DynamoDB_20120810.',
  'DynamoDB_20120810.__proto__',
  'AmazonSQS.constructor',
  'Kinesis_20131202.PutRecord',
  'x'.repeat(3000),
];

const keys =
  'TableName IndexName Key Item TransactItems RequestItems Entries QueueUrl QueueName Id Put Update Delete Get ConditionCheck KeySchema Limit ExclusiveStartKey ExpressionAttributeValues ConditionExpression UpdateExpression MessageBody ReceiptHandle StreamArn ShardIterator ReturnConsumedCapacity __proto__ constructor toString length S N M L'.split(
    ' ',
  );
const names = [
  'nobody-knows-it',
  '',
  'a',
  'arn:aws:dynamodb:us-east-1:000000000000:table/none',
  'http://127.0.0.1/000000000000/none',
  '../..',
  '\u0000',
  '💥',
];

/** JSON whose names are those that the services and the endpoint look for, and whose values are of any type. */
const bodies: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .object({
        key: fc.constantFrom(...keys),
        values: [fc.constantFrom(...names), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.string({ unit: 'binary' })],
        maxDepth: 4,
        maxKeys: 6,
      })
      .map((value) => JSON.stringify(value)),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 2 }))
      .map(([TableName, rest]) =>
        JSON.stringify({ TableName, TransactItems: [{ Put: { TableName, Item: rest } }, rest], Entries: [rest, { Id: TableName }] }),
      ),
  },
  { weight: 2, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', 'garbage', '{', '{"TableName":"a"', 'null', '[]', '[[]]', '"text"', '0', 'NaN', '\uFEFF{}', '{}{}'),
  },
  { weight: 1, arbitrary: fc.nat(30_000).map((depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`) },
  { weight: 1, arbitrary: fc.constantFrom(100_000, 1_000_000).map((size) => JSON.stringify({ TableName: 'x'.repeat(size) })) },
);

const calls: fc.Arbitrary<Attempt> = fc.record({
  kind: fc.constant('call' as const),
  target: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...operations) }, { weight: 1, arbitrary: fc.constantFrom(...strangeTargets) }),
  body: bodies,
  line: fc.oneof(
    { weight: 12, arbitrary: fc.constant('POST / HTTP/1.1') },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'POST *:99999 HTTP/1.1',
        'POST //x HTTP/1.1',
        'POST http://x:99999/ HTTP/1.1',
        'PUT / HTTP/1.1',
        'GET /?a=%zz HTTP/1.1',
        'POST /\u00e9 HTTP/1.1',
      ),
    },
  ),
  sender: fc.constantFrom<Sender>('function', 'function', 'impostor', 'nobody'),
});

const hostAndTarget = 'host: localhost\r\nx-amz-target: DynamoDB_20120810.ListTables\r\n';
const complete = `POST / HTTP/1.1\r\n${hostAndTarget}content-length: 2\r\n\r\n{}`;
const bytes: fc.Arbitrary<Attempt> = fc.record({
  kind: fc.constant('bytes' as const),
  port: fc.constantFrom<'aws' | 'api'>('aws', 'api'),
  bytes: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).map((text) => `${text}\r\n\r\n`),
    fc.constantFrom(
      'GET\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      'GET / HTTP/0.9\r\nhost: localhost\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'CONNECT x:1 HTTP/1.1\r\nhost: localhost\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001',
      `POST / HTTP/1.1\r\n${hostAndTarget}content-length: 1\r\ncontent-length: 2\r\n\r\n{}`,
      `POST / HTTP/1.1\r\n${hostAndTarget}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`,
      `POST / HTTP/1.1\r\n${hostAndTarget}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      `POST / HTTP/1.1\r\n${hostAndTarget}content-length: -1\r\n\r\n`,
      `POST / HTTP/1.1\r\n${hostAndTarget}expect: more\r\ncontent-length: 0\r\n\r\n`,
      `POST / HTTP/1.1\r\n${hostAndTarget}upgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\n{}`,
      `POST / HTTP/1.1\r\n${hostAndTarget}x: ${'y'.repeat(60_000)}\r\n\r\n`,
      'POST /_local/faults HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\n{"x',
      'PUT /_local/faults HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{"',
      'GET /_local/%2e%2e/%zz HTTP/1.1\r\nhost: localhost\r\n\r\n',
      complete.repeat(20),
      `${complete}garbage\r\n\r\n`,
    ),
    // Half a request, and nothing more.
    fc.nat(complete.length - 1).map((at) => complete.slice(0, at + 1)),
  ),
});

const attempts: fc.Arbitrary<Attempt> = fc.oneof({ weight: 3, arbitrary: calls }, { weight: 1, arbitrary: bytes });

interface Target {
  readonly aws: string;
  readonly api: string;
  /** Of one of its functions. */
  readonly credentials: Credentials;
}

async function sendAttempt({ aws, api, credentials }: Target, attempt: Attempt): Promise<RawAnswer> {
  // Whoever sends half a request and goes away. What happens when they stay is a matter of time limits, which the unit tests hold.
  if (attempt.kind === 'bytes') return sendBytes(attempt.port === 'aws' ? aws : api, attempt.bytes, { end: true });
  const { target, body, line, sender } = attempt;
  const headers = { host: new URL(aws).host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target };
  if (sender === 'nobody') return sendBytes(aws, requestText(line, headers, body));
  const signer = sender === 'function' ? credentials : { ...credentials, secretAccessKey: 'not its own' };
  const service = target.startsWith('AmazonSQS') ? 'sqs' : 'dynamodb';
  const proof = await signWith(signer, { service })({ method: 'POST', url: new URL(aws), headers: { 'x-amz-target': target }, body });
  return sendBytes(aws, requestText(line, { ...headers, ...proof }, body));
}

/** What is wrong with an answer; undefined: nothing. Bytes that are no request need not be answered. */
function findingOf(attempt: Attempt, { status, text }: RawAnswer): string | undefined {
  if (attempt.kind === 'call' && status === 0) return 'the connection ended without an answer';
  if (text.includes('InternalFailure') || text.startsWith('HTTP/1.1 500')) return text.slice(0, 300);
  if (attempt.kind === 'call' && attempt.sender === 'impostor' && status === 200) return 'taken with a wrong signature';
  return undefined;
}

export interface AwsOutcome {
  readonly failed: boolean;
  readonly report: string;
}

/** Sends hostile calls and bytes to a runtime's AWS endpoint and its API port; it must answer, live, and still do its work. */
export async function fuzzAws(
  runtime: StartedRuntime,
  { count, seed, clients }: { count: number; seed: number; clients: number },
): Promise<AwsOutcome> {
  const system = await localSystem(runtime.url);
  const api = runtime.url.replace('localhost', '127.0.0.1');
  const functions = (await system.api.get('/_local/functions')).body as Record<string, { identity: string }>;
  const { identity } = functions['order-saga']!;
  const secretAccessKey = new Identities(runtime.dataDir).secretOfFunction(identity);
  const aws = (await system.api.get('/_local/resources')).body.endpoint as string;
  const target: Target = { aws, api, credentials: { accessKeyId: identity, secretAccessKey } };
  await system.api.request('PUT', '/_local/usage');

  const all = fc.sample(attempts, { numRuns: count, seed });
  const statuses = new Map<number, number>();
  const findings: string[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < all.length && findings.length < 10 && runtime.process.exitCode === null) {
      const index = next++;
      const attempt = all[index]!;
      const answer = await sendAttempt(target, attempt).catch((error: Error): RawAnswer => ({ status: -1, text: error.message }));
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const what = answer.status === -1 ? answer.text : findingOf(attempt, answer);
      if (what !== undefined) findings.push(`${index}: ${what}\n  ${JSON.stringify(attempt).slice(0, 1000)}`);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);

  const after = await stillWorks(target, system).catch((error: Error) => [
    `the runtime does not answer afterwards (${error.message}):\n${runtime.output().slice(-2000)}`,
  ]);
  findings.push(...after);
  for (const finding of findings) process.stdout.write(`\n✗ ${finding}\n`);
  const answers = [...statuses].toSorted(([a], [b]) => a - b).map(([status, number]) => `${number} × ${status || 'none'}`);
  const report = `${next} hostile calls and bytes in ${seconds} s from ${clients} clients, seed ${seed}: ${findings.length} findings. Answers: ${answers.join(', ')}.\n`;
  process.stdout.write(`\n${report}`);
  return { failed: findings.length > 0, report };
}

/** A call that a function signed, and an order from the beginning to its end. */
async function stillWorks(target: Target, system: System): Promise<string[]> {
  const findings: string[] = [];
  const call = { kind: 'call', target: 'DynamoDB_20120810.GetItem', line: 'POST / HTTP/1.1' } as const;
  const body = JSON.stringify({ TableName: system.outputs['OrdersTableName'], Key: { orderId: { S: 'none' } } });
  const signed = await sendAttempt(target, { ...call, body, sender: 'function' });
  if (signed.status !== 200) findings.push(`a signed call afterwards: ${signed.text.slice(0, 500)}`);
  const placed = await system.api.place({ items: [{ sku: `unknown-${randomUUID()}`, qty: 1, price: 1 }] });
  const deadline = Date.now() + 60_000;
  let status: unknown;
  while (status !== 'FAILED' && Date.now() < deadline) {
    await pause(100);
    ({ status } = (await system.api.order(placed.body.orderId as string)).body);
  }
  if (status !== 'FAILED') findings.push(`an order afterwards does not settle: ${placed.status}, ${String(status)}`);
  return findings;
}
