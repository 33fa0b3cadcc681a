/** `npm run access`: writes docs/access.md, and what an idle month costs in docs/costs.md, from the synthesized templates. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../cli/arguments.ts';
import { withParts } from '../cli/generated-parts.ts';
import { accessContexts, accessDocument, type TemplateResources } from '../lib/access.ts';
import { idleMonth } from '../lib/idle-month.ts';
import { projectRoot } from '../lib/project.ts';

const usage = `npm run access

  Writes docs/access.md: which function may do what, with which table and queue; and the idle month of docs/costs.md. After a change of grants,
  functions, tables, queues or alarms.
  --help`;

await runCommand({ usage, options: {} }, async () => {
  // CDK takes a second to load: not for a mistake in the command line.
  const { orderApp } = await import('../lib/app.ts');
  const synthesized = (context: Readonly<Record<string, string>>): TemplateResources => {
    const { app, stack } = orderApp({ context });
    const { template } = app.synth().getStackArtifact(stack.artifactId);
    rmSync(app.outdir, { recursive: true });
    return (template as { Resources: TemplateResources }).Resources;
  };
  const [dev, test, prod] = [accessContexts.sandbox, { stage: 'test' }, accessContexts.real].map(synthesized) as [
    TemplateResources,
    TemplateResources,
    TemplateResources,
  ];
  const write = (file: string, text: string): void => {
    writeFileSync(join(projectRoot, file), text);
    process.stdout.write(`${file}\n`);
  };
  write('docs/access.md', accessDocument({ sandbox: dev, real: prod }));
  const costs = 'docs/costs.md';
  const parts = { 'idle month': () => idleMonth({ dev, test, prod }) };
  write(costs, withParts(readFileSync(join(projectRoot, costs), 'utf8'), parts, 'npm run access'));
  return 0;
});
