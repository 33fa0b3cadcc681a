import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** All that came back, further answers on the connection included. */
  readonly text: string;
}

/**
 * Sends bytes as they are, which no HTTP library would, and reads until the other side ends the connection.
 *
 * @param end ends the sending side after the last byte; a server may take that for a caller who is gone
 * @returns status 0 where the connection ended without an answer
 */
export function sendBytes(url: string, bytes: string | Uint8Array, { end = false, patienceMs = 10_000 } = {}): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => (end ? socket.end(bytes) : socket.write(bytes)));
    socket.setTimeout(patienceMs, () => socket.destroy(new Error(`no answer within ${patienceMs} ms`)));
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => resolve({ status: Number(/^HTTP\/1\.1 (?!100)(\d{3})/m.exec(text)?.[1] ?? 0), text }));
  });
}

/** A request with a body, whose headers are as they are given. */
export function requestText(line: string, headers: Readonly<Record<string, string>>, body = ''): string {
  const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), connection: 'close', ...headers });
  return `${line}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}
