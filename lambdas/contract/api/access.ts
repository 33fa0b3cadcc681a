import type { Callers } from '@outbox-saga/kit/http/contract';
import { customerIdSchema } from '../order.ts';
import { problems } from '../problems.ts';

/** What a customer's token must carry. The form is the one that Cognito gives to custom scopes: resource server, slash, name. */
export const scopes = {
  place: { scope: 'orders/place' },
  read: { scope: 'orders/read' },
  cancel: { scope: 'orders/cancel' },
} as const;

/** What a token's subject must be to be a customer. API Gateway makes text of every claim: `null` is what a token has whose issuer knows no subject. */
const subjectSchema = customerIdSchema.refine((subject) => subject !== 'null', 'must name somebody');

/** What proves to a function who asks, by its environment. */
export function callersOf({ AUTHENTICATION: proof }: { readonly AUTHENTICATION: Callers['proof'] }): Callers {
  return proof === 'token' ? { proof, subject: subjectSchema, unusableSubject: problems.unusableSubject } : { proof };
}
