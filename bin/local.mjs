import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Plain JavaScript: it must run, to say what is wrong, on a Node that cannot read the rest.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `\nOrder Saga runs on Node 24, and this is ${process.version} (${major}.${minor}).\n` +
      'npm puts the right one first on the path after an install: run\n\n  npm ci && npm start\n\n',
  );
  process.exit(1);
}
// Parsed and compiled once: the next start reads the result.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/outbox-saga/code'));
const [{ main }, { app }] = await Promise.all([import('@outbox-saga/local/main'), import('../lib/local-app.ts')]);
await main(app, process.argv.slice(2));
