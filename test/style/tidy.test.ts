import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const sources = files.filter((file) => file.endsWith('.ts') && !file.startsWith('test/'));

/** The rooms of lambdas/: everything that is neither contract nor kit. */
const roomOf = (file: string): string | undefined => {
  const room = /^lambdas\/([^/]+)\//.exec(file)?.[1];
  return room === 'contract' || room === 'kit' ? undefined : room;
};
const layerOf = (file: string): string => {
  if (file.startsWith('lambdas/contract/core/')) return 'core';
  if (file.startsWith('lambdas/contract/')) return 'contract';
  if (file.startsWith('lambdas/kit/')) return 'kit';
  if (file.startsWith('lambdas/')) return 'room';
  if (file.startsWith('lib/constructs/')) return 'constructs';
  return file.split('/')[0]!;
};

/** What each layer may import. Nothing imports a room but its own files; the machinery and the constructs never see orders or stages. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  core: ['core'],
  contract: ['core', 'contract'],
  kit: ['core', 'kit'],
  room: ['core', 'contract', 'kit', 'room'],
  constructs: ['core', 'constructs'],
  lib: ['core', 'contract', 'constructs', 'lib'],
  local: ['cli', 'core', 'contract', 'kit', 'lib', 'local'],
  cli: ['cli'],
  ops: ['core', 'contract', 'kit', 'ops'],
  bin: ['cli', 'core', 'contract', 'lib', 'local', 'ops', 'bin'],
  client: ['cli', 'core', 'contract', 'client'],
  load: ['cli', 'contract', 'kit', 'client', 'local', 'load'],
  bench: ['cli', 'core', 'contract', 'client', 'lib', 'local', 'load', 'bench'],
  demo: ['cli', 'client', 'ops', 'demo'],
};

function importsOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path]) => normalize(join(dirname(file), path!)));
}

describe('imports', () => {
  it.each(sources.filter((file) => file.includes('/') && !file.endsWith('vitest.config.ts')))('of %s point the right way', (file) => {
    for (const imported of importsOf(file)) {
      expect(allowed[layerOf(file)], `${layerOf(file)} is a known layer`).toBeDefined();
      expect(allowed[layerOf(file)], `${file} imports ${imported}`).toContain(layerOf(imported));
      if (roomOf(file)) expect([undefined, roomOf(file)], `${file} imports another room: ${imported}`).toContain(roomOf(imported));
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
  it.each(sources.filter((file) => roomOf(file) !== undefined || file.startsWith('lambdas/kit/')))(
    '%s takes only types from the API’s contract',
    (file) => {
      expect(read(file)).not.toMatch(/import (?!type )[^;]*contract\/api\.ts'/);
    },
  );
});

describe('pure files', () => {
  const pure = sources.filter((file) =>
    /^lambdas\/(contract\/|order-saga\/saga|inventory\/reservation|order-view\/view|place-order\/placement|query-orders\/(answers|cursor)|notification\/notification)/.test(
      file,
    ),
  );
  it.each(pure)('%s does no I/O and asks for no time, id or chance', (file) => {
    expect(pure.length).toBeGreaterThan(15);
    expect(read(file)).not.toMatch(/Date\.now|new Date\(\)|Math\.random|randomUUID|randomBytes|setTimeout|fetch\(|process\.env|@aws-sdk/);
  });
});

describe('the one door', () => {
  it.each(sources.filter((file) => file.startsWith('lambdas/') && file !== 'lambdas/kit/world.ts'))(
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
    readonly hasInstallScript?: boolean;
    readonly dev?: boolean;
    readonly devOptional?: boolean;
    /** The emulator's binary: for one platform, and for development only. */
    readonly optional?: boolean;
    readonly license?: string;
  }
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

  it('run install scripts only where it was allowed', () => {
    const scripted = Object.entries(packages).flatMap(([path, { hasInstallScript }]) => (hasInstallScript ? [nameOf(path)] : []));
    expect(scripted.toSorted()).toEqual(Object.keys(manifest['allowScripts']!).toSorted());
  });

  it('of the functions have licences that a shop can live with, and all are listed', async () => {
    const listed = Object.entries(packages)
      .filter(([path]) => path !== '')
      .map(([path, { version, license = 'none', dev, devOptional, optional }]) => ({
        name: nameOf(path),
        version,
        license,
        shipped: !dev && !devOptional && !optional,
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
    for (const [name, entry] of Object.entries(packages)) {
      if (name === '' || entry.inBundle) continue;
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
