/** What every call of the client goes through. It and order-saga.ts are the whole client: copy the two where you need them. */

export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface ClientOptions {
  /** `https://…`, without a slash at the end; it may have a path. */
  readonly baseUrl: string;
  /** The headers that prove who asks: `authorization: Bearer …`, or a signature over the request. Asked for each try. Default: none. */
  readonly authorize?: (request: OutgoingRequest) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** Tries of one call, the first included. Default: 4. */
  readonly attempts?: number;
  /** Longest wait before the second try, in ms; it doubles with each further one. The wait itself is drawn from 0 to that. Default: 200. */
  readonly backoffMs?: number;
  /** When a try is given up, in ms. Default: 30,000, as the gateway. */
  readonly timeoutMs?: number;
  /** For tests. Default: the global ones. */
  readonly fetch?: typeof fetch;
  readonly pause?: (milliseconds: number) => Promise<void>;
}

/** An answer below 400, its body by the operation's schema. */
export interface Answer<Status extends number, Body> {
  readonly status: Status;
  readonly body: Body;
  readonly headers: Headers;
}

/** An answer of 400 and above: a problem document, or what the gateway says itself. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly status: number;
  /** `urn:problem:…`, for programs; undefined when the gateway answered itself. */
  readonly type: string | undefined;
  /** Every field that is wrong. */
  readonly errors: readonly { readonly field: string; readonly message: string }[];
  /** Under which the request is logged. */
  readonly correlationId: string | undefined;

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    const text = (key: string): string | undefined => (typeof body[key] === 'string' ? body[key] : undefined);
    super(`${status}: ${text('detail') ?? text('message') ?? 'no explanation'}`);
    this.status = status;
    this.type = text('type');
    this.errors = Array.isArray(body['errors']) ? (body['errors'] as { field: string; message: string }[]) : [];
    this.correlationId = text('correlationId');
  }
}

export interface Call {
  readonly method: string;
  /** With its parameters filled in. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

/**
 * Sends a call, and again while that may help: after 429, after 5xx, and when no answer came. Every operation may be repeated: what sets or places
 * something keeps its Idempotency-Key.
 *
 * @throws ApiProblem for an answer of 400 and above, and what `fetch` threw, from the last try
 */
export async function send(options: ClientOptions, call: Call): Promise<Answer<number, unknown>> {
  const { attempts = 4, backoffMs = 200, pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) } = options;
  for (let attempt = 1; ; attempt++) {
    let answer: Answer<number, unknown> | undefined;
    let failure: unknown;
    try {
      answer = await once(options, call);
    } catch (error) {
      failure = error;
    }
    if (answer && answer.status < 400) return answer;
    const problem = answer && new ApiProblem(answer.status, (answer.body ?? {}) as Record<string, unknown>);
    const mayHelp = answer === undefined || answer.status === 429 || answer.status >= 500;
    if (!mayHelp || attempt >= attempts) throw problem ?? failure;
    const asked = Number(answer?.headers.get('retry-after') ?? 0) * 1000;
    await pause(Math.max(Number.isFinite(asked) ? asked : 0, Math.random() * backoffMs * 2 ** (attempt - 1)));
  }
}

async function once(
  { baseUrl, authorize, timeoutMs = 30_000, fetch: request = fetch }: ClientOptions,
  call: Call,
): Promise<Answer<number, unknown>> {
  const url = new URL(baseUrl.replace(/\/$/, '') + call.path);
  for (const [name, value] of Object.entries(call.query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(call.headers ?? {})) if (value !== undefined) headers[name] = value;
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  if (body !== undefined) headers['content-type'] = 'application/json';
  const proof = await authorize?.({ method: call.method, url, headers, body });
  const response = await request(url, {
    method: call.method,
    headers: { ...headers, ...proof },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
}

/** What is no JSON came from something between: its status says enough. */
function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
