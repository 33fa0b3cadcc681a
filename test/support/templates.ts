import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { afterAll } from 'vitest';
import type { StageName } from '../../lambdas/contract/stage-names.ts';
import { orderApp, type Checks } from '../../lib/app.ts';
import { keptBundles } from '@outbox-saga/local/bundles';
import { app } from '../../lib/local-app.ts';
import { bundle } from '../../lib/local-bundle.ts';

/** A resource as a template has it; its shape is what the tests are about. */
export interface Resource {
  readonly Type: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- each type of resource has another shape
  readonly Properties: any;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}
export type Resources = Readonly<Record<string, Resource>>;

/** What prod cannot be synthesized without, and what a shop would add. */
export const prodContext = {
  paymentUrl: 'https://pay.example',
  paymentSecretId: 'pay/token',
  carrierUrl: 'https://ship.example',
  emailSender: 'shop@example.com',
  alarmEmail: 'ops@example.com',
};

/** The templates of a test file: made in a folder that goes with the file, those of the bare stages once, all from one set of bundles. */
export function templates() {
  const outdir = mkdtempSync(join(tmpdir(), 'order-saga-infra-'));
  const bundles = keptBundles(app, bundle);
  const stages = new Map<StageName, Resources>();
  afterAll(() => rmSync(outdir, { recursive: true, force: true }));

  function synthesize(stage: StageName, context: Record<string, unknown> = {}, checks?: Checks): Resources {
    const { app, stack } = orderApp({
      outdir: join(outdir, `${stage}-${Object.keys(context).join('-')}`),
      ...(checks ? { checks } : {}),
      bundles: () => bundles,
      context: { stage, ...context },
    });
    app.synth();
    return Template.fromStack(stack).toJSON()['Resources'] as Resources;
  }

  /** The stage without any context but what it must have. */
  function resourcesOf(stage: StageName): Resources {
    const made = stages.get(stage) ?? synthesize(stage, stage === 'prod' ? prodContext : {});
    stages.set(stage, made);
    return made;
  }

  const ofType = (type: string, stage: StageName = 'dev'): [string, Resource][] =>
    Object.entries(resourcesOf(stage)).filter(([, resource]) => resource.Type === type);

  const functionNamed = (name: string, stage: StageName = 'dev'): [string, Resource] =>
    ofType('AWS::Lambda::Function', stage).find(([, { Properties }]) => Properties.Environment.Variables.POWERTOOLS_SERVICE_NAME === name)!;

  return { outdir, bundles, synthesize, resourcesOf, ofType, functionNamed };
}

/** The logical id that a value refers to. @throws Error when it refers to nothing */
export function logicalId(value: unknown): string {
  const found = /"(?:Ref|Fn::GetAtt)":\[?"(\w+)"/.exec(JSON.stringify(value));
  if (!found) throw new Error(`no reference in ${JSON.stringify(value)}`);
  return found[1]!;
}
