import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StageName } from '../lambdas/contract/stages.ts';
import type { Template } from './template.ts';

/** What `cdk deploy` would deploy: the template and the folders of the functions' code. */
export interface Assembly {
  readonly stackName: string;
  readonly template: Template;
  /** Object key of an asset → its folder. */
  readonly assets: ReadonlyMap<string, string>;
}

/**
 * Synthesizes the CDK app into a folder and reads the result back as CloudFormation would get it.
 * The offline validator and cdk-nag are left to `cdk synth` and the tests: they cost seconds and change nothing here.
 */
export async function synthesize(stage: StageName, outdir: string, context: Readonly<Record<string, string>>): Promise<Assembly> {
  process.env['CDK_VALIDATION'] = 'false';
  const { orderApp } = await import('../lib/app.ts');
  const { app, stack } = orderApp({ outdir, nag: false, context: { ...context, stage } });
  app.synth();
  const read = (file: string): unknown => JSON.parse(readFileSync(join(outdir, file), 'utf8'));
  const manifest = read(`${stack.artifactId}.assets.json`) as {
    files: Record<string, { source: { path: string }; destinations: Record<string, { objectKey: string }> }>;
  };
  const assets = new Map<string, string>();
  for (const { source, destinations } of Object.values(manifest.files)) {
    for (const { objectKey } of Object.values(destinations)) assets.set(objectKey, join(outdir, source.path));
  }
  return { stackName: stack.stackName, template: read(stack.templateFile) as Template, assets };
}
