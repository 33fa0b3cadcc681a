import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT, type JWK, type JWTPayload } from 'jose';
import { StartProblem } from './problem.ts';

/** In the data directory, readable by its owner only. */
export const identitiesFile = 'identities.json';

/** Where the local issuer answers, below the API's own address. */
export const issuerPath = '/_local/issuer';
/** For whom its tokens are. */
export const localAudience = 'local';

/** A function, and the secret by which its signature is known. */
export interface FunctionIdentity {
  readonly name: string;
  readonly secret: string;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

interface Stored {
  readonly operator: Credentials;
  /** Secrets of functions are derived from it. */
  readonly functionSeed: string;
  /** The local issuer: there once the runtime was started with `--auth`. */
  readonly issuer?: { readonly url: string; readonly privateKey: JWK } | undefined;
}

/** Who is who on this machine: the operator, the functions, and the issuer of customers' tokens. Kept, so that a restart invalidates nothing. */
export class Identities {
  readonly #file: string;
  #stored: Stored;
  /** Access key → the function that has it. */
  readonly functions = new Map<string, FunctionIdentity>();

  /** Reads those of a data directory, or makes them. @throws StartProblem when what is there cannot be read */
  constructor(dataDir: string) {
    this.#file = join(dataDir, identitiesFile);
    if (existsSync(this.#file)) {
      this.#stored = stored(this.#file);
      return;
    }
    this.#stored = { operator: { accessKeyId: 'LOCALOPERATOR', secretAccessKey: secret() }, functionSeed: secret() };
    this.#write();
  }

  /** An identity with `execute-api:Invoke`: whoever calls the operator's routes. */
  get operator(): Credentials {
    return this.#stored.operator;
  }

  secretOfFunction(accessKeyId: string): string {
    return createHmac('sha256', this.#stored.functionSeed).update(accessKeyId).digest('base64url');
  }

  /** Lets the local issuer issue under this URL. Its key is kept. @returns the URL */
  async issueUnder(url: string): Promise<string> {
    const privateKey = this.#stored.issuer?.privateKey ?? (await newKey());
    this.#stored = { ...this.#stored, issuer: { url, privateKey } };
    this.#write();
    return url;
  }

  /** The local issuer: its URL, and its public key as its `jwks_uri` answers. */
  get issuer(): { readonly url: string; readonly jwks: { readonly keys: readonly JWK[] } } | undefined {
    if (!this.#stored.issuer) return undefined;
    const { url, privateKey } = this.#stored.issuer;
    const { kty, n, e, kid, alg, use } = privateKey;
    return { url, jwks: { keys: [{ kty, n, e, kid, alg, use }] } };
  }

  /**
   * A signed token of the local issuer.
   *
   * @param claims over `iss` and `iat`, which are filled in
   * @throws StartProblem when the runtime was never started with `--auth`
   */
  async token(claims: JWTPayload): Promise<string> {
    if (!this.#stored.issuer) throw new StartProblem('there is no local issuer yet: npm start -- --auth makes one');
    const { url, privateKey } = this.#stored.issuer;
    return new SignJWT({ iss: url, iat: Math.floor(Date.now() / 1000), ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: privateKey.kid!, typ: 'JWT' })
      .sign(await importJWK(privateKey, 'RS256'));
  }

  /** A customer's token for this runtime. @param scope separated by spaces */
  subjectToken(sub: string, scope: string, seconds = 3600): Promise<string> {
    return this.token({ sub, scope, aud: localAudience, exp: Math.floor(Date.now() / 1000) + seconds });
  }

  #write(): void {
    writeFileSync(this.#file, JSON.stringify(this.#stored), { mode: 0o600 });
  }
}

function stored(file: string): Stored {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Stored;
  } catch {
    throw new StartProblem(`${file} cannot be read. Start from nothing with: npm start -- --fresh`);
  }
}

const secret = (): string => randomBytes(30).toString('base64url');

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'RS256', use: 'sig' };
}
