import type { LocalOptions } from './options.ts';
import type { LocalRuntime } from './runtime.ts';

/** What a newcomer needs once: where it is, what to paste, what is real and what is not. */
export function banner({ url, awsUrl, emulators }: LocalRuntime, { dataDir, stage, watch, faults }: LocalOptions, seconds: number): string {
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
  authentication is OFF here: on AWS every route but /health demands IAM
  stop           Ctrl-C${Object.keys(faults).length > 0 ? `\n  FAULTS are on  ${JSON.stringify(faults)}` : ''}${watch ? '\n  reloading      functions reload when their source changes' : ''}
`;
}
