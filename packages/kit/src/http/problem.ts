import { classify, TransientError } from '../errors.ts';
import { commonProblems, problemType, type ProblemDefinition } from './contract.ts';
import type { HttpResponse } from './operations.ts';
import type * as z from 'zod';

/** One wrong field of a request: a path such as `items.0.qty`, `header:idempotency-key` or `query:limit`. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** An answer that is a problem document (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly definition: ProblemDefinition;
  readonly fields: readonly FieldProblem[];
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail what is wrong this time; by default the fields with their messages, or what the kind says, or its title */
  constructor(
    definition: ProblemDefinition,
    {
      detail,
      fields = [],
      headers = {},
      cause,
    }: { detail?: string; fields?: readonly FieldProblem[]; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(detail ?? (fields.map(({ field, message }) => `${field}: ${message}`).join('; ') || definition.detail || definition.title), {
      cause,
    });
    this.definition = definition;
    this.fields = fields;
    this.headers = headers;
  }
}

export function invalid(fields: readonly FieldProblem[]): Problem {
  return new Problem(commonProblems.invalidRequest, { fields });
}

/** The issues of a schema error, each with the path of its field; `root` names the whole when there is no path. */
export function fieldProblems(error: z.ZodError, root: string, prefix = ''): FieldProblem[] {
  return error.issues.flatMap((issue): FieldProblem[] => {
    const path = issue.path.join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: prefix + [...issue.path, key].join('.').slice(0, 100),
        message: 'is not a known field',
      }));
    }
    return [{ field: path === '' ? root : prefix + path, message: issue.message }];
  });
}

export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const verdict = classify(error);
  // What contention, throttling or a call without an answer stopped may be tried again by the client, under the same key.
  if (error instanceof TransientError || (verdict.class === 'transient' && verdict.reason !== 'unknown')) {
    return new Problem(commonProblems.tryAgain, {
      detail: 'the request may or may not have been carried out; send the same one again, with the same key: it is carried out once',
      cause: error,
    });
  }
  return new Problem(commonProblems.internal, { detail: 'the failure is logged under the correlation id', cause: error });
}

export function responseOf({ definition, message, fields, headers }: Problem, correlationId: string): HttpResponse {
  const { status, slug, title, retryAfterSeconds } = definition;
  return {
    status,
    outcome: slug,
    headers: { ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }), ...headers },
    body: {
      type: problemType(definition),
      title,
      status,
      detail: message,
      ...(fields.length > 0 ? { errors: fields } : {}),
      correlationId,
    },
  };
}
