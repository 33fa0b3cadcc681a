import type { LocalOptions } from './options.ts';
import type { LocalRuntime } from './runtime.ts';

const authentication: Readonly<Record<LocalOptions['auth'], string>> = {
  off: 'authentication is OFF here: everyone is let in. On AWS nobody is; npm start -- --auth shows it',
  jwt: 'authentication is ON: customers by token (npm run token -- --customer c1), operators by IAM (npm run token -- --operator)',
  iam: 'authentication is ON: everyone by IAM (npm run token -- --operator)',
};

/** What a newcomer needs once: where it is, what to paste, what is real and what is not. */
export function banner(
  { url, awsUrl, emulators }: LocalRuntime,
  { dataDir, stage, watch, faults, auth }: LocalOptions,
  seconds: number,
): string {
  return `
  Order Saga is ready after ${seconds.toFixed(1)} s (stage ${stage})   ${url}

  set stock      curl -X PUT ${url}/admin/stock/coffee -H 'content-type: application/json' -d '{"available":10}'
  place order    curl -X POST ${url}/orders -H 'content-type: application/json' -H 'idempotency-key: demo-001' -d '{"items":[{"sku":"coffee","qty":1,"price":500}]}'
  list orders    curl '${url}/orders?customerId=guest'
  metrics        curl ${url}/_local/metrics
  the story      npm run demo

  data           ${dataDir}   (npm start -- --fresh starts from nothing)
  emulated       ${emulators.join(', ')}; Lambda, event sources, schedules and HTTP API by this process
  AWS endpoint   ${awsUrl}   (any credentials)
  ${authentication[auth]}
  stop           Ctrl-C${Object.keys(faults).length > 0 ? `\n  FAULTS are on  ${JSON.stringify(faults)}` : ''}${watch ? '\n  reloading      functions reload when their source changes' : ''}
`;
}
