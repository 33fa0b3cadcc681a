import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** Who may call a server of this machine, beside what runs on it. */
export interface Callers {
  /** Names that it answers to, beside those of loopback (`--allow-host`). */
  readonly hosts: readonly string[];
  /** Web pages that may call it, beside its own. */
  readonly origins: readonly string[];
}

/** What a server says instead of an answer. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

export interface Timeouts {
  /** For the request line and the headers. */
  readonly headersMs: number;
  /** For the whole request. */
  readonly requestMs: number;
}

export interface ServerOptions {
  /** 0 takes a free port. */
  readonly port: number;
  readonly callers: Callers;
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** A refusal in the words of the protocol: a value for JSON. */
  readonly refusalBody: (refusal: Refusal) => unknown;
  /** Gets what `answer` threw; the caller then gets a 500. */
  readonly onProblem: (what: string) => void;
  readonly timeouts?: Timeouts | undefined;
  readonly maxHeaderBytes?: number;
  /** How long a connection without a request stays open; 0: until its client ends it. Default: a minute, so that clients who pause do not lose theirs. */
  readonly keepAliveMs?: number;
}

export interface LocalServer {
  readonly port: number;
  stop(): Promise<void>;
}

export const usualTimeouts: Timeouts = { headersMs: 10_000, requestMs: 30_000 };
const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];
/** A client that was told that its request is malformed has this long to read it. */
const lingerMs = 1000;

/**
 * Why a request is not this machine's own. Being on loopback keeps other machines out, but not web pages: a browser on this machine calls for them,
 * under their own name when that leads to loopback (DNS rebinding), or across origins.
 *
 * @returns undefined when it may pass
 */
export function foreign({ headers }: Pick<IncomingMessage, 'headers'>, { hosts, origins }: Callers): string | undefined {
  const { host = '', origin } = headers;
  const site = headers['sec-fetch-site'];
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (![...loopbackNames, ...hosts].includes(name)) {
    return `the local runtime does not answer to the host ${quoted(host)}: only to loopback, and to what --allow-host names`;
  }
  if (origin !== undefined && origins.includes(origin)) return undefined;
  if (origin !== undefined && origin !== `http://${host}`) return `the local runtime does not answer web pages of ${quoted(origin)}`;
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'the local runtime does not answer web pages of other sites';
  return undefined;
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));

/** An HTTP server on loopback that answers its callers only, in time, and outlives whatever they send. */
export async function startServer(options: ServerOptions): Promise<LocalServer> {
  const { headersMs, requestMs } = options.timeouts ?? usualTimeouts;
  const refuse = (response: ServerResponse, refusal: Refusal): void => {
    const body = JSON.stringify(options.refusalBody(refusal));
    response.writeHead(refusal.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const why = foreign(request, options.callers);
    if (why !== undefined) return refuse(response, { status: 403, message: why });
    try {
      await options.answer(request, response);
    } catch (error) {
      // Whoever ended the connection gets no answer, and that is nobody's problem.
      if (request.socket.destroyed || request.readableAborted) return void response.destroy();
      options.onProblem(`${request.method} ${request.url?.slice(0, 200)}: ${(error as Error).stack}`);
      if (response.headersSent) response.destroy();
      else refuse(response, { status: 500, message: 'Internal Server Error' });
    }
  };
  const server = createServer({
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.max(5, requestMs / 30),
    keepAliveTimeout: options.keepAliveMs ?? 60_000,
  });
  const answering = new WeakMap<object, ServerResponse>();
  server.on('request', (request, response) => {
    answering.set(request.socket, response);
    response.on('error', () => undefined);
    void serve(request, response);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = answering.get(socket);
    // In the middle of an answer there is no place for another one.
    const begun = response !== undefined && response.headersSent && !response.writableFinished;
    if (!socket.writable || begun) return void socket.destroy();
    answerRaw(socket as Socket, malformed(error.code), options.refusalBody);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', () => {
      server.off('error', reject);
      server.on('error', (error) => options.onProblem(error.message));
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, stop: () => closeServer(server) };
}

function malformed(code: string | undefined): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, message: 'Request Timeout' };
  if (code === 'HPE_HEADER_OVERFLOW') return { status: 431, message: 'Request Header Fields Too Large' };
  return { status: 400, message: 'Bad Request' };
}

/** An answer where there is no request to answer. */
function answerRaw(socket: Socket, refusal: Refusal, bodyOf: ServerOptions['refusalBody']): void {
  const body = JSON.stringify(bodyOf(refusal));
  const head = [
    `HTTP/1.1 ${refusal.status} ${refusal.message}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.setTimeout(lingerMs, () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** @returns undefined when the body is larger than `maxBytes` */
export async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // The rest of a body that is too large is read and dropped: a connection that is cut would take the answer with it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
