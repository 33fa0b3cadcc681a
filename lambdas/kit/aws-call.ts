import { SignatureV4 } from '@smithy/signature-v4';
import { TransientError } from '../contract/core/errors.ts';
import { environmentCredentials } from './credentials.ts';
import { Sha256 } from './sha256.ts';

export interface AwsCall {
  /** Signing name, such as `secretsmanager`. */
  readonly service: string;
  /** First label of the service's host, where it is not the signing name. */
  readonly host?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/**
 * One signed POST to an AWS service of which this system needs a single call: a whole SDK client would be
 * 45 to 115 KB in every cold start. Endpoint, region and credentials come from the same variables as the SDK's:
 * AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, AWS_REGION.
 *
 * @throws TransientError when the service does not answer with 2xx within 5 seconds
 */
export async function callAws({ service, host, path, headers, body }: AwsCall): Promise<unknown> {
  const region = process.env['AWS_REGION'] ?? '';
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const endpoint = new URL(
    process.env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ||
      process.env['AWS_ENDPOINT_URL'] ||
      `https://${host ?? service}.${region}.${suffix}`,
  );
  const signer = new SignatureV4({ service, region, credentials: environmentCredentials, sha256: Sha256 });
  const text = JSON.stringify(body);
  const signed = await signer.sign({
    method: 'POST',
    protocol: endpoint.protocol,
    hostname: endpoint.hostname,
    ...(endpoint.port === '' ? {} : { port: Number(endpoint.port) }),
    path,
    headers: { ...headers, host: endpoint.host },
    body: text,
  });
  let response: Response;
  try {
    response = await fetch(new URL(path, endpoint), {
      method: 'POST',
      headers: signed.headers,
      body: text,
      signal: AbortSignal.timeout(5000),
    });
  } catch (cause) {
    throw new TransientError('unavailable', `${service} did not answer`, { cause });
  }
  const answer = await response.text();
  if (!response.ok) throw new TransientError('unavailable', `${service} answered ${response.status}: ${answer.slice(0, 200)}`);
  return JSON.parse(answer === '' ? '{}' : answer) as unknown;
}
