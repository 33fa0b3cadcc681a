import { App, Validations, type AppProps } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { join } from 'node:path';
import { faultVariables, parseFaults, type Faults } from '../lambdas/contract/core/faults.ts';
import { functions } from '../lambdas/contract/functions.ts';
import type { StageName } from '../lambdas/contract/stages.ts';
import { bundleFunctions } from './bundle.ts';
import { OrderStack, type ProviderConfig } from './order-stack.ts';
import { stageConfig } from './stage-config.ts';

export interface OrderAppOptions extends AppProps {
  /** Values for what `--context` takes on the command line. */
  readonly context?: Record<string, unknown>;
  /** Runs cdk-nag over the synthesized resources; a finding fails the synth. */
  readonly nag?: boolean;
}

/**
 * The CDK app. Context: `stage` (dev, test, prod; default dev), `paymentUrl`, `paymentSecretId`, `carrierUrl`,
 * `carrierSecretId`, `emailSender`, `alarmEmail`, `faults` (`inventory.failRate=0.3,payment.delayMs=500`; never on prod), and `local` (set by the local runtime, never for a deployment).
 */
export function orderApp({ nag = true, ...props }: OrderAppOptions = {}): { app: App; stack: OrderStack } {
  const app = new App(props);
  if (nag) Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const text = (key: string): string | undefined => {
    const value: unknown = app.node.tryGetContext(key);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const provider = (name: string): ProviderConfig | undefined => {
    const url = text(`${name}Url`);
    if (url === undefined) return undefined;
    if (!URL.canParse(url)) throw new Error(`--context ${name}Url=${url}: is not a URL`);
    return { url, secretId: text(`${name}SecretId`) };
  };
  const stage = stageConfig(text('stage') ?? 'dev');
  const stack = new OrderStack(app, `OrderSaga-${stage.name}`, {
    description: `Order Saga (${stage.name}): orders through a transactional outbox and a saga`,
    stage,
    bundles: bundleFunctions(functions, join(app.outdir, 'bundles')),
    paymentGateway: provider('payment'),
    carrier: provider('carrier'),
    emailSender: text('emailSender'),
    alarmEmail: text('alarmEmail'),
    allowGuest: text('local') === 'true',
    faults: faultsOf(stage.name, text('faults')),
  });
  return { app, stack };
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
