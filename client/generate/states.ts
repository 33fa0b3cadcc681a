import type { Order } from '../../lambdas/contract/order.ts';
import { endings, steps, type Ending, type OpenStep, type Step } from '../../lambdas/order-saga/steps.ts';

/** Any order: which messages the saga sends does not depend on what they say. */
const order: Order = {
  schemaVersion: 1,
  orderId: 'ord_1V3ZJY8R4Q0W6T2K9M5C7XBDEH',
  customerId: 'c1',
  status: 'PENDING',
  step: 'RESERVING_STOCK',
  version: 1,
  currency: 'JPY',
  total: 1,
  items: [{ sku: 'coffee', qty: 1, price: 1 }],
  paymentToken: 'tok_ok',
  failure: { code: 'TIMED_OUT', detail: '' },
  groupId: 'g',
  correlationId: 'c',
  placedAt: 0,
  updatedAt: 0,
};

/** Where a reply leads, and the message that says so. */
function entered(to: OpenStep | Ending): (readonly [string, string])[] {
  if (to === 'COMPENSATED') return [...entered('FAILED'), ['CANCELLED', `${endings.CANCELLED(order).type}, if its customer cancelled`]];
  if (to === 'CONFIRMED' || to === 'FAILED') return [[to, endings[to](order).type]];
  return [[to, steps[to].request(order).type]];
}

/** The steps of an order as a Mermaid state diagram. A line says which reply leads where, and which message the saga sends then. */
export function stateDiagram(): string {
  const all = Object.entries<Step>(steps);
  const lines = all.flatMap(([name, step]) => [
    ...Object.entries(step.replies).flatMap(([reply, turn]) =>
      entered(turn.to).map(([to, message]) => `${name} --> ${to}: ${reply} / ${message}`),
    ),
    ...(step.direction === 'forward' ? [`${name} --> ${step.compensation}: cancelled, or nobody answered`] : []),
  ]);
  const [first] = entered('RESERVING_STOCK');
  return [
    '```mermaid',
    'stateDiagram-v2',
    `  [*] --> ${first!.join(': ')}`,
    ...lines.map((line) => `  ${line}`),
    ...Object.keys(endings).map((status) => `  ${status} --> [*]`),
    '```',
  ].join('\n');
}
