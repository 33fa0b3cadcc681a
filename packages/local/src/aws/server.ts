import type { IncomingMessage } from 'node:http';
import { AwsError } from '@outbox-saga/emulator/aws-error';
import { mostBodyBytes } from '@outbox-saga/emulator/protocol';
import { bodyOf, startServer, type Refusal, type Timeouts } from '@outbox-saga/emulator/http-server';
import type { Identities } from '../identities.ts';
import { accessKeyOf, isSigned } from '../signature.ts';
import { askedOf, serviceOf, type AwsCall } from './call.ts';
import { outsider, type AwsCalls } from './calls.ts';

export interface AwsServer {
  readonly url: string;
  stop(): Promise<void>;
}

export interface AwsServerOptions {
  readonly calls: AwsCalls;
  readonly identities: Identities;
  /** Names that it answers to, beside those of loopback. */
  readonly hosts: readonly string[];
  readonly onProblem: (what: string) => void;
  readonly timeouts?: Timeouts;
}

/** DynamoDB and SQS on a port of loopback, for functions in processes of their own, for the AWS CLI and for tests. A function is known by its signature. */
export async function startAwsServer({ calls, identities, hosts, onProblem, timeouts }: AwsServerOptions): Promise<AwsServer> {
  /** @throws AwsError for what is no call, and for a signature that is not the caller's */
  async function read(request: IncomingMessage): Promise<[string, AwsCall]> {
    const asked = serviceOf(request.method, request.url, targetOf(request));
    const body = await bodyOf(request, mostBodyBytes);
    if (body === undefined) throw new AwsError('SerializationException', `the body is larger than ${mostBodyBytes} bytes`);
    const call = { ...asked, asked: askedOf(body.toString('utf8')) };
    const identity = identities.functions.get(accessKeyOf(request.headers) ?? '');
    if (identity && !(await isSigned(request, body, call.service, identity.secret))) {
      throw new AwsError('InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.');
    }
    return [identity?.name ?? outsider, call];
  }

  const server = await startServer({
    port: 0,
    // No web page has business with tables and queues.
    callers: { hosts, origins: [] },
    answer: async (request, response) => {
      // Whoever is gone must not receive a message: nobody else would, until its visibility timeout.
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const answer = await calls.answer(targetOf(request), () => read(request), gone.signal);
      if (answer !== 'none') response.writeHead(answer.status, answer.headers).end(answer.body);
    },
    refusalBody: ({ status, message }) => awsError(transportErrors[status] ?? 'BadRequestException', message),
    // Frozen environments cannot notice that a connection was closed; theirs stay open.
    keepAliveMs: 0,
    timeouts,
    onProblem,
  });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop() };
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
