/** One HTTP request, and how long its whole answer may take. */
export interface HttpExchange {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For both tries together. */
  readonly timeoutMs: number;
  /** Whether sending it twice does no more than sending it once: it only reads, or carries an idempotency key. */
  readonly repeatable: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * Sends a request and reads its answer. A connection that is kept between invocations may die unnoticed: a NAT gateway forgets it after minutes of
 * silence, and says so only when it is used again. So a repeatable request whose connection failed is sent once more at once, over a new connection
 * and within the same time. Redirects are answers.
 *
 * @throws what `fetch` threw: nobody knows whether the request arrived
 */
export async function exchange({ url, timeoutMs, repeatable, ...request }: HttpExchange): Promise<HttpAnswer> {
  const init: RequestInit = { ...request, signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' };
  try {
    return await answerOf(await fetch(url, init));
  } catch (error) {
    if (!repeatable || (error as Error).name === 'TimeoutError') throw error;
  }
  const dispatcher = newConnections();
  try {
    return await answerOf(await fetch(url, dispatcher ? { ...init, dispatcher } : init));
  } finally {
    void dispatcher?.destroy();
  }
}

async function answerOf(response: Response): Promise<HttpAnswer> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/**
 * Connections apart from those that are kept: the next one of those may be as dead. Node has undici inside and does not export it, but keeps its
 * dispatcher under this name once `fetch` was used.
 */
function newConnections(): RequestInit['dispatcher'] {
  const shared = (globalThis as Record<symbol, unknown>)[Symbol.for('undici.globalDispatcher.1')] as RequestInit['dispatcher'];
  return shared && new (shared.constructor as new () => NonNullable<RequestInit['dispatcher']>)();
}
