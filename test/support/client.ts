import { randomUUID } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '../../lambdas/kit/sha256.ts';

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

/** Talks to the API under a base URL that may carry a path; signs for IAM where `sign` is set. */
export class ApiClient {
  readonly #base: string;
  readonly #sign: boolean;

  constructor(base: string, sign = false) {
    this.#base = base.replace(/\/$/, '');
    this.#sign = sign;
  }

  async request(
    method: string,
    path: string,
    options: { body?: string | Uint8Array; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const url = new URL(this.#base + path);
    const plain = options.headers ?? {};
    const headers = this.#sign ? await this.#signed(method, url, plain, options.body) : plain;
    const response = await fetch(url, {
      method,
      headers,
      ...(options.body === undefined ? {} : { body: options.body as NonNullable<RequestInit['body']> }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parsed(text) };
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

  async #signed(
    method: string,
    url: URL,
    headers: Record<string, string>,
    body: string | Uint8Array | undefined,
  ): Promise<Record<string, string>> {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION = 'us-east-1' } = process.env;
    const signer = new SignatureV4({
      service: 'execute-api',
      region: AWS_REGION,
      sha256: Sha256,
      credentials: {
        accessKeyId: AWS_ACCESS_KEY_ID ?? '',
        secretAccessKey: AWS_SECRET_ACCESS_KEY ?? '',
        ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
      },
    });
    const signed = await signer.sign({
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...headers, host: url.host },
      ...(body === undefined ? {} : { body }),
    });
    return signed.headers;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
