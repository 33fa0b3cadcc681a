import { EventEmitter } from 'node:events';
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { Readable } from 'node:stream';
import type { AnswerToCall, FromThread } from '../protocol.ts';

type Post = (message: Extract<FromThread, { kind: 'call' | 'abandon' }>) => void;
type OnResponse = (response: IncomingMessage) => void;

/**
 * Turns requests to the runtime's AWS endpoint into messages to the runtime: the SDK of an unchanged bundle then calls AWS without a socket.
 * All other requests are untouched. To be called before the bundle is loaded.
 *
 * @returns takes the runtime's answers
 */
export function interceptCalls(endpoint: string, post: Post): (answer: AnswerToCall) => void {
  const { hostname, port } = new URL(endpoint);
  const waiting = new Map<number, MessageRequest>();
  const original = http.request;
  let last = 0;
  const intercepted = (...args: Parameters<typeof original>): ClientRequest | MessageRequest => {
    // The SDK gives options; a URL is somebody else's.
    const [options, onResponse] = args as unknown as [RequestOptions, OnResponse?];
    if (options.host !== hostname || String(options.port) !== port) return original(...args);
    const id = ++last;
    const request = new MessageRequest({
      send: (body) => {
        waiting.set(id, request);
        post({ kind: 'call', id, method: options.method, path: options.path, target: targetOf(options), body });
      },
      abandon: () => {
        if (waiting.delete(id)) post({ kind: 'abandon', id });
      },
    });
    if (onResponse) request.once('response', onResponse);
    return request;
  };
  http.request = intercepted as typeof http.request;
  syncBuiltinESMExports();
  return (answer) => {
    const request = waiting.get(answer.id);
    waiting.delete(answer.id);
    request?.answer(answer);
  };
}

function targetOf({ headers }: RequestOptions): string {
  const found = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'x-amz-target');
  return String(found?.[1] ?? '');
}

/** As much of a connected socket as the SDK looks at. Its timeouts are the request's own; nothing is ever idle here. */
const connected = Object.assign(new EventEmitter({}), { connecting: false, setKeepAlive: () => undefined, setTimeout: () => undefined });
connected.setMaxListeners(0);

interface Wire {
  readonly send: (body: string) => void;
  readonly abandon: () => void;
}

/** As much of a `ClientRequest` as the SDK uses. */
class MessageRequest extends EventEmitter {
  readonly socket = connected;
  readonly #wire: Wire;
  readonly #chunks: (string | Uint8Array)[] = [];
  #closed = false;

  constructor(wire: Wire) {
    super();
    this.#wire = wire;
  }

  write(chunk: string | Uint8Array): boolean {
    this.#chunks.push(chunk);
    return true;
  }

  end(chunk?: string | Uint8Array): this {
    if (chunk !== undefined) this.#chunks.push(chunk);
    const [only, ...more] = this.#chunks;
    const isText = more.length === 0 && typeof only === 'string';
    this.#wire.send(isText ? only : Buffer.concat(this.#chunks.map((part) => Buffer.from(part as Uint8Array))).toString('utf8'));
    return this;
  }

  answer({ status, headers, body }: AnswerToCall): void {
    const response = new Readable({
      read() {
        this.push(body);
        this.push(null);
      },
    });
    this.emit('response', Object.assign(response, { statusCode: status, statusMessage: '', headers }));
    this.#close();
  }

  destroy(error?: Error): this {
    if (this.#closed) return this;
    this.#wire.abandon();
    if (error) this.emit('error', error);
    this.#close();
    return this;
  }

  #close(): void {
    this.#closed = true;
    this.emit('close');
  }
}
