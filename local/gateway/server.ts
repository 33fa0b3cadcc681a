import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { gatewayAnswers, type GatewayAnswer } from '../../lambdas/contract/core/http.ts';
import { closeServer } from '../aws-proxy.ts';
import { StartProblem } from '../problem.ts';
import { corsHeaders, isPreflight, type CorsConfiguration } from './cors.ts';
import { eventOf } from './event.ts';
import { matchRoute, type GatewayRoute } from './routes.ts';

/** Limits of an HTTP API and of Lambda's request payload. */
const maxBodyBytes = 10 * 1024 * 1024;
const maxHeaderBytes = 10_240;
const gatewayTimeoutMs = 30_000;

/** Answers requests below `/_local/`; undefined: there is no such page. */
export type LocalPages = (method: string, path: string, body: string) => Promise<{ status: number; body: unknown } | undefined>;

export interface GatewayOptions {
  /** 0 takes a free port. */
  readonly port: number;
  readonly routes: readonly GatewayRoute[];
  readonly pages: LocalPages;
  readonly cors: CorsConfiguration;
}

export interface Gateway {
  readonly url: string;
  stop(): Promise<void>;
}

/** What the gateway itself answers looks like this on AWS, and so it does here. */
function refuse(response: ServerResponse, { status, message }: Omit<GatewayAnswer, 'when'>): void {
  const body = JSON.stringify({ message });
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

/** An HTTP API on loopback: routes, events and answers as the template and AWS have them. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const server = createServer({ maxHeaderSize: 4 * maxHeaderBytes }, (request, response) => {
    void serve(options, request, response).catch(() => {
      if (!response.headersSent) refuse(response, gatewayAnswers.internal);
      else response.destroy();
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const { status, message } = error.code === 'HPE_HEADER_OVERFLOW' ? gatewayAnswers.headersTooLarge : gatewayAnswers.badRequest;
    const body = JSON.stringify({ message });
    if (socket.writable)
      socket.end(
        `HTTP/1.1 ${status} ${message}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE' || error.code === 'EACCES';
      reject(
        taken
          ? new StartProblem(`port ${options.port} is taken or not allowed. Choose another one: PORT=${options.port + 1} npm start`)
          : error,
      );
    });
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : options.port;
  return { url: `http://localhost:${port}`, stop: () => closeServer(server) };
}

async function serve(options: GatewayOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headerBytes = request.rawHeaders.reduce((sum, part) => sum + part.length + 2, 0);
  if (headerBytes > maxHeaderBytes) return refuse(response, gatewayAnswers.headersTooLarge);
  const body = await bodyOf(request);
  if (body === undefined) {
    response.setHeader('connection', 'close');
    return refuse(response, gatewayAnswers.tooLarge);
  }
  const target = request.url ?? '/';
  // Put behind a host, and not resolved against one: `//x/orders` is a path here, and no other host's.
  const absolute = `http://localhost${target}`;
  if (!target.startsWith('/') || !URL.canParse(absolute)) return refuse(response, gatewayAnswers.badRequest);
  const url = new URL(absolute);
  if (url.pathname.startsWith('/_local/')) return servePage(options.pages, request, response, url.pathname, body);

  for (const [name, value] of Object.entries(corsHeaders(options.cors, request))) response.setHeader(name, value);
  const match = matchRoute(options.routes, request.method ?? 'GET', url.pathname);
  if (match === 'malformed') return refuse(response, gatewayAnswers.badRequest);
  if (!match && options.cors.AllowOrigins !== undefined && isPreflight(request)) {
    response.writeHead(204).end();
    return;
  }
  if (!match) return refuse(response, gatewayAnswers.notFound);
  if (!match.route.permitted) return refuse(response, gatewayAnswers.internal);
  const verdict = (await match.route.authorize?.(request, body)) ?? { context: undefined };
  if ('refusal' in verdict) {
    if (verdict.challenge !== undefined) response.setHeader('www-authenticate', verdict.challenge);
    return refuse(response, verdict.refusal);
  }
  const event = eventOf(request, url, body, { key: match.route.key, params: match.params }, verdict.context);
  const result = await Promise.race([
    match.route.pool.invoke(event),
    new Promise<undefined>((resolve) => setTimeout(resolve, gatewayTimeoutMs, undefined).unref()),
  ]);
  if (result === undefined) return refuse(response, gatewayAnswers.unavailable);
  if (!result.ok) return refuse(response, gatewayAnswers.internal);
  answer(response, result.payload);
}

/** A payload with a statusCode is a response; anything else is a 200 with the payload as JSON. */
function answer(response: ServerResponse, payload: unknown): void {
  const structured = payload as APIGatewayProxyStructuredResultV2 | null;
  if (structured === null || typeof structured !== 'object' || structured.statusCode === undefined) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(payload));
    return;
  }
  const { statusCode, headers = {}, cookies = [], body = '', isBase64Encoded = false } = structured;
  response.statusCode = statusCode;
  // Where CORS is configured, what a function says about it is not heard.
  for (const [name, value] of Object.entries(headers)) if (!response.hasHeader(name)) response.setHeader(name, String(value));
  if (cookies.length > 0) response.setHeader('set-cookie', cookies);
  response.end(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'));
}

/** The runtime's own pages answer this machine's user only: not a web page that a browser was lured to. */
async function servePage(pages: LocalPages, request: IncomingMessage, response: ServerResponse, path: string, body: Buffer): Promise<void> {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (!['localhost', '127.0.0.1', '[::1]'].includes(host) || request.headers.origin !== undefined)
    return refuse(response, gatewayAnswers.forbidden);
  const page = await pages(request.method ?? 'GET', path, body.toString('utf8'));
  if (!page) return refuse(response, gatewayAnswers.notFound);
  response.writeHead(page.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(page.body, null, 2));
}

/** @returns undefined when the body is larger than the gateway takes */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
