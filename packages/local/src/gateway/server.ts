import type { IncomingMessage, ServerResponse } from 'node:http';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { correlationIdPattern, gatewayAnswers, type GatewayAnswer } from '@outbox-saga/kit/http/contract';
import { bodyOf, foreign, startServer, type LocalServer, type Timeouts } from '@outbox-saga/emulator/http-server';
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
  /** Names that the API answers to, beside those of loopback. */
  readonly hosts: readonly string[];
  readonly onProblem: (what: string) => void;
  readonly timeouts?: Timeouts;
}

export interface Gateway {
  readonly url: string;
  stop(): Promise<void>;
}

/** What the gateway itself answers looks like this on AWS, and so it does here. */
function refuse(response: ServerResponse, { status, message }: Omit<GatewayAnswer, 'when'>): void {
  const body = JSON.stringify({ message });
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** An HTTP API on loopback: routes, events and answers as the template and AWS have them. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { port, hosts, cors, timeouts, onProblem } = options;
  const server = await startServer({
    port,
    callers: { hosts, origins: cors.AllowOrigins ?? [] },
    answer: (request, response) => serve(options, request, response),
    refusalBody: ({ message }) => ({ message }),
    maxHeaderBytes: 4 * maxHeaderBytes,
    timeouts,
    onProblem,
  }).catch((error: NodeJS.ErrnoException): LocalServer => {
    if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
    throw new StartProblem(`port ${port} is taken or not allowed. Choose another one: PORT=${port + 1} npm start`);
  });
  return { url: `http://localhost:${server.port}`, stop: () => server.stop() };
}

async function serve(options: GatewayOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headerBytes = request.rawHeaders.reduce((sum, part) => sum + part.length + 2, 0);
  if (headerBytes > maxHeaderBytes) return refuse(response, gatewayAnswers.headersTooLarge);
  const target = request.url ?? '/';
  // Put behind a host, and not resolved against one: `//x/orders` is a path here, and no other host's.
  const absolute = `http://localhost${target}`;
  if (!target.startsWith('/') || !URL.canParse(absolute)) return refuse(response, gatewayAnswers.badRequest);
  const url = new URL(absolute);
  if (url.pathname.startsWith('/_local/')) return servePage(options, request, response, url.pathname);

  for (const [name, value] of Object.entries(corsHeaders(options.cors, request))) response.setHeader(name, value);
  const match = matchRoute(options.routes, request.method ?? 'GET', url.pathname);
  if (match === 'malformed') return refuse(response, gatewayAnswers.badRequest);
  if (!match && options.cors.AllowOrigins !== undefined && isPreflight(request)) {
    response.writeHead(204).end();
    return;
  }
  if (!match) return refuse(response, gatewayAnswers.notFound);
  if (!match.route.permitted) return refuse(response, gatewayAnswers.internal);
  // Read when it is needed: of a caller who is not let in, only a signature over it is a reason to.
  let read: ReturnType<typeof bodyOf> | undefined;
  const bodyOnce = (): ReturnType<typeof bodyOf> => (read ??= bodyOf(request, maxBodyBytes));
  const verdict = (await match.route.authorize?.(request, bodyOnce)) ?? { context: undefined };
  if ('refusal' in verdict) {
    if (verdict.challenge !== undefined) response.setHeader('www-authenticate', verdict.challenge);
    return refuse(response, verdict.refusal);
  }
  const body = await bodyOnce();
  if (body === undefined) return refuse(response, gatewayAnswers.tooLarge);
  const event = eventOf(request, url, body, { key: match.route.key, params: match.params, authorizer: verdict.context });
  const result = await Promise.race([
    match.route.pool.invoke(event),
    new Promise<undefined>((resolve) => setTimeout(resolve, gatewayTimeoutMs, undefined).unref()),
  ]);
  const tell = (what: string): void => options.onProblem(crashLine(match.route, request, what));
  if (result === undefined) {
    tell(`did not answer within ${gatewayTimeoutMs / 1000} s`);
    return refuse(response, gatewayAnswers.unavailable);
  }
  if (!result.ok) {
    tell(`${result.errorType}: ${result.errorMessage.split('\n')[0]}`);
    return refuse(response, gatewayAnswers.internal);
  }
  answer(response, result.payload);
}

/** A function that crashed behind HTTP has written no log line of its own. */
function crashLine({ key, pool }: GatewayRoute, { headers }: IncomingMessage, what: string): string {
  const given = String(headers['x-correlation-id'] ?? '');
  const correlation = correlationIdPattern.test(given) ? `, correlation id ${given}` : '';
  return `${pool.fn.name} failed on ${key}${correlation}: ${what}`;
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

/** The runtime's own pages answer no web page, not even one that may call the API. */
async function servePage(
  { hosts, pages }: GatewayOptions,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const why = foreign(request, { hosts, origins: [] });
  if (why !== undefined) return refuse(response, { status: 403, message: why });
  const body = await bodyOf(request, maxBodyBytes);
  if (body === undefined) return refuse(response, gatewayAnswers.tooLarge);
  const page = await pages(request.method ?? 'GET', path, body.toString('utf8'));
  if (!page) return refuse(response, gatewayAnswers.notFound);
  response.writeHead(page.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(page.body, null, 2));
}
