/** `npm run pack`: builds every package into a `dist/` of its own, and packs it. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runCommand } from '../cli/arguments.ts';

const usage = `npm run pack -- [options]

  Builds every package of packages/ into its dist/ (ES modules and declarations), and packs it with npm.

  --out <folder>  where the tarballs go   (default: packages/dist)
  --help`;

const root = join(import.meta.dirname, '..');
const folder = join(root, 'packages');

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'package.json')));

await runCommand({ usage, options: { out: { type: 'string', default: join(folder, 'dist') } } }, ({ out }) => {
  const tarballs = resolve(out);
  mkdirSync(tarballs, { recursive: true });
  const compiled = mkdtempSync(join(tmpdir(), 'outbox-saga-packages-'));
  try {
    compile(compiled);
    for (const name of names) {
      const dist = join(folder, name, 'dist');
      rmSync(dist, { recursive: true, force: true });
      assemble(name, join(compiled, name, 'src'), dist);
      const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', tarballs], { cwd: dist, encoding: 'utf8' });
      process.stdout.write(`${join(tarballs, packed.trim())}\n`);
    }
  } finally {
    rmSync(compiled, { recursive: true });
  }
  return Promise.resolve(0);
});

/** All packages in one program: they import each other's sources. */
function compile(outDir: string): void {
  const config = join(outDir, 'tsconfig.json');
  const compilerOptions = { noEmit: false, declaration: true, rewriteRelativeImportExtensions: true, rootDir: folder, outDir };
  const include = names.map((name) => join(folder, name, 'src'));
  // Types are looked for from where the configuration lies.
  const typeRoots = [join(root, 'node_modules/@types')];
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions: { ...compilerOptions, typeRoots }, include }),
  );
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--project', config], { stdio: 'inherit' });
}

/** What is packed: code, declarations, commands, README, licence, and a manifest whose exports point at what was built. */
function assemble(name: string, built: string, dist: string): void {
  const source = join(folder, name);
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
  cpSync(built, dist, { recursive: true });
  // The compiler leaves the sources' extension in the imports of declarations.
  for (const file of globSync('**/*.d.ts', { cwd: dist })) {
    const path = join(dist, file);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/((?:from|import\()\s*['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'));
  }
  if (existsSync(join(source, 'bin'))) cpSync(join(source, 'bin'), join(dist, 'bin'), { recursive: true });
  cpSync(join(source, 'README.md'), join(dist, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(dist, 'LICENSE'));
  const { devDependencies: _, ...shipped } = manifest;
  const exports = { './*': { types: './*.d.ts', default: './*.js' } };
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ ...shipped, exports }, null, 2)}\n`);
}
