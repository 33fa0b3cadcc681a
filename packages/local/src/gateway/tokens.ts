import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';

/** Of a JWT authorizer of the template. */
export interface JwtConfiguration {
  readonly issuer: string;
  readonly audience: readonly string[];
}

export type TokenVerdict =
  | { readonly holds: true; readonly claims: JWTPayload; readonly scopes: readonly string[] }
  /** The words of `error_description`. */
  | { readonly holds: false; readonly why: string };

/** API Gateway takes RSA signatures only; naming them keeps `none` and the public key as an HMAC secret out. */
const algorithms = ['RS256', 'RS384', 'RS512'];

/** So many tokens that hold are remembered: clients send the same one again and again, and a signature is not cheap. */
const remembered = 1000;

/** Verifies tokens as a JWT authorizer does. The issuer's keys are fetched once they are needed, and kept. */
export class TokenVerifier {
  readonly #configuration: JwtConfiguration;
  readonly #held = new Map<string, TokenVerdict & { readonly holds: true }>();
  #keys: Promise<JWTVerifyGetKey> | undefined;

  constructor(configuration: JwtConfiguration) {
    this.#configuration = configuration;
  }

  async verify(token: string, now = new Date()): Promise<TokenVerdict> {
    const { issuer, audience } = this.#configuration;
    const refused = (why: string): TokenVerdict => ({ holds: false, why });
    const seconds = Math.floor(now.getTime() / 1000);
    // All that can change about a token that held is that it expires.
    const held = this.#held.get(token);
    if (held && held.claims.exp! > seconds) return held;
    try {
      // jose would take a token without `kid` if one key fits; API Gateway does not.
      if (decodeProtectedHeader(token).kid === undefined) return refused('the token names no key');
      const { payload } = await jwtVerify(token, await this.#keysOfIssuer(), {
        issuer,
        algorithms,
        currentDate: now,
        requiredClaims: ['exp'],
      });
      const nonsense = claimsOfAnotherType(payload);
      if (nonsense.length > 0) return refused(`the token's claim ${nonsense[0]} is of a type that it cannot have`);
      const audiences = payload.aud === undefined ? [payload['client_id']] : [payload.aud].flat();
      if (!audiences.some((entry) => typeof entry === 'string' && audience.includes(entry)))
        return refused('the token is for another audience');
      if (payload.iat !== undefined && payload.iat > seconds) return refused('the token was issued in the future');
      if (this.#held.size >= remembered) this.#held.clear();
      const verdict = { holds: true, claims: payload, scopes: scopesOf(payload) } as const;
      this.#held.set(token, verdict);
      return verdict;
    } catch (error) {
      return refused((error as Error).message);
    }
  }

  /** An issuer that could not be reached is asked again the next time. */
  #keysOfIssuer(): Promise<JWTVerifyGetKey> {
    this.#keys ??= keysOf(this.#configuration.issuer).catch((error: unknown) => {
      this.#keys = undefined;
      throw error;
    });
    return this.#keys;
  }
}

/** The issuer's keys, found as OpenID Connect Discovery says. */
async function keysOf(issuer: string): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (!response.ok) throw new Error(`the issuer's configuration cannot be read: ${response.status}`);
  const { jwks_uri: uri } = (await response.json()) as { jwks_uri: string };
  return createRemoteJWKSet(new URL(uri));
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isTextOrList = (value: unknown): boolean => isText(value) || (Array.isArray(value) && value.every(isText));

/** What is read of a token, and what it must be where it is there: functions get every claim as text, and `null` would be somebody's name. */
const claimTypes: Readonly<Record<string, (value: unknown) => boolean>> = {
  sub: isText,
  client_id: isText,
  aud: isTextOrList,
  scope: isTextOrList,
  scp: isTextOrList,
};

function claimsOfAnotherType(claims: JWTPayload): string[] {
  return Object.keys(claimTypes).filter((name) => claims[name] !== undefined && !claimTypes[name]!(claims[name]));
}

function scopesOf({ scope, scp }: JWTPayload): string[] {
  const given = (scope ?? scp ?? []) as string | string[];
  return Array.isArray(given) ? given : given.split(' ');
}
