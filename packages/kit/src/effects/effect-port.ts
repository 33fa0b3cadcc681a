import { PermanentError } from '../errors.ts';

/** What the provider said about doing it. `pending`: it does not know yet; ask again. */
export type Performed =
  | { readonly outcome: 'done'; readonly reference: string }
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'pending' };

/** What a look-up found. `unknown`: the provider has no trace of it. */
export type Found = Performed | { readonly outcome: 'undone'; readonly reference: string } | { readonly outcome: 'unknown' };

/**
 * The provider says that the request itself is wrong and that it will never be done under this key. It may answer a repetition whose first try was done
 * and whose answer was lost, so an effect looks it up before it believes it.
 */
export class RequestRefused extends PermanentError {
  /** For the customer: without paths and names of systems. */
  readonly reason: string;

  /** @param call what was asked, for logs */
  constructor(call: string, reason: string) {
    super(`${call}: ${reason}`);
    this.reason = reason;
  }
}

/**
 * The provider. Each call carries a key that is the same on every try; a call that may have happened throws TransientError, one that is refused for
 * what it asks RequestRefused.
 */
export interface EffectPort<Request> {
  perform(request: Request, idempotencyKey: string): Promise<Performed>;
  undo(request: Request, reference: string, idempotencyKey: string): Promise<'undone' | 'pending'>;
  find(id: string): Promise<Found>;
}
