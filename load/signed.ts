import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '@outbox-saga/kit/aws/sha256';
import type { Authorize } from './customers.ts';

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Signs requests for the API's IAM authorizer (Signature Version 4): one signature for each, as it is good for five minutes only. */
export function signedBy(credentials: () => Promise<Credentials>, region: string): Authorize {
  const signer = new SignatureV4({ service: 'execute-api', region, sha256: Sha256, credentials });
  return async (request) => {
    const signed = await signer.sign(toSign(request));
    return signed.headers;
  };
}

type Asked = Pick<Parameters<Authorize>[0], 'method' | 'url' | 'headers'> & { readonly body: string | Uint8Array | undefined };

/** A request in the form that is signed. */
export function toSign({ method, url, headers, body }: Asked) {
  return {
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { ...headers, host: url.host },
    ...(body === undefined ? {} : { body }),
  };
}
