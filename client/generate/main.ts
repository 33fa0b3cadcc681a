/** `npm run client`: writes what is made from the contract: the OpenAPI document, the client and the generated parts of the documents. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../cli/arguments.ts';
import { generated } from './generated.ts';

const usage = `npm run client

  Writes the OpenAPI document, and from it the client and the generated parts of docs/api.md; and the states in docs/architecture.md.
  After a change of lambdas/contract/api.ts or lambdas/order-saga/steps.ts.
  --help`;

await runCommand({ usage, options: {} }, () => {
  const root = join(import.meta.dirname, '../..');
  for (const [file, text] of Object.entries(generated(root))) {
    writeFileSync(join(root, file), text);
    process.stdout.write(`${file}\n`);
  }
  return Promise.resolve(0);
});
