import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

const root = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As an import names it, on Windows too. */
const rootPath = root.replaceAll('\\', '/');

const imports = `
import { documentation, type Handlers } from '${rootPath}/lambdas/contract/api/documentation.ts';
import { queryOrdersOperations } from '${rootPath}/lambdas/contract/api/query-orders.ts';
import { stockAdminOperations } from '${rootPath}/lambdas/contract/api/stock-admin.ts';
import type { DocumentationOf } from '${rootPath}/packages/kit/src/http/operations.ts';
import { createHttpHandler, type HttpOptions } from '${rootPath}/packages/kit/src/http/http.ts';
type Operations = typeof stockAdminOperations;
declare const others: Omit<HttpOptions<Operations>, 'operations' | 'handlers'>;
declare const getStock: Handlers<Operations>['getStock'];
declare const putStock: Handlers<Operations>['putStock'];
const { getStock: about, putStock: aboutPutting } = documentation;
`;
const handlers = (text: string): string => `createHttpHandler({ ...others, operations: stockAdminOperations, handlers: ${text} });`;
const getting = (text: string): string => `export const handler: Handlers<Operations>['getStock'] = async (request) => ${text};`;
const stock = `{ sku: 'tea', available: 1, reserved: 0 }`;
const written = (text: string): string => `export const text = ${text} satisfies DocumentationOf<Operations>;`;

/** What is written → what the compiler says of it; undefined: nothing. */
const sources: Readonly<Record<string, readonly [source: string, refusal: RegExp | undefined]>> = {
  'a handler for each operation': [handlers('{ getStock, putStock }'), undefined],
  'an operation without a handler': [handlers('{ getStock }'), /Property 'putStock' is missing/],
  'a handler without an operation': [handlers('{ getStock, putStock, dropStock: getStock }'), /'dropStock' does not exist/],
  'a handler of another operation': [handlers('{ getStock: putStock, putStock }'), /not assignable/],
  'a handler that returns what is documented': [
    getting(`({ status: 200, headers: { etag: request.path.sku }, body: ${stock} })`),
    undefined,
  ],
  'a parameter that the operation does not declare': [
    getting(`({ status: 200, headers: { etag: request.path.id }, body: ${stock} })`),
    /Property 'id' does not exist/,
  ],
  'a body where the operation declares none': [
    getting(`({ status: 200, headers: { etag: request.body.x }, body: ${stock} })`),
    /possibly 'undefined'|does not exist/,
  ],
  'a parsed header that is taken for another type': [
    `export const handler: Handlers<Operations>['putStock'] = async ({ headers }) => ({ status: 200, headers: { etag: headers['if-match'] }, body: ${stock} });`,
    /Type 'undefined' is not assignable to type 'string'/,
  ],
  'a status that is not documented': [getting(`({ status: 201, headers: { etag: '' }, body: ${stock} })`), /not assignable/],
  'a body that is not documented': [getting(`({ status: 200, headers: { etag: '' }, body: { sku: 'tea' } })`), /missing the following/],
  'a response without its header': [getting(`({ status: 200, headers: {}, body: ${stock} })`), /Property 'etag' is missing/],
  'documentation of each operation': [written('{ getStock: about, putStock: aboutPutting }'), undefined],
  'an operation without documentation': [written('{ getStock: about }'), /Property 'putStock' is missing/],
  'a parameter of a query without documentation': [
    `export const text = { ...documentation, listOrders: { ...documentation.listOrders, query: {} } } satisfies DocumentationOf<typeof queryOrdersOperations>;`,
    /missing the following properties[^]*customerId, status, limit, cursor/,
  ],
  'documentation of a field that a body does not have': [
    written("{ getStock: about, putStock: { ...aboutPutting, body: { examples: {}, fields: { colour: '' } } } }"),
    /'colour' does not exist/,
  ],
  'a parameter without documentation': [
    written('{ getStock: { ...about, path: {} }, putStock: aboutPutting }'),
    /Property 'sku' is missing/,
  ],
  'a body without examples': [
    written('{ getStock: about, putStock: { ...aboutPutting, body: undefined } }'),
    /not assignable|does not satisfy/,
  ],
};

describe('the compiler', () => {
  const fileOf = (what: string): string => `source-${Object.keys(sources).indexOf(what)}.mts`;
  let said: string;
  beforeAll(() => {
    for (const [what, [source]] of Object.entries(sources)) writeFileSync(join(folder, fileOf(what)), imports + source);
    const compilerOptions = { typeRoots: [join(root, 'node_modules/@types')], noUnusedLocals: false, noUnusedParameters: false };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.mts'] }),
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    said = spawnSync(process.execPath, [compiler, '--pretty', 'false', '-p', folder], { cwd: folder, encoding: 'utf8' }).stdout;
  });

  it.each(Object.entries(sources))('judges %s', (what, [, refusal]) => {
    // A refusal is a line that begins with its file, and lines that are indented.
    const own = said.split(/\n(?! )/).filter((line) => line.startsWith(`${fileOf(what)}(`));
    if (refusal === undefined) expect(own).toEqual([]);
    else expect(own).toEqual([expect.stringMatching(refusal)]);
  });

  it('finds nothing else wrong', () => {
    expect(said.split(/\n(?! )/).filter((line) => line !== '' && !line.startsWith('source-'))).toEqual([]);
  });
});
