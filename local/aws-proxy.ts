import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { askedOf, BadCall, serviceOf, type AwsCall } from './aws-call.ts';
import { bodyOf, startServer, type Refusal, type Timeouts } from './http-server.ts';
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
  /** Names that it answers to, beside those of loopback. */
  readonly hosts: readonly string[];
  readonly onProblem: (what: string) => void;
  readonly timeouts?: Timeouts;
}

/** DynamoDB's limit of a request, the largest of the services'. */
const maxBodyBytes = 16 * 1024 * 1024;

/**
 * Every AWS call of every function passes through here under the function's identity, which its signature names.
 * Counts calls, and with metering on also the capacity that DynamoDB reports.
 */
export async function startAwsProxy(options: AwsProxyOptions): Promise<AwsProxy> {
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  const usage = new Map<string, Usage>();
  const proxy: Pick<AwsProxy, 'metering' | 'iam'> = { metering: false, iam: undefined };

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { service, operation } = serviceOf(incoming.method, incoming.url, String(incoming.headers['x-amz-target'] ?? ''));
    const body = await bodyOf(incoming, maxBodyBytes);
    if (body === undefined) throw new BadCall('SerializationException', `the body is larger than ${maxBodyBytes} bytes`);
    const asked = askedOf(body);
    const identity = options.identities.functions.get(accessKeyOf(incoming.headers) ?? '');
    const caller = identity?.name ?? outsider;
    if (identity && !(await isSigned(incoming, body, service, identity.secret))) {
      throw new BadCall('InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.');
    }
    const refusal = authorize(proxy.iam, caller, { service, operation, asked });
    if (refusal !== undefined) throw new BadCall('AccessDeniedException', refusal);
    if (options.faults.dies(caller, operation, 'dieBefore')) return die();
    const injected = injectFaults(options.faults, caller, operation, asked, body);
    if ('answer' in injected) return answer(outgoing, injected.answer.status, injected.answer.body);

    const payload = proxy.metering && service === 'dynamodb' ? askForCapacity(injected.body) : injected.body;
    let answered: Answered;
    try {
      answered = await ask(service === 'dynamodb' ? options.dynamoDb : options.sqs, agent, incoming, payload);
    } catch (error) {
      return answer(outgoing, 503, awsError('ServiceUnavailable', (error as Error).message));
    }
    const { status, headers, content } = answered;
    // Whoever is no function can send any operation: counted are those that there are.
    if (identity || status === 200) {
      const report = status === 200 ? content.toString('utf8') : '{}';
      record(usage, { caller, operation, asked }, proxy.metering ? report : undefined);
    }
    if (options.faults.dies(caller, operation, 'dieAfter')) return die();
    if (injected.failed.length > 0 && status === 200) {
      const { Failed = [], ...rest } = JSON.parse(content.toString('utf8')) as { Failed?: unknown[] };
      return answer(outgoing, status, { ...rest, Failed: [...Failed, ...injected.failed] });
    }
    outgoing.writeHead(status, { ...headers, 'content-length': content.length });
    outgoing.end(content);
  }

  const server = await startServer({
    port: 0,
    // No web page has business with tables and queues.
    callers: { hosts: options.hosts, origins: [] },
    answer: (incoming, outgoing) =>
      forward(incoming, outgoing).catch((error: unknown) => {
        if (error instanceof BadCall) return answer(outgoing, 400, awsError(error.type, error.message));
        // A body that was read may still be nested too deeply to be written again.
        if (error instanceof RangeError) return answer(outgoing, 400, awsError('SerializationException', error.message));
        throw error;
      }),
    refusalBody: ({ status, message }) => awsError(transportErrors[status] ?? 'BadRequestException', message),
    // Frozen environments cannot notice that a connection was closed; theirs stay open.
    keepAliveMs: 0,
    timeouts: options.timeouts,
    onProblem: options.onProblem,
  });
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${server.port}`,
    usage,
    stop: () => server.stop().then(() => agent.destroy()),
  });
}

const transportErrors: Readonly<Record<Refusal['status'], string>> = {
  403: 'AccessDeniedException',
  408: 'RequestTimeoutException',
  500: 'InternalFailure',
};

/** Clients read the text under either name. */
function awsError(type: string, message: string): Record<string, string> {
  return { __type: `com.amazon.coral.service#${type}`, message, Message: message };
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly content: Buffer;
}

/** What of their headers services and callers read. All others are of one connection only. */
const passedOn = /^(authorization|content-type|user-agent|x-amzn?-.*)$/;
const endToEnd = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => passedOn.test(name)));

async function ask(upstream: string, agent: Agent, { headers }: IncomingMessage, payload: Buffer): Promise<Answered> {
  const { hostname, port, host } = new URL(upstream);
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = httpRequest(
      { host: hostname, port, path: '/', method: 'POST', agent, headers: { ...endToEnd(headers), host, 'content-length': payload.length } },
      resolve,
    );
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: incoming.statusCode ?? 502, headers: endToEnd(incoming.headers), content: Buffer.concat(chunks) };
}

/** Why a function may not make a call. Whoever is no function of the template is an operator with credentials of their own. */
function authorize(iam: Iam | undefined, caller: string, { service, operation, asked }: AwsCall): string | undefined {
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
function injectFaults(faults: FaultBoard, caller: string, operation: string, asked: AwsCall['asked'], body: Buffer): Injected {
  if (Object.keys(faults.of(caller)).length === 0) return { body, failed: [] };
  if (operation === 'SendMessageBatch') {
    const { taken, failed } = splitBatch(faults, caller, (asked['Entries'] ?? []) as { Id: string }[]);
    if (taken.length === 0 && failed.length > 0) return { answer: { status: 200, body: { Successful: [], Failed: failed } } };
    return failed.length === 0 ? { body, failed } : { body: Buffer.from(JSON.stringify({ ...asked, Entries: taken })), failed };
  }
  const refusal = faultyAnswer(faults, caller, operation, asked);
  return refusal ? { answer: refusal } : { body, failed: [] };
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

interface Recorded extends Pick<AwsCall, 'operation' | 'asked'> {
  readonly caller: string;
}

/** @param answered JSON, where metering is on */
function record(usage: Map<string, Usage>, { caller, operation, asked }: Recorded, answered: string | undefined): void {
  const add = (table: string, units: number, entries: number, calls: number): void => {
    const key = `${caller} ${operation} ${table}`;
    const entry = usage.get(key) ?? { calls: 0, readUnits: 0, writeUnits: 0, entries: 0 };
    entry.calls += calls;
    entry.entries += entries;
    if (readOperations.has(operation)) entry.readUnits += units;
    else entry.writeUnits += units;
    usage.set(key, entry);
  };
  if (answered === undefined) {
    add('', 0, 0, 1);
    return;
  }
  const { TableName, Entries } = asked as { TableName?: string | null; Entries?: unknown[] | null };
  const { ConsumedCapacity = [] } = JSON.parse(answered) as { ConsumedCapacity?: Capacity | Capacity[] };
  add(TableName ?? '', 0, Entries?.length ?? 0, 1);
  for (const capacity of [ConsumedCapacity].flat()) add(capacity.TableName ?? '', capacity.CapacityUnits ?? 0, 0, 0);
}
