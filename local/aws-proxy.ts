import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { URL } from 'node:url';
import { needsOf, type Iam } from './iam.ts';
import type { Identities } from './identities.ts';
import { accessKeyOf, isSigned } from './signature.ts';
import { faultyAnswer, splitBatch, type FaultBoard } from './faults.ts';

/** What one function asked of AWS, by operation. Units as AWS bills them; they are counted while metering is on. */
export interface Usage {
  calls: number;
  readUnits: number;
  writeUnits: number;
  /** Messages in SQS calls: a batch of ten is one request. */
  entries: number;
}

export interface AwsProxy {
  readonly url: string;
  /** `function operation table` → usage since the last reset. */
  readonly usage: Map<string, Usage>;
  metering: boolean;
  /** The policies to enforce; set once the resources are there, before any function runs. */
  iam: Iam | undefined;
  stop(): Promise<void>;
}

export interface AwsProxyOptions {
  readonly dynamoDb: string;
  readonly sqs: string;
  readonly identities: Identities;
  readonly faults: FaultBoard;
}

/**
 * Every AWS call of every function passes through here under the function's identity, which its signature names.
 * Counts calls, and with metering on also the capacity that DynamoDB reports.
 */
export async function startAwsProxy(options: AwsProxyOptions): Promise<AwsProxy> {
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  const usage = new Map<string, Usage>();
  const proxy: Pick<AwsProxy, 'metering' | 'iam'> = { metering: false, iam: undefined };

  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => void forward(incoming, Buffer.concat(chunks), outgoing));
  });
  // Frozen environments cannot notice that a connection was closed; theirs stay open.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;

  async function forward(incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): Promise<void> {
    const target = String(incoming.headers['x-amz-target'] ?? '');
    const upstream = target.startsWith('DynamoDB') ? options.dynamoDb : target.startsWith('AmazonSQS') ? options.sqs : undefined;
    if (upstream === undefined) {
      const message = `the local runtime offers DynamoDB and SQS, not ${target || incoming.url}`;
      return answer(outgoing, 400, { __type: 'UnknownOperationException', message });
    }
    const identity = options.identities.functions.get(accessKeyOf(incoming.headers) ?? '');
    const caller = identity?.name ?? outsider;
    const service = upstream === options.dynamoDb ? 'dynamodb' : 'sqs';
    if (identity && !(await isSigned(incoming, body, service, identity.secret))) {
      const message = 'The request signature we calculated does not match the signature you provided.';
      return answer(outgoing, 400, { __type: 'com.amazon.coral.service#InvalidSignatureException', message });
    }
    const operation = target.slice(target.indexOf('.') + 1);
    const asked = caller === outsider ? {} : (JSON.parse(body.toString('utf8')) as Record<string, unknown>);
    const refusal = authorize(proxy.iam, caller, service, operation, asked);
    if (refusal !== undefined) {
      return answer(outgoing, 400, { __type: 'com.amazon.coral.service#AccessDeniedException', Message: refusal, message: refusal });
    }
    if (options.faults.dies(caller, operation, 'dieBefore')) return die();
    const injected = injectFaults(options.faults, caller, operation, asked, body);
    if ('answer' in injected) return answer(outgoing, injected.answer.status, injected.answer.body);
    const payload = proxy.metering && upstream === options.dynamoDb ? askForCapacity(injected.body) : injected.body;
    const base = new URL(upstream);
    const outgoingRequest = httpRequest(
      {
        host: base.hostname,
        port: base.port,
        path: incoming.url,
        method: incoming.method,
        agent,
        headers: { ...incoming.headers, host: base.host, 'content-length': payload.length },
      },
      (upstreamAnswer) => {
        const received: Buffer[] = [];
        upstreamAnswer.on('data', (chunk: Buffer) => received.push(chunk));
        upstreamAnswer.on('end', () => {
          const content = Buffer.concat(received);
          record(usage, caller, operation, body, proxy.metering ? content : undefined);
          if (options.faults.dies(caller, operation, 'dieAfter')) return die();
          if (injected.failed.length > 0) {
            const { Failed = [], ...rest } = JSON.parse(content.toString('utf8')) as { Failed?: unknown[] };
            return answer(outgoing, upstreamAnswer.statusCode ?? 502, { ...rest, Failed: [...Failed, ...injected.failed] });
          }
          outgoing.writeHead(upstreamAnswer.statusCode ?? 502, upstreamAnswer.headers);
          outgoing.end(content);
        });
      },
    );
    outgoingRequest.on('error', (error) => {
      answer(outgoing, 503, { __type: 'ServiceUnavailable', message: error.message });
    });
    outgoingRequest.end(payload);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${port}`,
    usage,
    stop: () => closeServer(server).then(() => agent.destroy()),
  });
}

/** Why a function may not make a call. Whoever is no function of the template is an operator with credentials of their own. */
function authorize(
  iam: Iam | undefined,
  caller: string,
  service: 'dynamodb' | 'sqs',
  operation: string,
  asked: Record<string, unknown>,
): string | undefined {
  if (!iam || caller === outsider) return undefined;
  return iam.refusal(caller, needsOf(service, operation, asked, iam.tableArns));
}

/** The end that no process sees coming. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function answer(outgoing: ServerResponse, status: number, body: unknown): void {
  outgoing.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
  outgoing.end(JSON.stringify(body));
}

type Injected =
  | { readonly answer: { readonly status: number; readonly body: unknown } }
  /** What goes on to the emulator, and the entries of a batch that do not. */
  | { readonly body: Buffer; readonly failed: readonly unknown[] };

/** Lets the faults of a caller act on its call. */
function injectFaults(faults: FaultBoard, caller: string, operation: string, asked: Record<string, unknown>, body: Buffer): Injected {
  if (Object.keys(faults.of(caller)).length === 0) return { body, failed: [] };
  if (operation === 'SendMessageBatch') {
    const { taken, failed } = splitBatch(faults, caller, asked['Entries'] as { Id: string }[]);
    if (taken.length === 0) return { answer: { status: 200, body: { Successful: [], Failed: failed } } };
    return failed.length === 0 ? { body, failed } : { body: Buffer.from(JSON.stringify({ ...asked, Entries: taken })), failed };
  }
  const refusal = faultyAnswer(faults, caller, operation, asked);
  return refusal ? { answer: refusal } : { body, failed: [] };
}

export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

const outsider = 'outside';

function askForCapacity(body: Buffer): Buffer {
  const parsed = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...parsed, ReturnConsumedCapacity: 'TOTAL' }));
}

interface Capacity {
  readonly TableName?: string;
  readonly CapacityUnits?: number;
  readonly ReadCapacityUnits?: number;
  readonly WriteCapacityUnits?: number;
}

const readOperations = new Set(['GetItem', 'Query', 'Scan', 'BatchGetItem', 'TransactGetItems']);

function record(usage: Map<string, Usage>, caller: string, operation: string, body: Buffer, content: Buffer | undefined): void {
  const add = (table: string, units: number, entries: number, calls: number): void => {
    const key = `${caller} ${operation} ${table}`;
    const entry = usage.get(key) ?? { calls: 0, readUnits: 0, writeUnits: 0, entries: 0 };
    entry.calls += calls;
    entry.entries += entries;
    if (readOperations.has(operation)) entry.readUnits += units;
    else entry.writeUnits += units;
    usage.set(key, entry);
  };
  if (!content) {
    add('', 0, 0, 1);
    return;
  }
  const asked = JSON.parse(body.toString('utf8')) as { TableName?: string; Entries?: unknown[] };
  const answered = JSON.parse(content.toString('utf8') || '{}') as { ConsumedCapacity?: Capacity | Capacity[] };
  const consumed = [answered.ConsumedCapacity ?? []].flat();
  add(asked.TableName ?? '', 0, asked.Entries?.length ?? 0, 1);
  for (const capacity of consumed) add(capacity.TableName ?? '', capacity.CapacityUnits ?? 0, 0, 0);
}
