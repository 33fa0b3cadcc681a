/** `npm run client`: writes the OpenAPI document, and from it the client and the generated parts of docs/api.md. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generated } from './generated.ts';

const root = join(import.meta.dirname, '../..');

for (const [file, text] of Object.entries(generated(root))) {
  writeFileSync(join(root, file), text);
  process.stdout.write(`${file}\n`);
}
