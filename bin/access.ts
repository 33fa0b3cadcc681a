/** `npm run access`: writes docs/access.md from the synthesized templates. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../cli/arguments.ts';
import { accessContexts, accessDocument, type TemplateResources } from '../lib/access.ts';
import { projectRoot } from '../lib/project.ts';

const usage = `npm run access

  Writes docs/access.md: which function may do what, with which table and queue. After a change of grants, functions, tables or queues.
  --help`;

await runCommand({ usage, options: {} }, async () => {
  // CDK takes a second to load: not for a mistake in the command line.
  const { orderApp } = await import('../lib/app.ts');
  const synthesized = (context: Readonly<Record<string, string>>): TemplateResources => {
    const { app, stack } = orderApp({ context, nag: false });
    const { template } = app.synth().getStackArtifact(stack.artifactId);
    rmSync(app.outdir, { recursive: true });
    return (template as { Resources: TemplateResources }).Resources;
  };
  const { sandbox, real } = accessContexts;
  const templates = { sandbox: synthesized(sandbox), real: synthesized(real) };
  const file = 'docs/access.md';
  writeFileSync(join(projectRoot, file), accessDocument(templates));
  process.stdout.write(`${file}\n`);
  return 0;
});
