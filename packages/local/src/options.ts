import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseFaults, type Faults } from '@outbox-saga/kit/function/fault-settings';
import type { LocalApp } from './app.ts';
import { StartProblem } from './problem.ts';

export interface LocalOptions {
  /** 0 takes a free port. */
  readonly port: number;
  /** Tables, queues, checkpoints and the synthesized app live here. */
  readonly dataDir: string;
  /** Starts from nothing: deletes what the data directory holds. */
  readonly fresh: boolean;
  /** Prints every log line of every function. */
  readonly verbose: boolean;
  /** One of the application's. */
  readonly stage: string;
  /** What `cdk --context` takes. */
  readonly context: Readonly<Record<string, string>>;
  /** Faults that are on from the start. */
  readonly faults: Faults;
  /** Whether the template's authorizers are enforced: `jwt` with an issuer for customers, `iam` without one. */
  readonly auth: 'off' | 'jwt' | 'iam';
  /** Names that its servers answer to, beside those of loopback. */
  readonly allowHosts: readonly string[];
  /** What an execution environment is: a thread of the runtime's process, or a process of its own. */
  readonly isolation: 'thread' | 'process';
  /** Reloads a function when its source changes. */
  readonly watch: boolean;
  /** Ends when its standard input does: whoever started it is gone. */
  readonly stopWithStdin: boolean;
}

type Described = Pick<LocalApp, 'stages' | 'refusedStages' | 'functions' | 'examples'>;

export const usageOf = ({ stages, examples = {} }: Described): string => `npm start -- [options]

  PORT=3000             port of the API, on loopback (environment variable; 0 takes a free one)
  --data-dir <folder>   where tables, queues and checkpoints live      (default .local)
  --fresh               start from nothing: delete what is there
  --stage <name>        ${`${stages.join(' | ')}: whose durations to use`.padEnd(45)} (default ${stages[0]})
  --context <key=value> as for cdk${examples.context === undefined ? '' : `: ${examples.context}`}
  --auth[=iam]          let nobody in whom the template does not: tokens of a local issuer (npm run token) for customers, IAM for the rest;
                        with =iam no issuer, and IAM everywhere. Default: everyone is let in
  --fault <f.x=value>   inject a fault${examples.faults === undefined ? '' : `: ${examples.faults}, …`} (docs/local.md)
  --allow-host <name>   answer to this name too, such as host.docker.internal; may be repeated. Default: loopback only
  --isolation <what>    thread | process: what functions run in. Threads are light and quick; processes sign their calls, are frozen between
                        invocations, and crash alone (docs/local.md)                     (default thread)
  --verbose             print every log line of every function
  --stop-with-stdin     stop when standard input ends: for programs that start it, and may be killed
  --help

  AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_SQS  use these instead of the embedded emulators`;

/** @throws StartProblem that names the option that is wrong */
export function parseOptions(app: Described, args: readonly string[], environment: NodeJS.ProcessEnv): LocalOptions | 'help' {
  let values;
  try {
    ({ values } = parseArgs({
      // Alone it means jwt: parseArgs knows no option whose value may be left out.
      args: args.map((arg) => (arg === '--auth' ? '--auth=jwt' : arg)),
      strict: true,
      allowPositionals: false,
      options: {
        'data-dir': { type: 'string', default: '.local' },
        fresh: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        stage: { type: 'string', default: app.stages[0]! },
        context: { type: 'string', multiple: true, default: [] },
        auth: { type: 'string', default: 'off' },
        fault: { type: 'string', multiple: true, default: [] },
        'allow-host': { type: 'string', multiple: true, default: [] },
        isolation: { type: 'string', default: 'thread' },
        watch: { type: 'boolean', default: false },
        'stop-with-stdin': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new StartProblem(`${(error as Error).message}\n\n${usageOf(app)}`);
  }
  if (values.help) return 'help';
  const port = environment['PORT'] ?? '3000';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new StartProblem(`PORT=${port}: must be a number from 0 to 65535`);
  const { stage } = values;
  const refused = app.refusedStages?.[stage];
  if (refused !== undefined) throw new StartProblem(`--stage ${stage}: ${refused}; the local runtime runs ${app.stages.join(' and ')}`);
  if (!app.stages.includes(stage))
    throw new StartProblem(`--stage ${stage}: must be one of ${[...app.stages, ...Object.keys(app.refusedStages ?? {})].join(', ')}`);
  const auth = (['off', 'jwt', 'iam'] as const).find((mode) => mode === values.auth);
  if (!auth) throw new StartProblem(`--auth=${values.auth}: must be jwt or iam`);
  const isolation = (['thread', 'process'] as const).find((what) => what === values.isolation);
  if (!isolation) throw new StartProblem(`--isolation ${values.isolation}: must be thread or process`);
  return {
    port: Number(port),
    dataDir: resolve(values['data-dir']),
    fresh: values.fresh,
    verbose: values.verbose,
    stage,
    context: Object.fromEntries(values.context.map(contextEntry)),
    faults: faultsOf(values.fault, app.functions),
    auth,
    allowHosts: values['allow-host'].map(hostName),
    isolation,
    watch: values.watch,
    stopWithStdin: values['stop-with-stdin'],
  };
}

function hostName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text)) {
    throw new StartProblem(`--allow-host ${text}: must be a name such as host.docker.internal, without scheme and port`);
  }
  return text.toLowerCase();
}

function faultsOf(texts: readonly string[], functions: readonly string[]): Faults {
  try {
    return parseFaults(texts, functions);
  } catch (error) {
    throw new StartProblem(`--fault ${texts.join(' --fault ')}: ${(error as Error).message}`);
  }
}

function contextEntry(text: string): [string, string] {
  const [, key, value] = /^(\w+)=(.*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new StartProblem(`--context ${text}: must be key=value`);
  return [key, value];
}
