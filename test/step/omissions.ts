/** One part of the new step that somebody forgot. `find` stands exactly once in the file. */
export interface Omission {
  readonly what: string;
  readonly file: string;
  readonly find: string;
  /** What stands there instead; by default nothing. */
  readonly replace?: string;
  /** How it is noticed: by the compiler, or by a test of this file. */
  readonly by: 'types' | { readonly test: string };
  /** What the error, or the name of the failing test, says. */
  readonly says: string;
}

const contract = (file: string): string => `lambdas/contract/${file}.ts`;
const steps = 'lambdas/order-saga/steps.ts';
const handler = 'lambdas/fraud/handler.ts';
const decider = 'lambdas/fraud/fraud.ts';
const service = 'lib/services/fraud.ts';
const stack = 'lib/order-stack.ts';

/** Every part of the change in examples/fraud-check, taken out by itself. */
export const omissions: readonly Omission[] = [
  // Messages and routes.
  {
    what: 'a reply that is no message',
    file: contract('messages'),
    find: '  FraudCaseClosed: { version: 1, data: z.object({}) },\n',
    by: 'types',
    says: 'FraudCaseClosed',
  },
  {
    what: 'a message without a route',
    file: contract('routes'),
    find: "    FraudCaseClosed: { kind: 'event', consumers: ['order-saga'] },\n",
    by: 'types',
    says: "Property 'FraudCaseClosed' is missing",
  },
  {
    what: 'the queue: a consumer that is not defined',
    file: contract('routes'),
    find: '    fraud: actor,\n',
    by: 'types',
    says: `Type '"fraud"' is not assignable`,
  },
  {
    what: 'a question that is routed to nobody who answers',
    file: contract('routes'),
    find: "FraudCheckRequested: { kind: 'command', consumers: ['fraud', 'order-view'] }",
    replace: "FraudCheckRequested: { kind: 'command', consumers: ['order-view'] }",
    by: 'types',
    says: 'nobody answers',
  },
  {
    what: 'a question that the read model does not get',
    file: contract('routes'),
    find: "FraudCaseCloseRequested: { kind: 'command', consumers: ['fraud', 'order-view'] }",
    replace: "FraudCaseCloseRequested: { kind: 'command', consumers: ['fraud'] }",
    by: 'types',
    says: 'order-view does not get',
  },
  {
    what: 'a reply that the saga does not get',
    file: contract('routes'),
    find: "FraudCleared: { kind: 'event', consumers: ['order-saga'] }",
    replace: "FraudCleared: { kind: 'event', consumers: ['order-view'] }",
    by: 'types',
    says: "'FraudCleared' does not exist",
  },
  // Names and codes.
  { what: 'the name of the step', file: contract('order'), find: "  'CHECKING_FRAUD',\n", by: 'types', says: 'CHECKING_FRAUD' },
  { what: 'the name of its undo', file: contract('order'), find: "  'CLOSING_FRAUD_CASE',\n", by: 'types', says: 'CLOSING_FRAUD_CASE' },
  { what: 'the failure code', file: contract('order'), find: "'SUSPECTED_FRAUD', ", by: 'types', says: 'SUSPECTED_FRAUD' },
  {
    what: 'the sentence that the customer reads',
    file: 'lambdas/notification/notification.ts',
    find: "  SUSPECTED_FRAUD: 'we cannot accept it as it is',\n",
    by: 'types',
    says: "Property 'SUSPECTED_FRAUD' is missing",
  },
  // The table of steps.
  {
    what: 'the undo: the step forward has no compensation',
    file: steps,
    find: "    compensation: 'CLOSING_FRAUD_CASE',\n",
    by: 'types',
    says: "Property 'compensation' is missing",
  },
  {
    what: 'the deadline and the cancellation: it is taken for a compensation',
    file: steps,
    find: "    direction: 'forward',\n    compensation: 'CLOSING_FRAUD_CASE',\n",
    replace: "    direction: 'compensating',\n",
    by: 'types',
    says: 'fails without a reason',
  },
  {
    what: 'a reply that no step awaits',
    file: steps,
    find: "      FraudCleared: { to: 'CAPTURING_PAYMENT' },\n",
    by: 'types',
    says: 'no step awaits',
  },
  {
    what: 'why the order fails',
    file: steps,
    find: ", failure: ({ reason }) => ({ code: 'SUSPECTED_FRAUD', detail: reason })",
    by: 'types',
    says: 'fails without a reason',
  },
  {
    what: 'the way into the step',
    file: steps,
    find: "StockReserved: { to: 'CHECKING_FRAUD' }",
    replace: "StockReserved: { to: 'CAPTURING_PAYMENT' }",
    by: { test: 'test/unit/saga.test.ts' },
    says: 'confirms an order whose steps all succeed',
  },
  {
    what: 'the way into its undo',
    file: steps,
    find: "PaymentRefunded: { to: 'CLOSING_FRAUD_CASE' }",
    replace: "PaymentRefunded: { to: 'RELEASING_STOCK' }",
    by: { test: 'test/unit/saga.test.ts' },
    says: 'refunds, then releases stock',
  },
  // Function, table and service.
  {
    what: 'the function',
    file: contract('functions'),
    find: "  fraud: consumer('lambdas/fraud/main.ts', { ...senderVariables, FRAUD_CASES_TABLE: text }),\n",
    by: 'types',
    says: "Property 'fraud' is missing",
  },
  {
    what: 'the table',
    file: contract('tables'),
    find: "  fraudCases: { partitionKey: { name: 'orderId', type: 'S' } },\n",
    by: 'types',
    says: `"fraudCases"`,
  },
  {
    what: 'an environment variable of the function',
    file: service,
    find: 'FRAUD_CASES_TABLE: cases.tableName, ',
    by: 'types',
    says: 'FRAUD_CASES_TABLE',
  },
  {
    what: 'a handler for one of its messages',
    file: handler,
    find: 'handlers: handle',
    replace: 'handlers: { FraudCheckRequested: handle }',
    by: 'types',
    says: 'FraudCaseCloseRequested',
  },
  {
    what: 'the tombstone: a case that was never opened is not closed',
    file: decider,
    find: "after: known?.status === 'CLOSED' ? known : { status: 'CLOSED' }",
    replace: "after: known ? { status: 'CLOSED' } : { status: 'CLEARED' }",
    by: { test: 'test/unit/fraud.test.ts' },
    says: 'closes a case once',
  },
  {
    what: 'the condition of its write',
    file: handler,
    find: ', ...unlessChanged(known)',
    by: 'types',
    says: "'unlessChanged' is declared but its value is never read",
  },
  // Deploy time.
  {
    what: 'queue, dead-letter queue, alarm and all: the service is not in the stack',
    file: stack,
    find: '    addFraud(services, messaging);\n',
    by: { test: 'test/infra/stack.test.ts' },
    says: 'passes the offline validator',
  },
  {
    what: 'what the function may do with its table',
    file: service,
    find: "  fraud.allow(['dynamodb:GetItem', 'dynamodb:PutItem'], cases.tableArn);\n",
    by: { test: 'test/infra/access.test.ts' },
    says: 'is what the templates say',
  },
  {
    what: 'what a participant may do: commit, and remember what it handled',
    file: service,
    find: '  messaging.grantParticipant(fraud);\n',
    by: { test: 'test/infra/access.test.ts' },
    says: 'is what the templates say',
  },
  // What is generated.
  {
    what: 'the failure code in the API’s document',
    file: 'lambdas/contract/openapi.json',
    find: '"SUSPECTED_FRAUD",',
    by: { test: 'test/unit/api.test.ts' },
    says: 'openapi.json is committed as',
  },
];
