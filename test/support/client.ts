import { randomUUID } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { OutgoingRequest } from '../../client/http.ts';
import { OrderSagaClient } from '../../client/order-saga.ts';
import { Sha256 } from '@outbox-saga/kit/aws/sha256';
import { toSign } from '../../load/signed.ts';
import { undocumented } from './document.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // Answers of many shapes are read by tests that assert what they find.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface Line {
  readonly sku: string;
  readonly qty: number;
  readonly price: number;
}

export interface Placement {
  readonly customerId?: string;
  readonly items: readonly Line[];
  readonly payment?: { readonly token: string };
  readonly shipTo?: Readonly<Record<string, string>>;
  readonly email?: string;
}

/** The headers that prove who asks. */
export type Authorize = (
  request: Omit<OutgoingRequest, 'body'> & { readonly body: string | Uint8Array | undefined },
) => Promise<Record<string, string>>;

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Signs for the API's IAM authorizer, as AWS clients do. */
export function signWith(
  credentials: Credentials,
  { region = 'us-east-1', service = 'execute-api', signingDate = new Date(), leaveOut = [] as readonly string[] } = {},
): Authorize {
  const signer = new SignatureV4({ service, region, sha256: Sha256, credentials });
  return async (request) => {
    const signed = await signer.sign(toSign(request), { signingDate, unsignableHeaders: new Set(leaveOut) });
    return signed.headers;
  };
}

/** The product's own client; every answer that it gets is held against the OpenAPI document. */
export function typedClient(baseUrl: string, authorize?: Authorize): OrderSagaClient {
  const checked: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const text = await response.clone().text();
    expectDocumented(init?.method ?? 'GET', new URL(String(input)).pathname.slice(new URL(baseUrl).pathname.replace(/\/$/, '').length), {
      status: response.status,
      headers: response.headers,
      text,
    });
    return response;
  };
  return new OrderSagaClient({ baseUrl, fetch: checked, ...(authorize ? { authorize } : {}) });
}

function expectDocumented(method: string, path: string, answer: Omit<Answer, 'body'>): void {
  if (path.startsWith('/_local/')) return;
  const wrong = undocumented(method, path, answer);
  if (wrong !== undefined)
    throw new Error(`${method} ${path} answered what the OpenAPI document does not say: ${wrong}\n${answer.text.slice(0, 500)}`);
}

/** Sends any request at all to the API under a base URL that may carry a path, and gives every answer back. Each is held against the OpenAPI document. */
export class ApiClient {
  readonly #base: string;
  readonly #authorize: Authorize | undefined;

  constructor(base: string, authorize?: Authorize) {
    this.#base = base.replace(/\/$/, '');
    this.#authorize = authorize;
  }

  /** The same API, asked by somebody else. */
  as(authorize: Authorize | undefined): ApiClient {
    return new ApiClient(this.#base, authorize);
  }

  async request(
    method: string,
    path: string,
    options: { body?: string | Uint8Array; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const url = new URL(this.#base + path);
    const plain = options.headers ?? {};
    const headers = { ...plain, ...(await this.#authorize?.({ method, url, headers: plain, body: options.body })) };
    const response = await fetch(url, {
      method,
      headers,
      ...(options.body === undefined ? {} : { body: options.body as NonNullable<RequestInit['body']> }),
    });
    const answer = { status: response.status, headers: response.headers, text: await response.text() };
    expectDocumented(method, path.split('?')[0]!, answer);
    return { ...answer, body: parsed(answer.text) };
  }

  get(path: string): Promise<Answer> {
    return this.request('GET', path);
  }

  send(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request(method, path, { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
  }

  place(placement: Placement, key: string = randomUUID(), headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('POST', '/orders', placement, { 'idempotency-key': key, ...headers });
  }

  setStock(sku: string, available: number, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('PUT', `/admin/stock/${sku}`, { available }, headers);
  }

  stock(sku: string): Promise<Answer> {
    return this.get(`/admin/stock/${sku}`);
  }

  order(orderId: string): Promise<Answer> {
    return this.get(`/orders/${orderId}`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
