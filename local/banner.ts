import { relative } from 'node:path';
import type { LocalOptions } from './options.ts';
import type { LocalRuntime } from './runtime.ts';

type Auth = LocalOptions['auth'];

const authentication: Readonly<Record<Auth, string>> = {
  off: 'authentication is OFF here: everyone is let in. On AWS nobody is; npm start -- --auth shows it',
  jwt: 'authentication is ON: customers by token, operators by IAM',
  iam: 'authentication is ON: everyone by IAM',
};

const environments: Readonly<Record<LocalOptions['isolation'], string>> = {
  thread: 'threads of it (--isolation process: by processes of its own)',
  process: 'processes of its own',
};

const asCustomer = ` -H "authorization: Bearer $TOKEN"`;
const asOperator = ` --aws-sigv4 aws:amz:us-east-1:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"`;

/** What a newcomer needs once: where it is, what to paste, what is real and what is not. */
export function banner(
  { url, awsUrl, services }: LocalRuntime,
  { dataDir, stage, watch, faults, auth, isolation }: LocalOptions,
  seconds: number,
): string {
  const customer = { off: '', jwt: asCustomer, iam: asOperator }[auth];
  const operator = auth === 'off' ? '' : asOperator;
  const folder = relative('.', dataDir) === '.local' ? '' : ` --data-dir ${dataDir}`;
  const proofs = [
    ...(auth === 'jwt' ? [`TOKEN=$(npm run -s token -- --customer c1${folder})`] : []),
    ...(auth === 'off' ? [] : [`eval "$(npm run -s token -- --operator${folder})"`]),
  ];
  const line = '{"items":[{"sku":"coffee","qty":1,"price":500}]}';
  const order = auth === 'iam' ? line.replace('{', '{"customerId":"c1",') : line;
  const json = `-H 'content-type: application/json'`;
  return `
  Order Saga is ready after ${seconds.toFixed(1)} s (stage ${stage})   ${url}

${proofs.map((proof) => `  who you are    ${proof}\n`).join('')}\
  set stock      curl -X PUT ${url}/admin/stock/coffee${operator} ${json} -d '{"available":10}'
  place order    curl -X POST ${url}/orders${customer} ${json} -H 'idempotency-key: demo-001' -d '${order}'
  list orders    curl${customer} '${url}/orders?customerId=${auth === 'off' ? 'guest' : 'c1'}'
  metrics        curl ${url}/_local/metrics
${auth === 'off' ? '  the story      npm run demo\n' : ''}\

  data           ${dataDir}   (npm start -- --fresh starts from nothing)
  emulated       ${services.join(', ')}; Lambda by ${environments[isolation]}; event sources, schedules and HTTP API by this process
  AWS endpoint   ${awsUrl}   (any credentials)
  ${authentication[auth]}
  stop           Ctrl-C${Object.keys(faults).length > 0 ? `\n  FAULTS are on  ${JSON.stringify(faults)}` : ''}${watch ? '\n  reloading      functions reload when their source changes' : ''}
`;
}
