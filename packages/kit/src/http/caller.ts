import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { commonProblems, type Access, type Caller, type Callers } from './contract.ts';
import { Problem } from './problem.ts';

/** Whether a caller may know of what belongs to `owner`. */
export function mayAccess({ subject }: Caller, owner: string): boolean {
  return subject === undefined || subject === owner;
}

/** Who asks. @throws Problem 403 for a caller who does not prove to be of those that the operation is for, whatever let the request in */
export function callerOf(event: APIGatewayProxyEventV2, access: Access, callers: Callers): Caller {
  const anybody: Caller = { subject: undefined };
  if (access === 'open' || callers.proof === 'none') return anybody;
  if (access !== 'operator' && callers.proof === 'token') return { subject: subjectOf(event, callers) };
  demandIam(event);
  return anybody;
}

/** What the route's authorizer says of the caller: API Gateway puts it into the event, and no caller can. */
interface Authorizer {
  readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> };
  readonly iam?: { readonly userArn?: unknown };
}

function authorizerOf({ requestContext }: APIGatewayProxyEventV2): Authorizer {
  return (requestContext as { readonly authorizer?: Authorizer }).authorizer ?? {};
}

function subjectOf(event: APIGatewayProxyEventV2, { subject: schema, unusableSubject }: Callers & { readonly proof: 'token' }): string {
  const subject = schema.safeParse(authorizerOf(event).jwt?.claims?.['sub']);
  if (!subject.success) throw new Problem(unusableSubject);
  return subject.data;
}

function demandIam(event: APIGatewayProxyEventV2): void {
  const userArn = authorizerOf(event).iam?.userArn;
  if (typeof userArn !== 'string' || userArn === '') {
    throw new Problem(commonProblems.noIdentity, { detail: 'the request carries no IAM identity' });
  }
}
