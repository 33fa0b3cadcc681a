import { SignatureV4 } from '@smithy/signature-v4';
import { PermanentError, TransientError } from '../errors.ts';
import { environmentCredentials } from './credentials.ts';
import { exchange, type HttpAnswer } from '../http/exchange.ts';
import { Sha256 } from './sha256.ts';

export interface AwsCall {
  /** Signing name, such as `secretsmanager`. */
  readonly service: string;
  /** First label of the service's host, where it is not the signing name. */
  readonly host?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** It only reads: sent once more at once when the connection fails. */
  readonly repeatable?: boolean;
  /** Texts of the request that no error may quote, because errors are logged and kept. */
  readonly personal?: readonly string[];
}

/** Error types of throttling. Services that speak AWS's JSON protocol send them with status 400. */
const throttling = /throttl|toomanyrequests|limitexceeded|slowdown/i;

/**
 * Error types that say nothing against the request, whatever their status: permissions, credentials, clocks and accounts are an operator's to mend, and
 * what was refused for them succeeds unchanged afterwards.
 */
const mendable = new Set([
  'AccessDenied',
  'AccountSuspended',
  'DecryptionFailure',
  'ExpiredToken',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignature',
  'MailFromDomainNotVerified',
  'MissingAuthenticationToken',
  'NotAuthorized',
  'OptInRequired',
  'RequestExpired',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'SendingPaused',
  'SignatureDoesNotMatch',
  'UnrecognizedClient',
]);

/**
 * One signed POST to an AWS service of which this system needs a single call: a whole SDK client would be
 * 45 to 115 KB in every cold start. Endpoint, region and credentials come from the same variables as the SDK's:
 * AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, AWS_REGION.
 *
 * @throws PermanentError when the service says that the request itself is wrong: a 4xx that neither time nor an operator's hand on permissions,
 *   credentials or the account cures
 * @throws TransientError when the service does not answer with 2xx within 5 seconds for any other reason
 */
export async function callAws({ service, host, path, headers, body, repeatable = false, personal = [] }: AwsCall): Promise<unknown> {
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
  let answer: HttpAnswer;
  try {
    const url = new URL(path, endpoint).href;
    answer = await exchange({ url, method: 'POST', headers: signed.headers, body: text, timeoutMs: 5000, repeatable });
  } catch (cause) {
    throw new TransientError('unavailable', `${service} did not answer`, { cause });
  }
  if (answer.status < 200 || answer.status >= 300) throw errorOf(service, answer, personal);
  return JSON.parse(answer.text === '' ? '{}' : answer.text) as unknown;
}

function errorOf(service: string, { status, headers, text }: HttpAnswer, personal: readonly string[]): TransientError | PermanentError {
  const { type, explanation } = complaintOf(headers, text);
  const message = without(
    personal,
    `${service} answered ${[status, type].filter(Boolean).join(' ')}${explanation && `: ${explanation}`}`,
  ).slice(0, 300);
  if (status === 429 || throttling.test(type)) return new TransientError('throttled', message);
  const refused = status >= 400 && status < 500 && ![401, 403, 408].includes(status) && !mendable.has(type.replace(/Exception$/, ''));
  return refused ? new PermanentError(message) : new TransientError('unavailable', message);
}

/** The error's type, in a header or in the body by the service's protocol, and its text. */
function complaintOf(headers: Headers, text: string): { type: string; explanation: string } {
  let body: Record<string, unknown> = {};
  try {
    body = Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    // Whatever is between us and the service answered: the status says enough.
  }
  const type = String(headers.get('x-amzn-errortype') ?? body['__type'] ?? body['code'] ?? '');
  return {
    // `com.amazonaws.ses#MessageRejected`, `MessageRejected:http://…`
    type: type.replace(/^.*#/, '').replace(/:.*$/, ''),
    explanation: String(body['message'] ?? body['Message'] ?? ''),
  };
}

/** Services quote what they were sent, in any case. */
function without(personal: readonly string[], text: string): string {
  const pattern = (one: string): RegExp => new RegExp(one.replaceAll(/\W/g, String.raw`\$&`), 'gi');
  return personal.reduce((rest, one) => rest.replaceAll(pattern(one), '…'), text);
}
