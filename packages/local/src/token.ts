import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { LocalApp } from './app.ts';
import { Identities, identitiesFile } from './identities.ts';
import { StartProblem } from './problem.ts';

type Scoped = Pick<LocalApp, 'scopes' | 'subjectName'>;

const nameOf = ({ subjectName = 'subject' }: Scoped): string => subjectName;

const usageOf = (app: Scoped): string => `npm run -s token -- --${nameOf(app)} <id> | --operator

  ${`--${nameOf(app)} <id>`.padEnd(21)} prints a token whose sub this is
  --scopes <a,b>        what it may do                        (default ${(app.scopes ?? []).join(',')})
  --expires <seconds>   for how long                          (default 3600)
  --operator            prints the operator's credentials, to sign with: eval "$(npm run -s token -- --operator)"
  --data-dir <folder>   of the runtime that shall take it     (default .local)
  --help`;

/** The command: a token or credentials for a local runtime that was started with --auth. */
export async function token(app: Scoped, args: readonly string[]): Promise<void> {
  try {
    process.stdout.write(`${await made(app, args)}\n`);
  } catch (error) {
    process.stderr.write(error instanceof StartProblem ? `\n${error.message}\n\n` : `${(error as Error).stack}\n`);
    process.exitCode = 1;
  }
}

/** @throws StartProblem that says what is wrong with the arguments */
async function made(app: Scoped, args: readonly string[]): Promise<string> {
  const { [nameOf(app)]: subject, operator, expires, scopes: list, 'data-dir': folder, help } = parsed(app, args);
  if (help) return usageOf(app);
  const dataDir = resolve(folder);
  if (!existsSync(join(dataDir, identitiesFile))) throw new StartProblem(`${dataDir} knows no identities: npm start -- --auth makes them`);
  const identities = new Identities(dataDir);
  if (operator) {
    const { accessKeyId, secretAccessKey } = identities.operator;
    // A session token of other credentials would be sent with these, which then are none.
    return `export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} AWS_REGION=us-east-1; unset AWS_SESSION_TOKEN`;
  }
  if (typeof subject !== 'string' || !/^\d{1,9}$/.test(expires)) throw new StartProblem(usageOf(app));
  return identities.subjectToken(subject, list.split(',').join(' '), Number(expires));
}

function parsed(app: Scoped, args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        [nameOf(app)]: { type: 'string' },
        operator: { type: 'boolean', default: false },
        scopes: { type: 'string', default: (app.scopes ?? []).join(',') },
        expires: { type: 'string', default: '3600' },
        'data-dir': { type: 'string', default: '.local' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new StartProblem(`${(error as Error).message}\n\n${usageOf(app)}`);
  }
}
