import { relative } from 'node:path';
import type { LocalApp, RunningFacts } from './app.ts';
import type { LocalOptions } from './options.ts';

type Auth = LocalOptions['auth'];

const authentication: Readonly<Record<Auth, string>> = {
  off: 'authentication is OFF here: everyone is let in. On AWS nobody is; npm start -- --auth shows it',
  jwt: 'authentication is ON: tokens of the local issuer, operators by IAM',
  iam: 'authentication is ON: everyone by IAM',
};

const environments: Readonly<Record<LocalOptions['isolation'], string>> = {
  thread: 'threads of it (--isolation process: by processes of its own)',
  process: 'processes of its own',
};

const byToken = ` -H "authorization: Bearer $TOKEN"`;
const byIam = ` --aws-sigv4 aws:amz:us-east-1:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"`;

/** What a newcomer needs once: where it is, what to paste, what is real and what is not. */
export function banner(
  { name, subjectName = 'subject', firstSteps }: Pick<LocalApp, 'name' | 'subjectName' | 'firstSteps'>,
  { url, awsUrl, services }: RunningFacts,
  { dataDir, stage, watch, faults, auth, isolation }: LocalOptions,
  seconds: number,
): string {
  const folder = relative('.', dataDir) === '.local' ? '' : ` --data-dir ${dataDir}`;
  const proofs = [
    ...(auth === 'jwt' ? [`TOKEN=$(npm run -s token -- --${subjectName} c1${folder})`] : []),
    ...(auth === 'off' ? [] : [`eval "$(npm run -s token -- --operator${folder})"`]),
  ].map((proof) => `who you are    ${proof}`);
  const asSubject = { off: '', jwt: byToken, iam: byIam }[auth];
  const asOperator = auth === 'off' ? '' : byIam;
  const steps = [...proofs, ...(firstSteps?.({ url, auth, asSubject, asOperator }) ?? []), `metrics        curl ${url}/_local/metrics`];
  const about = [
    `data           ${dataDir}   (npm start -- --fresh starts from nothing)`,
    `emulated       ${services.join(', ')}; Lambda by ${environments[isolation]}; event sources, schedules and HTTP API by this process`,
    `AWS endpoint   ${awsUrl}   (any credentials)`,
    authentication[auth],
    `stop           Ctrl-C`,
    ...(Object.keys(faults).length > 0 ? [`FAULTS are on  ${JSON.stringify(faults)}`] : []),
    ...(watch ? ['reloading      functions reload when their source changes'] : []),
  ];
  const lines = [`${name} is ready after ${seconds.toFixed(1)} s (stage ${stage})   ${url}`, '', ...steps, '', ...about];
  return `\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n`;
}
