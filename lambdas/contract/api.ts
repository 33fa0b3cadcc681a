import { documentation } from './api/documentation.ts';
import { healthOperations } from './api/health.ts';
import { orderCancelOperations } from './api/order-cancel.ts';
import { placeOrderOperations } from './api/place-order.ts';
import { queryOrdersOperations } from './api/query-orders.ts';
import { stockAdminOperations } from './api/stock-admin.ts';
import type { OperationDeclaration, OperationDocumentation, Operations } from '@outbox-saga/kit/http/operations';
import type { FunctionName } from './functions.ts';
import { problems, type ProblemKind } from './problems.ts';

/**
 * The whole API: the operations of all functions. The template's routes and authorizers, the OpenAPI document, the client and docs/api.md are made from
 * it and from what is written about them (api/documentation.ts). A function's bundle holds only the operations of its own, and no documentation.
 */
export const operations = {
  ...of('place-order', placeOrderOperations),
  ...of('query-orders', queryOrdersOperations),
  ...of('order-cancel', orderCancelOperations),
  ...of('stock-admin', stockAdminOperations),
  ...of('health', healthOperations),
};

export type OperationName = keyof typeof operations;

type Of<Name extends FunctionName, Declared extends Operations> = {
  readonly [Operation in keyof Declared]: Declared[Operation] & { readonly function: Name };
};

function of<Name extends FunctionName, Declared extends Operations>(name: Name, declared: Declared): Of<Name, Declared> {
  return Object.fromEntries(
    Object.entries(declared).map(([operation, declaration]) => [operation, { ...declaration, function: name }]),
  ) as unknown as Of<Name, Declared>;
}

/** The problems of an operation: those of its access, and those that its documentation names. */
export function problemsOf(name: OperationName): readonly ProblemKind[] {
  const { access }: OperationDeclaration = operations[name];
  const documented = documentation[name];
  const refusals = access === 'open' ? [] : access === 'operator' ? [problems.noIdentity] : [problems.noIdentity, problems.unusableSubject];
  return [...refusals, ...('problems' in documented ? documented.problems : [])];
}

const namesOf = (headers: readonly object[]): string[] => [
  ...new Set(headers.flatMap((named) => Object.keys(named)).map((name) => name.toLowerCase())),
];

/** What a web page may send and read, in lower case. The names with `x-amz` are those of a signed request. */
export const corsHeaders = {
  requestHeaders: [
    'authorization',
    'content-type',
    'x-correlation-id',
    'x-amz-content-sha256',
    'x-amz-date',
    'x-amz-security-token',
    ...namesOf(Object.values<OperationDeclaration>(operations).map(({ headers }) => headers?.shape ?? {})),
  ],
  answerHeaders: [
    'x-correlation-id',
    'retry-after',
    ...namesOf(
      Object.values<OperationDocumentation>(documentation).flatMap(({ responses }) =>
        Object.values(responses).map(({ headers = {} }) => headers),
      ),
    ),
  ],
} as const;
