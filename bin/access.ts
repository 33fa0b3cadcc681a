/** `npm run access`: writes docs/access.md from the synthesized templates. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../cli/arguments.ts';
import { accessContexts, accessDocument } from '../lib/access.ts';
import { projectRoot } from '../lib/project.ts';
import { synthesize } from '../local/assembly.ts';

const usage = `npm run access

  Writes docs/access.md: which function may do what, with which table and queue. After a change of grants, functions, tables or queues.
  --help`;

await runCommand({ usage, options: {} }, async () => {
  const { sandbox, real } = accessContexts;
  const templates = {
    sandbox: (await synthesize(sandbox.stage, sandbox)).template.Resources,
    real: (await synthesize(real.stage, real)).template.Resources,
  };
  const file = 'docs/access.md';
  writeFileSync(join(projectRoot, file), accessDocument(templates));
  process.stdout.write(`${file}\n`);
  return 0;
});
