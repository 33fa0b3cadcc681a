import { App, Validations, type AppProps } from 'aws-cdk-lib';
import { join } from 'node:path';
import { faultVariables, parseFaults, type Faults } from '@outbox-saga/kit/function/fault-settings';
import { functions } from '../lambdas/contract/functions.ts';
import type { StageName } from '../lambdas/contract/stage-names.ts';
import { bundleFunctions } from '@outbox-saga/constructs/bundle';
import type { TokenIssuer } from '@outbox-saga/constructs/service-api';
import { OrderStack, type OrderStackProps } from './order-stack.ts';
import type { ProviderConfig } from './services/provider.ts';
import { bundling } from './project.ts';
import { stageConfig } from './stage-config.ts';

export type Checks = (app: App) => Parameters<Validations['addPlugins']>;

export interface OrderAppOptions extends AppProps {
  /** Values for what `--context` takes on the command line. */
  readonly context?: Record<string, unknown>;
  /** What checks the synthesized resources, such as `nag`; a finding fails the synth. Default: nothing. */
  readonly checks?: Checks;
  /** Gives the functions' bundles. Default: they are made below the output folder. */
  readonly bundles?: () => OrderStackProps['bundles'];
}

/**
 * The CDK app. Context: `stage` (dev, test, prod; default dev), `paymentUrl`, `paymentSecretId`, `carrierUrl`,
 * `carrierSecretId`, `paymentSecretKeyArn`, `carrierSecretKeyArn`, `emailSender`, `alarmEmail`, `jwtIssuer` with `jwtAudience` (several with commas), `corsOrigins` (with commas), `faults`
 * (`inventory.failRate=0.3,payment.delayMs=500`; never on prod), and `local` (`open` or `auth`; set by the local runtime and for emulators, never for a deployment to AWS).
 */
export function orderApp({ checks, bundles, ...props }: OrderAppOptions = {}): { app: App; stack: OrderStack } {
  const app = new App(props);
  if (checks) Validations.of(app).addPlugins(...checks(app));
  const text = (key: string): string | undefined => {
    const value: unknown = app.node.tryGetContext(key);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const local = text('local');
  const stage = stageConfig(text('stage') ?? 'dev');
  if (local !== undefined && stage.name === 'prod') throw new Error(`--context local=${local}: prod is not for a laptop`);
  const stack = new OrderStack(app, `OrderSaga-${stage.name}`, {
    description: `Order Saga (${stage.name}): orders through a transactional outbox and a saga`,
    stage,
    paymentGateway: providerOf('payment', text),
    carrier: providerOf('carrier', text),
    emailSender: text('emailSender'),
    alarmEmail: text('alarmEmail'),
    issuer: issuerOf(text('jwtIssuer'), listOf(text('jwtAudience')), local !== undefined),
    corsOrigins: originsOf(text('corsOrigins')),
    open: local === 'open',
    faults: faultsOf(stage.name, text('faults')),
    // Last: what is wrong with the context is said before anything is built.
    bundles: bundles?.() ?? bundleFunctions(functions, join(app.outdir, 'bundles'), bundling),
  });
  return { app, stack };
}

/** @throws Error for a URL, a secret or a key that is malformed, or that the next one of them is missing for */
function providerOf(name: string, text: (key: string) => string | undefined): ProviderConfig | undefined {
  const [url, secretId, secretKeyArn] = [text(`${name}Url`), text(`${name}SecretId`), text(`${name}SecretKeyArn`)];
  const needs = (given: string, missing: string): never => {
    throw new Error(`--context ${name}${given}: needs --context ${name}${missing}=…`);
  };
  if (url === undefined) {
    if (secretId !== undefined) needs('SecretId', 'Url');
    if (secretKeyArn !== undefined) needs('SecretKeyArn', 'Url');
    return undefined;
  }
  if (!URL.canParse(url)) throw new Error(`--context ${name}Url=${url}: is not a URL`);
  if (secretKeyArn !== undefined) {
    if (secretId === undefined) needs('SecretKeyArn', 'SecretId');
    // Policies that name an alias are about the alias, not about its key.
    if (!/^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/.test(secretKeyArn)) {
      throw new Error(`--context ${name}SecretKeyArn=${secretKeyArn}: must be the ARN of a key: arn:aws:kms:…:key/…`);
    }
  }
  return { url, secretId, secretKeyArn };
}

const listOf = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

/** @throws Error for an issuer without an audience: any token of that issuer would do, whoever it was made for */
function issuerOf(url: string | undefined, audience: readonly string[], local: boolean): TokenIssuer | undefined {
  if (url === undefined && audience.length === 0) return undefined;
  if (url === undefined) throw new Error('--context jwtAudience: needs --context jwtIssuer=https://…');
  const secure = URL.canParse(url) && (local || new URL(url).protocol === 'https:');
  if (!secure) throw new Error(`--context jwtIssuer=${url}: must be an https:// URL`);
  if (audience.length === 0) throw new Error(`--context jwtIssuer=${url}: needs --context jwtAudience=…, for whom tokens must be made`);
  return { url, audience };
}

/** @throws Error for an entry that is no origin */
function originsOf(value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const origins = listOf(value);
  const wrong = origins.find((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin);
  if (wrong !== undefined) throw new Error(`--context corsOrigins: ${wrong} is not an origin such as https://shop.example`);
  return origins;
}

/** @throws Error for prod, and for faults that only the local runtime can make */
function faultsOf(stage: StageName, text: string | undefined): Faults {
  if (text === undefined) return {};
  if (stage === 'prod') throw new Error(`--context faults=${text}: prod takes no faults`);
  const faults = parseFaults([text], Object.keys(functions));
  for (const [name, settings] of Object.entries(faults)) {
    const local = Object.keys(settings).find((setting) => !Object.hasOwn(faultVariables, setting));
    if (local !== undefined) throw new Error(`--context faults: ${name}.${local} is made by the local runtime (npm start -- --fault …)`);
  }
  return faults;
}
