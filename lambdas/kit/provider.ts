import * as z from 'zod';
import { callAws } from './aws-call.ts';
import { issuesOf } from '../contract/core/envelope.ts';
import { PermanentError, TransientError } from '../contract/core/errors.ts';

export interface ProviderOptions {
  /** Base URL; paths are appended to it. */
  readonly url: string;
  /** Reads the bearer token; asked for each call, so that a rotated secret is picked up. Undefined: no authorization header. */
  readonly secret: () => Promise<string | undefined>;
  /** Milliseconds until a call is given up as "may have happened". */
  readonly timeoutMs: number;
}

/** Statuses after which the same call may succeed later. 401 and 403 too: a rotated or revoked secret is mended by an operator, not by dropping orders. */
const retryable = new Set([401, 403, 408, 409, 423, 425, 429]);

/**
 * One JSON call to a provider (docs/providers.md has the written contract).
 *
 * @returns the parsed answer, or undefined for 404
 * @throws TransientError when nothing certain is known: no answer, a 5xx, an answer that is not in the contract
 * @throws PermanentError when the provider says that the request itself is wrong
 */
export async function callProvider<Schema extends z.ZodType>(
  options: ProviderOptions,
  request: { readonly method: 'GET' | 'POST'; readonly path: string; readonly idempotencyKey?: string; readonly body?: unknown },
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  const what = `${request.method} ${request.path}`;
  const secret = await options.secret();
  let status: number;
  let text: string;
  try {
    const response = await fetch(`${options.url.replace(/\/$/, '')}${request.path}`, {
      method: request.method,
      headers: {
        accept: 'application/json',
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
        ...(request.idempotencyKey === undefined ? {} : { 'idempotency-key': request.idempotencyKey }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      signal: AbortSignal.timeout(options.timeoutMs),
      redirect: 'error',
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    throw new TransientError('unavailable', `${what}: no answer within ${options.timeoutMs} ms`, { cause });
  }
  if (status === 404) return undefined;
  if (status >= 500 || retryable.has(status)) throw new TransientError('unavailable', `${what}: the provider answered ${status}`);
  if (status >= 400) throw new PermanentError(`${what}: the provider refused the request with ${status}`);
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
    const answer = await callAws({
      service: 'secretsmanager',
      path: '/',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' },
      body: { SecretId: secretId },
    });
    const { SecretString: value } = secretAnswer.parse(answer);
    cached = { value, until: now() + 5 * 60_000 };
    return value;
  };
}
