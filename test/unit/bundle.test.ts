import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { functions } from '../../lambdas/contract/functions.ts';
import { bundleFile, bundleFunctions, bundleMapFile } from '@outbox-saga/constructs/bundle';
import { bundling } from '../../lib/project.ts';
import { originalTrace, type BundleMap } from '../../ops/trace.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mapIn = (bundle: string): BundleMap => JSON.parse(readFileSync(join(bundle, bundleMapFile), 'utf8')) as BundleMap;

describe('a bundle’s source map', () => {
  let bundle: string;
  beforeAll(() => {
    bundle = bundleFunctions({ health: functions.health }, join(folder, 'deep/er'), bundling)['health'];
  });

  it('lies beside the code, and the code does not name it: nothing is loaded for it at a cold start', () => {
    expect(existsSync(join(bundle, bundleMapFile))).toBe(true);
    expect(readFileSync(join(bundle, bundleFile), 'utf8')).not.toContain('sourceMappingURL');
  });

  it('names sources from the project’s root wherever it was made, so that the code has the same hash everywhere', () => {
    const { sources, sourcesContent } = mapIn(bundle);
    expect(sources).toEqual(
      expect.arrayContaining(['lambdas/health/main.ts', 'lambdas/health/handler.ts', 'packages/kit/src/http/http.ts']),
    );
    expect(sources.filter((source) => !/^(lambdas|packages)\/|(^|\/)node_modules\//.test(source))).toEqual([]);
    expect(sourcesContent).toBeUndefined();
  });

  it('turns a deployed function’s stack trace into one of the sources', async () => {
    const entry = join(folder, 'thrower.ts');
    writeFileSync(entry, "type Nothing = undefined;\n\nexport function handler(): Nothing {\n  throw new TypeError('here');\n}\n");
    const { thrower } = bundleFunctions(
      { thrower: { entry, memoryMb: 128, timeoutSeconds: () => 1, environment: z.object({}) } },
      join(folder, 'thrower'),
      bundling,
    );
    const { handler } = (await import(/* @vite-ignore */ join(thrower, bundleFile))) as { handler: () => void };
    let stack = '';
    try {
      handler();
    } catch (error) {
      stack = (error as Error).stack!.replaceAll(join(thrower, bundleFile), 'file:///var/task/index.mjs');
    }
    expect(stack).toContain('/var/task/index.mjs:');
    const trace = originalTrace(stack, mapIn(thrower));
    expect(trace).toContain('thrower.ts:4:9');
    expect(trace).not.toContain('index.mjs');
    expect(trace).toContain('TypeError: here');
  });

  it('names the sources of another application from its own root, and has what stands in for a module', async () => {
    const root = join(folder, 'other');
    mkdirSync(root);
    writeFileSync(join(root, 'main.ts'), "import { heavy } from 'heavy';\nexport const handler = (): string => heavy;\n");
    writeFileSync(join(root, 'light.ts'), "export const heavy = 'light';\n");
    const { main } = bundleFunctions(
      { main: { entry: 'main.ts', memoryMb: 128, timeoutSeconds: () => 1, environment: z.object({}) } },
      join(folder, 'other-bundles'),
      { root, standIns: { heavy: join(root, 'light.ts') } },
    );
    const { handler } = (await import(/* @vite-ignore */ join(main, bundleFile))) as { handler: () => string };
    expect(handler()).toBe('light');
    expect(mapIn(main)).toMatchObject({ sources: ['light.ts', 'main.ts'] });
  });

  it('leaves text alone that is no frame of the bundle', () => {
    const text = 'Error: no\n    at node:internal/process/task_queues:103:5\n    at file:///opt/index.cjs:3:1';
    expect(originalTrace(text, mapIn(bundle))).toBe(text);
  });
});

describe('the bundle of a function behind the API', () => {
  const behindApi = ['place-order', 'query-orders', 'order-cancel', 'stock-admin', 'health'] as const;
  let bundles: Record<(typeof behindApi)[number], string>;
  beforeAll(() => {
    const chosen = Object.fromEntries(behindApi.map((name) => [name, functions[name]])) as Pick<
      typeof functions,
      (typeof behindApi)[number]
    >;
    bundles = bundleFunctions(chosen, join(folder, 'behind-api'), bundling);
  });

  it.each(behindApi)('%s holds the operations of its own function, and no documentation', (name) => {
    const contract = mapIn(bundles[name]).sources.filter((source) => /contract\/(api|answers)/.test(source));
    const operations = behindApi.map((each) => `lambdas/contract/api/${each}.ts`);
    expect(operations.filter((file) => contract.includes(file))).toEqual([`lambdas/contract/api/${name}.ts`]);
    expect(contract.filter((file) => /documentation|contract\/(api|answers)\.ts/.test(file))).toEqual([]);
  });
});
