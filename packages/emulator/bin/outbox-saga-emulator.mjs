#!/usr/bin/env node
// Plain JavaScript: it must run, to say what is wrong, on a Node that cannot read the rest.
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(`outbox-saga-emulator needs Node 24 or newer, and this is ${process.version}.\n`);
  process.exit(1);
}
const { main } = await import('@outbox-saga/emulator/command');
await main(process.argv.slice(2));
