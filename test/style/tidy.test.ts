import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectFiles } from '../support/project-copy.ts';

const root = join(import.meta.dirname, '../..');
const files = projectFiles();
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const sources = files.filter((file) => file.endsWith('.ts') && !/(^|\/)test\//.test(file));

/** The services of lambdas/: everything but the contract, and what payment and shipping share. */
const serviceOf = (file: string): string | undefined => {
  const folder = /^lambdas\/([^/]+)\//.exec(file)?.[1];
  return folder === 'contract' || folder === 'providers' ? undefined : folder;
};
const layerOf = (file: string): string => {
  if (/^lambdas\/(contract|providers)\//.test(file)) return file.split('/')[1]!;
  // The table of steps is data: the documents are made from it too.
  if (file === 'lambdas/order-saga/steps.ts') return 'steps';
  if (file.startsWith('lambdas/')) return 'service';
  if (file.startsWith('packages/')) return file.split('/')[1]!;
  return file.split('/')[0]!;
};

/** What each layer may import. Nothing imports a service but its own files; no package sees orders or stages. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  emulator: ['emulator'],
  testing: ['emulator', 'kit', 'testing'],
  kit: ['kit'],
  constructs: ['kit', 'constructs'],
  local: ['emulator', 'kit', 'local'],
  contract: ['kit', 'contract'],
  steps: ['kit', 'contract'],
  providers: ['kit', 'contract', 'providers'],
  service: ['kit', 'contract', 'providers', 'steps', 'service'],
  lib: ['kit', 'constructs', 'local', 'contract', 'lib'],
  // What somebody outside this project has: its packages.
  examples: ['kit', 'constructs', 'local', 'testing', 'examples'],
  cli: ['cli'],
  ops: ['kit', 'contract', 'ops'],
  bin: ['constructs', 'local', 'cli', 'contract', 'lib', 'ops', 'bin'],
  client: ['kit', 'cli', 'contract', 'steps', 'client'],
  load: ['kit', 'local', 'cli', 'contract', 'client', 'load'],
  bench: ['emulator', 'kit', 'constructs', 'local', 'cli', 'contract', 'client', 'lib', 'load', 'bench'],
  demo: ['cli', 'client', 'ops', 'demo'],
};

/** The files of this repository that a file imports: beside it, or from a package. */
function importsOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import\()\s*'(\.|@outbox-saga\/)([^']+)'/g)].map(([, start, rest]) =>
    start === '.' ? normalize(join(dirname(file), `.${rest}`)) : `packages/${rest!.replace('/', '/src/')}.ts`,
  );
}

describe('imports', () => {
  it.each(sources.filter((file) => file.includes('/') && !file.endsWith('vitest.config.ts')))('of %s point the right way', (file) => {
    for (const imported of importsOf(file)) {
      expect(allowed[layerOf(file)], `${layerOf(file)} is a known layer`).toBeDefined();
      expect(allowed[layerOf(file)], `${file} imports ${imported}`).toContain(layerOf(imported));
      if (imported.startsWith('packages/')) expect(existsSync(join(root, imported)), `${file} imports ${imported}`).toBe(true);
      if (serviceOf(file))
        expect([undefined, serviceOf(file)], `${file} imports another service: ${imported}`).toContain(serviceOf(imported));
    }
  });
});

describe('the client', () => {
  it('is two files that need nothing else', () => {
    expect(importsOf('client/http.ts')).toEqual([]);
    expect(importsOf('client/order-saga.ts')).toEqual(['client/http.ts']);
    for (const file of ['client/http.ts', 'client/order-saga.ts']) expect(read(file)).not.toMatch(/from '[^.]/);
  });
});

describe('bundles', () => {
  it.each(sources.filter((file) => serviceOf(file) !== undefined || file.startsWith('packages/kit/')))(
    '%s takes only types from the documentation of the API',
    (file) => {
      expect(read(file)).not.toMatch(/import (?!type )[^;]*contract\/(api|answers|api\/documentation)\.ts'/);
    },
  );
});

describe('packages', () => {
  const packaged = sources.filter((file) => /^packages\/[^/]+\/src\//.test(file));
  it.each(packaged)('%s has no identifier that is about orders', (file) => {
    expect(packaged.length).toBeGreaterThan(100);
    const code = read(file)
      .replaceAll(/\/\*[^]*?\*\/|(?<!:)\/\/.*$|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/gm, ' ')
      .match(/[A-Za-z_$][\w$]*/g);
    expect(
      (code ?? []).filter(
        (name) =>
          /[cC]ustomer|[pP]ayment|[sS]ku(?![a-z])|[sS]hipment|[a-z]Orders?(?![a-z])|^[oO]rders?[A-Z]|^orders$/.test(name) &&
          !/lastOrder/.test(name),
      ),
    ).toEqual([]);
  });
});

describe('pure files', () => {
  const pure = sources.filter((file) =>
    /^packages\/kit\/src\/(messages\/(?!message)|errors|base32|tables|effects\/effect\.ts|consumer\/dead-letters|function\/(definition|fault-settings)|http\/contract|telemetry\/metrics)|^lambdas\/(contract\/|order-saga\/(saga|steps)|inventory\/reservation|order-view\/view|place-order\/placement|query-orders\/(answers|cursor)|notification\/notification)/.test(
      file,
    ),
  );
  it.each(pure)('%s does no I/O and asks for no time, id or chance', (file) => {
    expect(pure.length).toBeGreaterThan(15);
    expect(read(file)).not.toMatch(/Date\.now|new Date\(\)|Math\.random|randomUUID|randomBytes|setTimeout|fetch\(|process\.env|@aws-sdk/);
  });
});

describe('the one door', () => {
  it.each(sources.filter((file) => /^(lambdas|packages\/kit)\//.test(file) && file !== 'packages/kit/src/function/world.ts'))(
    '%s asks the world for time, ids and chance',
    (file) => {
      expect(read(file)).not.toMatch(/Date\.now\(|new Date\(\)|Math\.random\(|randomUUID\(|randomBytes\(|setTimeout\(/);
    },
  );
});

describe('files', () => {
  it.each(sources)('%s can be held in one’s head', (file) => {
    expect(read(file).split('\n').length).toBeLessThanOrEqual(400);
  });

  it('have names that say what is in them', () => {
    for (const file of files) expect(file).not.toMatch(/(utils?|helpers?|common|manager|misc)\.ts$/);
  });

  it('hold no test that is skipped or alone, and no loose end', () => {
    for (const file of files.filter((name) => /\.(ts|mjs)$/.test(name) && name !== 'test/style/tidy.test.ts')) {
      expect(read(file), file).not.toMatch(
        /\b(it|test|describe)\.(only|skip|todo)\b|TODO|FIXME|@ts-(ignore|nocheck|expect-error)|\bas any\b/,
      );
    }
  });
});

describe('the repository', () => {
  it('holds nothing that a tool left behind', () => {
    const strays = files.filter(
      (file) =>
        (/^\.[^/]+\//.test(file) && !/^\.(ci|github)\//.test(file)) ||
        /(^|\/)(__pycache__|\.?cache|coverage|tmp)\/|(^|\/)(\.DS_Store|runtime\.pid|[^/]*~)$/.test(file) ||
        /\.(log|db|sqlite3?|db-(wal|shm)|tsbuildinfo|tgz|zip|bak|orig|rej|swp|pyc|cpuprofile|heapsnapshot)$/.test(file),
    );
    expect(strays).toEqual([]);
  });
});

const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;

describe('dependencies', () => {
  it('are pinned exactly', () => {
    const all = { ...manifest['dependencies'], ...manifest['devDependencies'], ...manifest['optionalDependencies'] };
    for (const [name, version] of Object.entries(all)) expect(`${name}@${version}`).toMatch(/@\d+\.\d+\.\d+$/);
  });
  interface Locked {
    readonly version?: string;
    readonly integrity?: string;
    readonly resolved?: string;
    readonly inBundle?: boolean;
    /** A package of this repository, in its place among the installed ones. */
    readonly link?: boolean;
    readonly hasInstallScript?: boolean;
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
    readonly license?: string;
  }
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
  /** What the registry brings: neither the repository itself nor its own packages. */
  const installed = Object.entries(packages).filter(([path, { link }]) => path.includes('node_modules/') && !link);
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

  /** The paths of what a package needs: from its own folder on upwards, as Node looks for it. */
  const neededBy = (path: string): string[] => {
    const { dependencies, optionalDependencies } = packages[path]!;
    return Object.keys({ ...dependencies, ...optionalDependencies }).flatMap((name) => {
      for (let folder = path; ; folder = folder.replace(/\/?node_modules\/(?:@[^/]+\/)?[^/]+$/, '')) {
        const found = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
        if (packages[found]) return [found];
        if (folder === '') return [];
      }
    });
  };
  /** What the root's dependencies bring, which is what the functions' bundles may contain. Its packages for a laptop are not among them. */
  const shippedPaths = new Set(neededBy(''));
  for (const path of shippedPaths) for (const needed of neededBy(path)) shippedPaths.add(needed);

  it('run install scripts only where it was allowed', () => {
    const scripted = installed.flatMap(([path, { hasInstallScript }]) => (hasInstallScript ? [nameOf(path)] : []));
    expect(scripted.toSorted()).toEqual(Object.keys(manifest['allowScripts']!).toSorted());
  });

  it('of the functions have licences that a shop can live with, and all are listed', async () => {
    const listed = installed.map(([path, { version, license = 'none' }]) => ({
      name: nameOf(path),
      version,
      license,
      shipped: shippedPaths.has(path),
    }));
    const shipped = listed.filter((entry) => entry.shipped);
    expect(shipped.length).toBeGreaterThan(20);
    const permissive = new Set(['MIT', 'MIT-0', 'Apache-2.0', 'ISC', '0BSD', 'BSD-3-Clause']);
    expect(shipped.filter(({ license }) => !permissive.has(license))).toEqual([]);
    expect(listed.filter(({ license }) => license === 'none')).toEqual([]);
    const rows = (entries: typeof listed): string =>
      [...new Set(entries.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`))].toSorted().join('\n');
    const document = `# Licences

Made from the lockfile by the tests (\`npx vitest run --project unit test/style -u\`).

## What the functions may contain

| package | version | licence |
|---|---|---|
${rows(shipped)}

## What builds, runs and tests on a developer's machine

| package | version | licence |
|---|---|---|
${rows(listed.filter((entry) => !entry.shipped))}
`;
    await expect(document).toMatchFileSnapshot(join(root, 'docs/licences.md'));
  });

  it('come from the registry, with their integrity, and name no host', () => {
    for (const [name, entry] of installed) {
      if (entry.inBundle) continue;
      expect({ name, integrity: entry.integrity?.slice(0, 7) }).toEqual({ name, integrity: 'sha512-' });
      expect(entry.resolved, name).toBeUndefined();
    }
  });
});

describe('documents', () => {
  const documents = files.filter((file) => file.endsWith('.md'));
  it.each(documents)('%s links only to what is there', (file) => {
    for (const [, target] of read(file).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
      const [path, anchor] = target!.split('#');
      const linked = path === '' ? file : normalize(join(dirname(file), path!));
      expect(existsSync(join(root, linked)), `${file} → ${target}`).toBe(true);
      if (anchor && linked.endsWith('.md')) {
        const headings = [...read(linked).matchAll(/^#+ (.+)$/gm)].map(([, text]) =>
          text!
            .toLowerCase()
            .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
            .replaceAll(' ', '-'),
        );
        expect(headings, `${file} → ${target}`).toContain(anchor);
      }
    }
  });
  it.each(documents)('%s names only npm scripts that exist', (file) => {
    for (const [, script] of read(file).matchAll(/npm run ([a-z][\w:-]*)/g))
      expect(Object.keys(manifest['scripts']!), `${file}: npm run ${script}`).toContain(script);
  });

  // A bare `node` is the reader's own, which may be too old to read TypeScript; npm puts the right one first on the path.
  const telling = files.filter((file) => /\.(md|ts|mjs|yml)$|^\.ci\//.test(file));
  it.each(telling)('%s tells nobody to run TypeScript with their own node', (file) => {
    expect(read(file)).not.toMatch(/(?<![\w./-])node (--\S+ )*[\w./-]+\.ts\b/);
  });
});
