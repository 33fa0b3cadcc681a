import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import type { Identities } from '@outbox-saga/local/identities';
import { signWith } from '../support/client.ts';
import type { FuzzRequest, Sender } from './arbitraries.ts';

export interface FuzzAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly milliseconds: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 });
const tokens = new Map<string, Promise<string>>();

function tokenOf(identities: Identities, sub: string, scope: string): Promise<string> {
  const key = `${sub} ${scope}`;
  const known = tokens.get(key);
  if (known) return known;
  const made = identities.subjectToken(sub, scope);
  tokens.set(key, made);
  return made;
}

async function proofOf(
  sender: Sender,
  identities: Identities,
  url: string,
  { method, target, headers, body }: FuzzRequest,
): Promise<Record<string, string>> {
  switch (sender.kind) {
    case 'nobody':
      return {};
    case 'garbage':
      return { authorization: sender.header };
    case 'customer':
      return { authorization: `Bearer ${await tokenOf(identities, sender.sub, sender.scope)}` };
    case 'tampered': {
      const token = await tokenOf(identities, 'c1', 'orders/place orders/read orders/cancel');
      const at = sender.at % token.length;
      return { authorization: `Bearer ${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}` };
    }
    case 'operator': {
      const absolute = URL.canParse(url + target) ? new URL(url + target) : new URL(url);
      const { host: _host, ...proof } = await signWith(identities.operator)({ method, url: absolute, headers: {}, body });
      // Only what proves: the rest is the request's own.
      return { ...proof, ...headers };
    }
  }
}

/** Sends a request as it is. @returns undefined when the connection ended without an answer */
export async function send(url: string, identities: Identities, request: FuzzRequest): Promise<FuzzAnswer | undefined> {
  const startedAt = performance.now();
  const proof = await proofOf(request.sender, identities, url, request);
  const answer = request.raw ? await sendRaw(url, request) : await sendHttp(url, request, proof);
  return answer && { ...answer, milliseconds: performance.now() - startedAt };
}

type Plain = Omit<FuzzAnswer, 'milliseconds'>;

function sendHttp(url: string, { method, target, headers, body }: FuzzRequest, proof: Record<string, string>): Promise<Plain | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        hostname,
        port,
        method,
        path: target,
        agent,
        headers: { ...headers, ...proof, ...(body ? { 'content-length': body.length } : {}) },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: new Headers(
              Object.entries(incoming.headers).flatMap(([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, one])),
            ),
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(undefined) : reject(error),
    );
    outgoing.end(body);
  });
}

/** What no library would send: the request line and headers as they are. */
function sendRaw(url: string, { method, target, headers }: FuzzRequest): Promise<Plain | undefined> {
  const { hostname, port } = new URL(url);
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...Object.entries({ host: `${hostname}:${port}`, connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ];
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write(lines.join('\r\n')));
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on('data', (chunk) => (text += chunk.toString('utf8')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      // "100 Continue" comes before the answer.
      const [head = '', ...rest] = text.replace(/^HTTP\/1\.1 100 [^\r]*\r\n\r\n/, '').split('\r\n\r\n');
      const [statusLine = '', ...fields] = head.split('\r\n');
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
      if (!status) return resolve(undefined);
      const pairs = fields.map((field) => field.split(/: ?(.*)/s).slice(0, 2) as [string, string]);
      resolve({ status, headers: new Headers(pairs), text: rest.join('\r\n\r\n') });
    });
  });
}
