import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** What the server does with one request. Default: 200 with the body. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: string;
  /** Accepts the request and never answers. */
  readonly hang?: boolean;
  /** Closes the connection instead of answering. */
  readonly drop?: boolean;
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As it came. */
  readonly body: string;
}

export interface ProviderServer {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** What is answered next, in this order; further requests get `{}`. */
  replies: Reply[];
  /** Decides by the request instead, where it is given. */
  answer: ((request: SeenRequest) => Reply) | undefined;
  /** Each connection answers once and is reset when it is used again, as by a NAT gateway that has forgotten it. */
  forgetsConnections: boolean;
  reset(): void;
  stop(): void;
}

/** Someone else's HTTP server on loopback that does as it is told. */
export async function startProviderServer(): Promise<ProviderServer> {
  const used = new WeakSet<Socket>();
  const server = createServer((incoming: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method, url, headers, socket } = incoming;
      if (control.forgetsConnections && used.has(socket)) return void socket.resetAndDestroy();
      used.add(socket);
      const request = { method: method!, url: url!, headers, body: Buffer.concat(chunks).toString() };
      control.seen.push(request);
      const { status = 200, headers: sent, body, raw, hang, drop } = control.answer?.(request) ?? control.replies.shift() ?? {};
      if (hang) return;
      if (drop) return void socket.destroy();
      response.writeHead(status, { 'content-type': 'application/json', ...sent });
      response.end(raw ?? JSON.stringify(body ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const control: ProviderServer = {
    url: `http://127.0.0.1:${port}`,
    seen: [],
    replies: [],
    answer: undefined,
    forgetsConnections: false,
    reset: () => {
      control.seen.length = 0;
      control.replies = [];
      control.answer = undefined;
      control.forgetsConnections = false;
    },
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return control;
}
