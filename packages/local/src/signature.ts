import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '@outbox-saga/kit/aws/sha256';
import { localRegion } from './template.ts';

/** What of an HTTP request is signed, beside its body. */
type SignedRequest = Pick<IncomingMessage, 'method' | 'url' | 'headers'>;

interface Claim {
  readonly accessKeyId: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

/** How far the clock of whoever signs may be off, as AWS has it. */
const clockSkewMs = 5 * 60_000;

const form = /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/[^,\s]+, ?SignedHeaders=([a-z0-9;_-]+), ?Signature=([0-9a-f]{64})$/;

function claimOf({ authorization = '' }: IncomingHttpHeaders): Claim | undefined {
  const [, accessKeyId, headers, signature] = form.exec(authorization) ?? [];
  return accessKeyId && headers && signature ? { accessKeyId, signedHeaders: headers.split(';'), signature } : undefined;
}

/** The access key that a request names, whether or not its signature holds. */
export function accessKeyOf({ authorization = '' }: IncomingHttpHeaders): string | undefined {
  return /Credential=([^/]+)\//.exec(authorization)?.[1];
}

/**
 * Whether a request is signed (Signature Version 4, in its headers) with the secret that belongs to its access key: the signature is made again from
 * what arrived, for this service, this region and the day of its date, whatever it says it was made for. Session tokens, signed query strings and unsigned payloads are
 * not taken.
 */
export async function isSigned(request: SignedRequest, body: Buffer, service: string, secretAccessKey: string): Promise<boolean> {
  const claim = claimOf(request.headers);
  const signingDate = dateOf(request.headers['x-amz-date']);
  if (!claim || !signingDate) return false;
  if (Math.abs(signingDate.getTime() - Date.now()) > clockSkewMs) return false;
  const names = new Set(claim.signedHeaders);
  // What AWS reads must be signed, or somebody on the way could change it.
  if (!names.has('host') || Object.keys(request.headers).some((name) => name.startsWith('x-amz-') && !names.has(name))) return false;
  const claimedHash = request.headers['x-amz-content-sha256'];
  if (claimedHash !== undefined && claimedHash !== createHash('sha256').update(body).digest('hex')) return false;

  // Temporary credentials are of no use here: nobody gives any out.
  if (request.headers['x-amz-security-token'] !== undefined) return false;
  const [path = '/', ...rest] = (request.url ?? '/').split('?');
  // A signature is made over the path without these, and would hold for all paths that differ in nothing else.
  if (!path.startsWith('/') || /\/\/|\/\.{1,2}(\/|$)/.test(path)) return false;
  const query: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(rest.join('?'))) (query[name] ??= []).push(value);
  const signer = new SignatureV4({
    service,
    region: localRegion,
    sha256: Sha256,
    applyChecksum: false,
    credentials: { accessKeyId: claim.accessKeyId, secretAccessKey },
  });
  const expected = await signer.sign(
    {
      method: request.method ?? 'GET',
      protocol: 'http:',
      hostname: 'localhost',
      path,
      query,
      headers: Object.fromEntries(claim.signedHeaders.map((name) => [name, String(request.headers[name] ?? '')])),
      body,
    },
    { signingDate, signableHeaders: names },
  );
  const made = claimOf(expected.headers);
  return made !== undefined && timingSafeEqual(Buffer.from(made.signature), Buffer.from(claim.signature));
}

/** `20261121T090000Z` */
function dateOf(header: string | string[] | undefined): Date | undefined {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(header)) ?? [];
  if (parts.length === 0) return undefined;
  const [year, month, day, hour, minute, second] = parts as [string, string, string, string, string, string];
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
