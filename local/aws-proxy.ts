import type { IncomingMessage, ServerResponse } from 'node:http';
import { askedOf, serviceOf, type AwsCall } from './aws-call.ts';
import type { Caller } from './emulators/call.ts';
import { AwsError } from './engine/aws-error.ts';
import { answered, mostBodyBytes, refused, type Answered } from './engine/protocol.ts';
import { bodyOf, startServer, type Refusal, type Timeouts } from './http-server.ts';
import { needsOf, type Iam } from './iam.ts';
import type { Identities } from './identities.ts';
import { accessKeyOf, isSigned } from './signature.ts';
import { faultOf, splitBatch, type FaultBoard } from './faults.ts';

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
  readonly dynamoDb: Caller;
  readonly sqs: Caller;
  readonly identities: Identities;
  readonly faults: FaultBoard;
  /** Names that it answers to, beside those of loopback. */
  readonly hosts: readonly string[];
  readonly onProblem: (what: string) => void;
  readonly timeouts?: Timeouts;
}

/**
 * Every AWS call of every function passes through here under the function's identity, which its signature names.
 * Counts calls, and with metering on also the capacity that DynamoDB reports.
 */
export async function startAwsProxy(options: AwsProxyOptions): Promise<AwsProxy> {
  const usage = new Map<string, Usage>();
  const proxy: Pick<AwsProxy, 'metering' | 'iam'> = { metering: false, iam: undefined };

  /** @throws AwsError for a call that is refused, here or by the service */
  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<Answered | 'none'> {
    const { service, operation, target } = serviceOf(incoming.method, incoming.url, targetOf(incoming));
    const body = await bodyOf(incoming, mostBodyBytes);
    if (body === undefined) throw new AwsError('SerializationException', `the body is larger than ${mostBodyBytes} bytes`);
    const asked = askedOf(body);
    const identity = options.identities.functions.get(accessKeyOf(incoming.headers) ?? '');
    const caller = identity?.name ?? outsider;
    if (identity && !(await isSigned(incoming, body, service, identity.secret))) {
      throw new AwsError('InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.');
    }
    const refusal = authorize(proxy.iam, caller, { service, operation, asked, target });
    if (refusal !== undefined) throw new AwsError('AccessDeniedException', refusal);
    if (options.faults.dies(caller, operation, 'dieBefore')) return die();
    const injected = injectFaults(options.faults, caller, operation, asked);
    if ('answer' in injected) return injected.answer;

    // Whoever is gone must not receive a message: nobody else would, until its visibility timeout.
    const gone = new AbortController();
    outgoing.once('close', () => gone.abort());
    const input = proxy.metering && service === 'dynamodb' ? { ...injected.asked, ReturnConsumedCapacity: 'TOTAL' } : injected.asked;
    let answer: Record<string, unknown> = {};
    let failure: AwsError | undefined;
    try {
      answer = await options[service === 'dynamodb' ? 'dynamoDb' : 'sqs'](target, input, gone.signal);
    } catch (error) {
      // Nested too deeply to be written again.
      if (error instanceof RangeError) throw error;
      failure = error instanceof AwsError ? error : new AwsError('ServiceUnavailable', (error as Error).message);
    }
    // Whoever is no function can send any operation: counted are those that there are.
    if (identity || !failure) record(usage, { caller, operation, asked }, proxy.metering ? answer : undefined);
    if (options.faults.dies(caller, operation, 'dieAfter')) return die();
    if (failure) throw failure;
    if (injected.failed.length === 0) return answered(target, answer);
    const { Failed = [], ...rest } = answer as { Failed?: unknown[] };
    return answered(target, { ...rest, Failed: [...Failed, ...injected.failed] });
  }

  const server = await startServer({
    port: 0,
    // No web page has business with tables and queues.
    callers: { hosts: options.hosts, origins: [] },
    answer: async (incoming, outgoing) => {
      let answer: Answered | 'none';
      try {
        answer = await forward(incoming, outgoing);
      } catch (error) {
        // A body that was read may still be nested too deeply to be written again.
        const told = error instanceof RangeError ? new AwsError('SerializationException', error.message) : error;
        if (!(told instanceof AwsError)) throw error;
        answer = refused(targetOf(incoming), told);
      }
      if (answer !== 'none') outgoing.writeHead(answer.status, answer.headers).end(answer.body);
    },
    refusalBody: ({ status, message }) => awsError(transportErrors[status] ?? 'BadRequestException', message),
    // Frozen environments cannot notice that a connection was closed; theirs stay open.
    keepAliveMs: 0,
    timeouts: options.timeouts,
    onProblem: options.onProblem,
  });
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${server.port}`,
    usage,
    stop: () => server.stop(),
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

const targetOf = ({ headers }: IncomingMessage): string => String(headers['x-amz-target'] ?? '');

/** Why a function may not make a call. Whoever is no function of the template is an operator with credentials of their own. */
function authorize(iam: Iam | undefined, caller: string, { service, operation, asked }: AwsCall): string | undefined {
  if (!iam || caller === outsider) return undefined;
  return iam.refusal(caller, needsOf(service, operation, asked, iam.tableArns));
}

/** The end that no process sees coming. */
function die(): 'none' {
  process.kill(process.pid, 'SIGKILL');
  return 'none';
}

type Injected =
  | { readonly answer: Answered }
  /** What goes on to the service, and the entries of a batch that do not. */
  | { readonly asked: AwsCall['asked']; readonly failed: readonly unknown[] };

/** Lets the faults of a caller act on its call. */
function injectFaults(faults: FaultBoard, caller: string, operation: string, asked: AwsCall['asked']): Injected {
  if (Object.keys(faults.of(caller)).length === 0) return { asked, failed: [] };
  if (operation === 'SendMessageBatch') {
    const { taken, failed } = splitBatch(faults, caller, (asked['Entries'] ?? []) as { Id: string }[]);
    if (taken.length === 0 && failed.length > 0) return { answer: answered('AmazonSQS', { Successful: [], Failed: failed }) };
    return { asked: failed.length === 0 ? asked : { ...asked, Entries: taken }, failed };
  }
  const fault = faultOf(faults, caller, operation, asked);
  if (fault) throw fault;
  return { asked, failed: [] };
}

const outsider = 'outside';

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

/** @param answer where metering is on */
function record(usage: Map<string, Usage>, { caller, operation, asked }: Recorded, answer: Record<string, unknown> | undefined): void {
  const add = (table: string, units: number, entries: number, calls: number): void => {
    const key = `${caller} ${operation} ${table}`;
    const entry = usage.get(key) ?? { calls: 0, readUnits: 0, writeUnits: 0, entries: 0 };
    entry.calls += calls;
    entry.entries += entries;
    if (readOperations.has(operation)) entry.readUnits += units;
    else entry.writeUnits += units;
    usage.set(key, entry);
  };
  if (answer === undefined) {
    add('', 0, 0, 1);
    return;
  }
  const { TableName, Entries } = asked as { TableName?: string | null; Entries?: unknown[] | null };
  const { ConsumedCapacity = [] } = answer as { ConsumedCapacity?: Capacity | Capacity[] };
  add(TableName ?? '', 0, Entries?.length ?? 0, 1);
  for (const capacity of [ConsumedCapacity].flat()) add(capacity.TableName ?? '', capacity.CapacityUnits ?? 0, 0, 0);
}
