import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientSource } from './client.ts';
import { withParts } from '../../cli/generated-parts.ts';
import { apiParts } from './docs.ts';
import { openApiDocument } from './openapi.ts';
import { stateDiagram } from './states.ts';

/** File → text of everything that is made from the contract. A test holds that what is committed is this. */
export function generated(root: string): Record<string, string> {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const document = openApiDocument(version);
  return {
    'lambdas/contract/openapi.json': `${JSON.stringify(document, null, 2)}\n`,
    'client/order-saga.ts': clientSource(document),
    'docs/api.md': withParts(read('docs/api.md'), apiParts, 'npm run client'),
    'docs/architecture.md': withParts(read('docs/architecture.md'), { states: stateDiagram }, 'npm run client'),
  };
}
