import * as z from 'zod';
import { callAws } from '../aws/signed-call.ts';
import { exchange, type HttpAnswer } from '../http/exchange.ts';
import { canonicalJson } from '../http/json.ts';
import { issuesOf } from '../messages/envelope.ts';
import { TransientError } from '../errors.ts';
import { RequestRefused } from './effect-port.ts';

export interface ProviderOptions {
  /** Base URL; paths are appended to it. */
  readonly url: string;
  /** Reads the bearer token; asked for each call, so that a rotated secret is picked up. Undefined: no authorization header. */
  readonly secret: () => Promise<string | undefined>;
  /** Milliseconds until a call is given up as "may have happened". */
  readonly timeoutMs: number;
}

interface ProviderRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly idempotencyKey?: string;
  /** Sent with its members in alphabetical order: a repetition has read it from a table, which keeps no order, and must equal the first try byte for byte. */
  readonly body?: unknown;
}

/** Statuses after which the same call may succeed later. 401 and 403 too: a rotated or revoked secret is mended by an operator, not by dropping orders. */
const retryable = new Set([401, 403, 408, 409, 423, 425, 429]);

/**
 * One JSON call to a provider (docs/providers.md has the written contract).
 *
 * @returns the parsed answer, or undefined for 404
 * @throws TransientError when nothing certain is known: no answer, a 5xx, an answer that is not in the contract
 * @throws RequestRefused when the provider says that the request itself is wrong
 */
export async function callProvider<Schema extends z.ZodType>(
  options: ProviderOptions,
  request: ProviderRequest,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  const what = `${request.method} ${request.path}`;
  const secret = await options.secret();
  let reply: HttpAnswer;
  try {
    reply = await exchange({
      url: `${options.url.replace(/\/$/, '')}${request.path}`,
      method: request.method,
      headers: {
        accept: 'application/json',
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
        ...(request.idempotencyKey === undefined ? {} : { 'idempotency-key': request.idempotencyKey }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: canonicalJson(request.body) }),
      timeoutMs: options.timeoutMs,
      repeatable: request.method === 'GET' || request.idempotencyKey !== undefined,
    });
  } catch (cause) {
    throw new TransientError('unavailable', `${what}: no answer within ${options.timeoutMs} ms`, { cause });
  }
  const { status, text } = reply;
  if (status === 404) return undefined;
  if (status >= 500 || (status >= 300 && status < 400) || retryable.has(status))
    throw new TransientError('unavailable', `${what}: the provider answered ${status}`);
  if (status >= 400) throw new RequestRefused(what, `the provider refused the request with status ${status}`);
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw new TransientError('unavailable', `${what}: the provider's answer is not JSON`, { cause });
  }
  const parsed = schema.safeParse(answer);
  if (!parsed.success)
    throw new TransientError('unavailable', `${what}: the provider's answer is not in its contract: ${issuesOf(parsed.error)}`);
  return parsed.data;
}

const secretAnswer = z.object({ SecretString: z.string().min(1) });

/** Reads a secret from Secrets Manager and keeps it for five minutes, so that a rotation is picked up without a deployment. */
export function secretReader(secretId: string | undefined, now: () => number): () => Promise<string | undefined> {
  let cached: { value: string | undefined; until: number } | undefined;
  return async () => {
    if (secretId === undefined) return undefined;
    if (cached && now() < cached.until) return cached.value;
    const value = await readSecret(secretId);
    cached = { value, until: now() + 5 * 60_000 };
    return value;
  };
}

async function readSecret(secretId: string): Promise<string> {
  try {
    const answer = await callAws({
      service: 'secretsmanager',
      path: '/',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' },
      body: { SecretId: secretId },
      repeatable: true,
    });
    return secretAnswer.parse(answer).SecretString;
  } catch (cause) {
    // No message is to blame for it, whatever the class of the failure: an operator mends the secret.
    throw new TransientError('unavailable', 'the secret of the provider cannot be read', { cause });
  }
}
