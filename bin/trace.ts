/** `npm run trace`: says where in the sources a deployed function's stack trace points. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand, UsageProblem } from '../cli/arguments.ts';
import { functions, type FunctionName } from '../lambdas/contract/functions.ts';
import { bundleFunctions, bundleMapFile } from '@outbox-saga/constructs/bundle';
import { bundling } from '../lib/project.ts';
import { originalTrace, type BundleMap } from '../ops/trace.ts';

const usage = `npm run trace -- <function> [--map <file>] < trace.txt

  Reads stack traces or log lines and names sources in place of index.mjs:<line>:<column>.

  <function>            ${Object.keys(functions).join(', ')}
  --map <file>          the function's index.mjs.map, from its deployed code
                        (default: bundled anew; check out the commit that is deployed)
  --help                shows this`;

function mapOf(name: FunctionName, file: string | undefined): BundleMap {
  if (file !== undefined) return JSON.parse(readFileSync(file, 'utf8')) as BundleMap;
  const folder = mkdtempSync(join(tmpdir(), 'order-saga-trace-'));
  try {
    const { [name]: bundle } = bundleFunctions({ [name]: functions[name] }, folder, bundling);
    return JSON.parse(readFileSync(join(bundle!, bundleMapFile), 'utf8')) as BundleMap;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await runCommand({ usage, options: { map: { type: 'string' } }, words: 1 }, async ({ map }, [name]) => {
  if (name === undefined) throw new UsageProblem('Which function’s trace is it?');
  if (!Object.hasOwn(functions, name)) throw new UsageProblem(`${name} is no function; there are ${Object.keys(functions).join(', ')}`);
  process.stdout.write(originalTrace(readFileSync(process.stdin.fd, 'utf8'), mapOf(name as FunctionName, map)));
  return Promise.resolve(0);
});
