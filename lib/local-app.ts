import { join } from 'node:path';
import { scopes } from '../lambdas/contract/api/access.ts';
import { functions } from '../lambdas/contract/functions.ts';
import type { BannerFacts, LocalApp } from '@outbox-saga/local/app';
import { projectRoot } from './project.ts';

interface Transition {
  readonly aggregateId: string;
  readonly from?: string;
  readonly to: string;
  readonly status: string;
  readonly version: number;
  readonly total?: number;
  readonly currency?: string;
  readonly customerId?: string;
  readonly failure?: { readonly code: string; readonly detail: string };
}

const orderName = (id: string): string => `order ${id.replace(/^ord_/, '').slice(0, 8)}`;

/** One line per transition of an order. */
function transitionLine({ aggregateId, from, to, status, version, total, currency, customerId, failure }: Transition): string {
  const head = orderName(aggregateId);
  if (from === undefined) return `${head}  placed by ${customerId}: ${total} ${currency} → ${to}`;
  const why = failure ? `${failure.code} (${failure.detail})` : '';
  if (to === 'SETTLED') return `${head}  ${from} → ${status}${why && ` ${why}`}`;
  return `${head}  ${from} → ${to}  v${version}${why && `  because ${why}`}`;
}

/** The first order, ready to be pasted. */
function firstSteps({ url, auth, asSubject, asOperator }: BannerFacts): string[] {
  const line = '{"items":[{"sku":"coffee","qty":1,"price":500}]}';
  // Under IAM nothing else says who orders.
  const order = auth === 'iam' ? line.replace('{', '{"customerId":"c1",') : line;
  const json = `-H 'content-type: application/json'`;
  return [
    `set stock      curl -X PUT ${url}/admin/stock/coffee${asOperator} ${json} -d '{"available":10}'`,
    `place order    curl -X POST ${url}/orders${asSubject} ${json} -H 'idempotency-key: demo-001' -d '${order}'`,
    `list orders    curl${asSubject} '${url}/orders?customerId=${auth === 'off' ? 'guest' : 'c1'}'`,
    ...(auth === 'off' ? ['the story      npm run demo'] : []),
  ];
}

/** Bundles the functions. */
export const bundleModule = join('lib', 'local-bundle.ts');

/** What `npm start` runs. It loads neither CDK nor esbuild. */
export const app: LocalApp = {
  name: 'Order Saga',
  root: projectRoot,
  synthModule: join('lib', 'local-synth.ts'),
  synthInputs: ['lib', 'lambdas', 'packages/kit/src', 'packages/constructs/src', 'packages/local/src'],
  stages: ['dev', 'test'],
  refusedStages: { prod: 'takes real money' },
  functions: Object.keys(functions),
  subjectName: 'customer',
  scopes: Object.values(scopes).map(({ scope }) => scope),
  examples: { context: 'paymentUrl=…, carrierUrl=…, emailSender=…', faults: 'inventory.failRate=0.3, payment.delayMs=500' },
  reload: { sources: 'lambdas', bundleModule },
  firstSteps,
  tell: (line) => (line['message'] === 'order transition' ? transitionLine(line as unknown as Transition) : undefined),
  aggregateName: orderName,
};
