import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { functions, type FunctionName } from '../lambdas/contract/functions.ts';
import { bundleFile, bundleFunctions } from '@outbox-saga/constructs/bundle';
import { bundling } from '../lib/project.ts';
import { median } from './runtime.ts';

export interface BundleResult {
  readonly name: string;
  /** Of 1,024 bytes, as esbuild prints them. */
  readonly kilobytes: number;
  /** Loading the bundle in a fresh process, median. */
  readonly initMs: number;
}

/** Size and init time of every function's bundle: each init is a process of its own, as a cold start is. */
export function measureBundles(runs: number): BundleResult[] {
  const folder = mkdtempSync(join(tmpdir(), 'order-saga-bundles-'));
  try {
    const bundles = bundleFunctions(functions, folder, bundling);
    return (Object.keys(functions) as FunctionName[]).map((name) => {
      const file = join(bundles[name], bundleFile);
      const times = Array.from({ length: runs }, () => initTime(name, file));
      return { name, kilobytes: statSync(file).size / 1024, initMs: median(times) };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function initTime(name: FunctionName, file: string): number {
  const script = `const t = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); console.log(performance.now() - t); process.exit()`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: variablesOf(name),
  });
  return Number(output.trim().split('\n').at(-1));
}

/** An environment that the function starts in. Any text passes for a table's name; the loading is what is measured. */
export function variablesOf(name: FunctionName): Record<string, string> {
  const named = Object.keys(functions[name].environment.shape).map((key) => [key, key.endsWith('URL') ? 'http://x' : 'x']);
  const strict = {
    QUEUE_URLS: '{}',
    STAGE: 'dev',
    AUTHENTICATION: 'iam',
    OUTBOX_INDEX_PENDING: 'false',
    SANDBOX_DEFAULTS: 'false',
    EMAIL_SENDER: '',
    PROVIDER_URL: '',
    AWS_REGION: 'us-east-1',
    POWERTOOLS_SERVICE_NAME: name,
  };
  return { ...(Object.fromEntries(named) as Record<string, string>), ...strict };
}
