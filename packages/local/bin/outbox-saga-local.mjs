#!/usr/bin/env node
// Plain JavaScript: it must run, to say what is wrong, on a Node that cannot read the rest.
import { enableCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(`outbox-saga-local needs Node 24 or newer, and this is ${process.version}.\n`);
  process.exit(1);
}
const [module, ...args] = process.argv.slice(2);
const usage = `outbox-saga-local <module> [options]
outbox-saga-local token <module> [options]

  <module>  exports \`app\`: what is run (see LocalApp in the package's README)
  --help    after a module: its options
`;
const isToken = module === 'token';
const file = isToken ? args.shift() : module;
if (file === undefined || file === '--help') {
  process.stdout.write(usage);
  process.exit(file === undefined ? 1 : 0);
}
// Parsed and compiled once: the next start reads the result.
enableCompileCache(resolve('node_modules/.cache/outbox-saga/code'));
let app;
try {
  ({ app } = await import(pathToFileURL(resolve(file)).href));
} catch (error) {
  process.stderr.write(`${file} cannot be loaded: ${error.message}\n`);
  process.exit(1);
}
if (app === undefined) {
  process.stderr.write(`${file} exports no \`app\`: it must export what is run (see LocalApp in the package's README)\n`);
  process.exit(1);
}
const { main, token } = isToken ? await import('@outbox-saga/local/token') : await import('@outbox-saga/local/main');
await (isToken ? token(app, args) : main(app, args));
