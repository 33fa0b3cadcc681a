import type { IncomingMessage } from 'node:http';
import type { JWTPayload } from 'jose';
import { gatewayAnswers, type GatewayAnswer } from '@outbox-saga/kit/http/contract';
import type { Iam } from '../iam.ts';
import type { Identities } from '../identities.ts';
import { StartProblem } from '../problem.ts';
import { accessKeyOf, isSigned } from '../signature.ts';
import { localAccount, localRegion, resourcesOf, resolveValue, type ResourceValues, type Template } from '../template.ts';
import { TokenVerifier } from './tokens.ts';

/** What a request's authorizer says: the `authorizer` of the event's context, or the gateway's refusal. */
export type Verdict =
  | { readonly context: Readonly<Record<string, unknown>> | undefined }
  | { readonly refusal: GatewayAnswer; readonly challenge?: string };

/** The whole body, read once it is asked for; undefined: it is larger than the gateway takes. */
export type ReadBody = () => Promise<Buffer | undefined>;

export type Authorize = (request: IncomingMessage, readBody: ReadBody) => Promise<Verdict>;

export interface Authorities {
  readonly identities: Identities;
  readonly iam: Iam;
}

/**
 * The template's authorizers, enforced: for each route who may pass, as API Gateway decides it.
 *
 * @returns route's logical id → its authorizer
 * @throws StartProblem for an authorizer that this gateway does not know: what is not understood must not let anyone pass
 */
export function authorizersOf(
  template: Template,
  values: ReadonlyMap<string, ResourceValues>,
  authorities: Authorities,
): Map<string, Authorize> {
  const verifiers = new Map(
    resourcesOf(template, 'AWS::ApiGatewayV2::Authorizer').map(([id, raw]) => {
      const { AuthorizerType, IdentitySource } = raw as { AuthorizerType: string; IdentitySource: readonly string[] };
      if (AuthorizerType !== 'JWT' || IdentitySource.join() !== '$request.header.Authorization') {
        throw new StartProblem(
          `authorizer ${id}: the local runtime knows JWT in the Authorization header. Teach it in packages/local/src/gateway/authorizers.ts.`,
        );
      }
      const { Issuer: issuer, Audience: audience } = resolveValue(raw['JwtConfiguration'], template, values) as {
        Issuer: string;
        Audience: readonly string[];
      };
      return [id, new TokenVerifier({ issuer, audience })] as const;
    }),
  );
  return new Map(
    resourcesOf(template, 'AWS::ApiGatewayV2::Route').map(([id, raw]): [string, Authorize] => {
      const {
        AuthorizationType,
        AuthorizerId,
        AuthorizationScopes = [],
        RouteKey,
      } = raw as {
        AuthorizationType?: string;
        AuthorizerId?: { Ref: string };
        AuthorizationScopes?: readonly string[];
        RouteKey: string;
      };
      if (AuthorizationType === 'NONE') return [id, () => Promise.resolve({ context: undefined })];
      if (AuthorizationType === 'AWS_IAM') return [id, (request, readBody) => byIam(authorities, RouteKey, request, readBody)];
      const verifier = AuthorizationType === 'JWT' ? verifiers.get(AuthorizerId?.Ref ?? '') : undefined;
      if (!verifier)
        throw new StartProblem(`route ${RouteKey}: the local runtime does not know its authorization ${String(AuthorizationType)}`);
      return [id, (request) => byToken(verifier, AuthorizationScopes, request)];
    }),
  );
}

async function byToken(verifier: TokenVerifier, demanded: readonly string[], { headers }: IncomingMessage): Promise<Verdict> {
  const token = (headers.authorization ?? '').replace(/^Bearer /i, '').trim();
  if (token === '') return { refusal: gatewayAnswers.unauthorized, challenge: 'Bearer' };
  const verdict = await verifier.verify(token);
  const challenge = (error: string, why: string): string =>
    `Bearer scope="${demanded.join(' ')}" error="${error}" error_description="${why.replaceAll(/["\\]|[^ -~]/g, '')}"`;
  if (!verdict.holds) return { refusal: gatewayAnswers.unauthorized, challenge: challenge('invalid_token', verdict.why) };
  const scopes = verdict.scopes.filter((scope) => demanded.includes(scope));
  if (demanded.length > 0 && scopes.length === 0) {
    return { refusal: gatewayAnswers.forbidden, challenge: challenge('insufficient_scope', 'the token lacks the scope of this route') };
  }
  return { context: { jwt: { claims: claimsOf(verdict.claims), scopes } } };
}

/** Claims as a function gets them: all are text. */
function claimsOf(claims: JWTPayload): Record<string, string> {
  const text = (value: unknown): string =>
    Array.isArray(value) ? `[${value.map(text).join(' ')}]` : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, text(value)]));
}

async function byIam({ identities, iam }: Authorities, routeKey: string, request: IncomingMessage, readBody: ReadBody): Promise<Verdict> {
  const forbidden = { refusal: gatewayAnswers.forbidden };
  const accessKey = accessKeyOf(request.headers);
  if (accessKey === undefined) return forbidden;
  const { operator } = identities;
  const fn = identities.functions.get(accessKey);
  const secret = accessKey === operator.accessKeyId ? operator.secretAccessKey : fn?.secret;
  if (!secret) return forbidden;
  const body = await readBody();
  if (body === undefined) return { refusal: gatewayAnswers.tooLarge };
  if (!(await isSigned(request, body, 'execute-api', secret))) return forbidden;
  // The operator is this machine's own; a function may what its role says.
  const resource = `arn:aws:execute-api:${localRegion}:${localAccount}:local/$default/${routeKey.replace(' ', '')}`;
  if (fn && iam.refusal(fn.name, [{ action: 'execute-api:Invoke', resource }]) !== undefined) return forbidden;
  const userArn = `arn:aws:iam::${localAccount}:${fn ? `role/${fn.name}` : 'user/operator'}`;
  return {
    context: {
      iam: {
        accessKey,
        accountId: localAccount,
        callerId: accessKey,
        cognitoIdentity: null,
        principalOrgId: '',
        userArn,
        userId: accessKey,
      },
    },
  };
}
