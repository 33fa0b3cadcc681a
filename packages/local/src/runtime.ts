import { join } from 'node:path';
import { synthesize, type Assembly } from './assembly.ts';
import type { LocalApp } from './app.ts';
import { AwsCalls } from './aws/calls.ts';
import { startAwsServer, type AwsServer } from './aws/server.ts';
import { Checkpoints } from './checkpoints.ts';
import { logReader, type Print } from './console.ts';
import { engineFile, openDataDir } from './data-dir.ts';
import { callerOf, type Caller } from '@outbox-saga/emulator/call';
import { namedEndpoint } from './emulators/named.ts';
import { EmbeddedAws } from '@outbox-saga/emulator/embedded';
import { Iam } from './iam.ts';
import { FaultBoard } from './faults.ts';
import type { EnvironmentHooks } from './functions/environment.ts';
import { FunctionPool } from './functions/pool.ts';
import { inProcesses } from './functions/process-sandbox.ts';
import { functionValues, resolveFunctions } from './functions/resolve.ts';
import { inThreads } from './functions/thread-sandbox.ts';
import { authorizersOf, type Authorities } from './gateway/authorizers.ts';
import { corsOf } from './gateway/cors.ts';
import type { GatewayRoute } from './gateway/routes.ts';
import { startGateway, type Gateway } from './gateway/server.ts';
import { Identities, issuerPath, localAudience } from './identities.ts';
import { MetricCollector } from './metrics.ts';
import type { LocalOptions } from './options.ts';
import { localPages } from './pages.ts';
import { freePort } from '@outbox-saga/emulator/ports';
import { StartProblem } from './problem.ts';
import { Processes } from './processes.ts';
import { createQueues, createTables, dropTables, purgeQueues } from './resources.ts';
import { connectSources, isPermitted } from './sources/connect.ts';
import { checkTypes, localAccount, localRegion, resourcesOf, resolveValue, type ResourceValues } from './template.ts';

/** A running system. */
export interface LocalRuntime {
  /** Base URL of the API. */
  readonly url: string;
  /** Endpoint of its DynamoDB and SQS, for tests and for the AWS CLI. */
  readonly awsUrl: string;
  /** What stands for AWS's services. */
  readonly services: readonly string[];
  stop(): Promise<void>;
}

const trimEveryMs = 60_000;

type Stops = (() => Promise<void> | void)[];

/**
 * Runs the synthesized assembly: what the template does not connect or permit does not work here either.
 *
 * @throws StartProblem for everything that the person at the keyboard can mend; nothing is left running then
 */
export async function startLocalRuntime(app: LocalApp, options: LocalOptions, print: Print): Promise<LocalRuntime> {
  const { dataDir, fresh } = options;
  const giveBack = openDataDir(dataDir, fresh);
  const processes = new Processes(dataDir);
  const stops: Stops = [giveBack, () => processes.killAll()];
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).toReversed()) await step();
  };
  try {
    const identities = new Identities(dataDir);
    const { port, issuer } = await issuerOf(options, identities);
    const onProblem = (what: string): void => print(`          ${what}`);
    const services = await startServices(options, onProblem, stops);
    const assembly = await synthesize(app, {
      stage: options.stage,
      context: options.context,
      access: options.auth === 'off' ? 'open' : 'auth',
      issuer: issuer === undefined ? undefined : { url: issuer, audience: localAudience },
    });
    checkTypes(assembly.template);

    const faults = new FaultBoard(options.faults);
    const calls = new AwsCalls({ ...services, faults });
    const aws = await startAwsServer({ calls, identities, hosts: options.allowHosts, onProblem });
    services.nameEndpoint(aws.url);
    stops.push(() => aws.stop());
    const values = await createResources(assembly, aws, services, fresh);
    const running: Running = {
      app,
      options,
      print,
      onProblem,
      stops,
      assembly,
      values,
      identities,
      processes,
      faults,
      calls,
      aws,
      services,
    };
    const functions = await startFunctions(running);
    const gateway = await openGateway(running, functions, port);
    connect(running, functions);
    if (options.watch) {
      const { watchSources } = await import('./reload.ts');
      stops.push(await watchSources(app, [...functions.pools.values()], join(dataDir, 'reload'), print));
    }
    return {
      url: gateway.url,
      awsUrl: aws.url,
      services: [`DynamoDB by ${services.urls.dynamoDb ?? 'this process'}`, `SQS by ${services.urls.sqs ?? 'this process'}`],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a start has made so far, before there are functions. */
interface Running {
  readonly app: LocalApp;
  readonly options: LocalOptions;
  readonly print: Print;
  readonly onProblem: (what: string) => void;
  readonly stops: Stops;
  readonly assembly: Assembly;
  readonly values: Map<string, ResourceValues>;
  readonly identities: Identities;
  readonly processes: Processes;
  readonly faults: FaultBoard;
  readonly calls: AwsCalls;
  readonly aws: AwsServer;
  readonly services: Services;
}

/** The functions, and what is known of them. */
interface Functions {
  readonly pools: ReadonlyMap<string, FunctionPool>;
  readonly iam: Iam;
  readonly metrics: MetricCollector;
  /** Function → init times in ms. */
  readonly inits: ReadonlyMap<string, readonly number[]>;
  /** Integrations of the HTTP API: logical id → the function behind it. */
  readonly behindHttp: ReadonlyMap<string, string>;
}

/** The issuer's address is in the template: the port must be known before it is made. */
async function issuerOf(
  { auth, port: given }: LocalOptions,
  identities: Identities,
): Promise<{ port: number; issuer: string | undefined }> {
  const port = given === 0 && auth === 'jwt' ? await freePort() : given;
  return { port, issuer: auth === 'jwt' ? await identities.issueUnder(`http://localhost:${port}${issuerPath}`) : undefined };
}

/** DynamoDB and SQS: the embedded engine, or the emulators that the user named. */
async function startServices({ dataDir, fresh }: LocalOptions, onProblem: (what: string) => void, stops: Stops): Promise<Services> {
  // Asked before anything keeps this process busy for seconds.
  const urls = {
    dynamoDb: await namedEndpoint('AWS_ENDPOINT_URL_DYNAMODB', 'DynamoDB_20120810.ListTables', fresh),
    sqs: await namedEndpoint('AWS_ENDPOINT_URL_SQS', 'AmazonSQS.ListQueues', fresh),
  };
  let endpoint = '';
  const engine = openEngine(dataDir, () => endpoint, onProblem);
  stops.push(() => engine.stop());
  const embedded: Caller = (target, input, signal) => engine.call(target, input, signal);
  return {
    dynamoDb: urls.dynamoDb === undefined ? embedded : callerOf(urls.dynamoDb),
    sqs: urls.sqs === undefined ? embedded : callerOf(urls.sqs),
    engine,
    urls,
    nameEndpoint: (url) => void (endpoint = url),
  };
}

/** Starts an environment of every function, and connects them to their policies. */
async function startFunctions({ options, print, onProblem, stops, assembly, values, ...running }: Running): Promise<Functions> {
  const { identities, processes, faults, calls, aws } = running;
  const metrics = new MetricCollector();
  const inits = new Map<string, number[]>();
  const behindHttp = integrationsOf(assembly, values);
  const start = options.isolation === 'process' ? inProcesses(processes, aws.url) : inThreads({ calls, awsEndpoint: aws.url, onProblem });
  const hooks: EnvironmentHooks = {
    onLine: logReader(running.app, print, metrics, options.verbose),
    onInit: (name, milliseconds) => inits.set(name, [...(inits.get(name) ?? []), milliseconds]),
    variables: (name) => faults.variables(name),
  };
  const resolved = resolveFunctions(assembly, values, identities, new Set(behindHttp.values()));
  const pools = new Map(resolved.map((fn) => [fn.logicalId, new FunctionPool(fn, start, hooks)]));
  stops.push(() => [...pools.values()].forEach((pool) => pool.stop()));
  const iam = new Iam(assembly.template, values, new Map([...pools].map(([logicalId, { fn }]) => [logicalId, fn.name])));
  calls.iam = iam;
  for (const { fn } of pools.values()) identities.functions.set(fn.identity, fn);
  await Promise.all([...pools.values()].map((pool) => pool.prewarm())).catch((error: unknown) => {
    throw new StartProblem(`a function does not start: ${(error as Error).message}`);
  });
  return { pools, iam, metrics, inits, behindHttp };
}

/** The HTTP API, and the runtime's own pages beside it. */
async function openGateway(running: Running, functions: Functions, port: number): Promise<Gateway> {
  const { options, assembly, values, identities, faults, calls, aws, onProblem } = running;
  const { pools, iam, metrics, inits } = functions;
  // The pages read the resources' values when they are asked: the API's own URL joins them once the gateway has a port.
  const pages = localPages({
    assembly,
    values,
    awsUrl: aws.url,
    usage: calls.usage,
    iam,
    faults,
    identities,
    pools: [...pools.values()],
    metrics,
    inits,
  });
  const gateway = await startGateway({
    port,
    routes: routesOf(assembly, values, functions, options.auth === 'off' ? undefined : { identities, iam }),
    pages,
    cors: corsOf(assembly.template),
    hosts: options.allowHosts,
    onProblem,
  });
  running.stops.push(() => gateway.stop());
  setApiEndpoint(assembly, values, gateway);
  return gateway;
}

/** Event sources and schedules. */
function connect({ options, assembly, values, services, faults, onProblem, stops }: Running, { pools, iam }: Functions): void {
  const { engine, urls, dynamoDb, sqs } = services;
  const checkpoints = new Checkpoints(options.dataDir);
  const disconnect = connectSources({
    template: assembly.template,
    values,
    pools,
    dynamoDb,
    sqs,
    onRecords: urls.dynamoDb === undefined ? (listener) => engine.onRecords(listener) : undefined,
    queuesOutlive: urls.sqs !== undefined,
    checkpoints,
    iam,
    faults,
    onProblem,
  });
  stops.push(disconnect);
  const trimming = setInterval(() => {
    assembly.touch();
    const lowest = checkpoints.lowest();
    if (lowest !== undefined) engine.trim(lowest);
  }, trimEveryMs);
  stops.push(() => clearInterval(trimming));
}

function openEngine(dataDir: string, endpoint: () => string, onProblem: (what: string) => void): EmbeddedAws {
  try {
    return new EmbeddedAws({ file: join(dataDir, engineFile), region: localRegion, account: localAccount, endpoint, onProblem });
  } catch (error) {
    throw new StartProblem(`${(error as Error).message}. Move it away, or start from nothing: npm start -- --fresh`);
  }
}

interface Services {
  readonly dynamoDb: Caller;
  readonly sqs: Caller;
  readonly engine: EmbeddedAws;
  /** Of emulators that the user named; undefined: the engine stands for the service. */
  readonly urls: { readonly dynamoDb: string | undefined; readonly sqs: string | undefined };
  /** Says what the engine's queue URLs begin with. */
  readonly nameEndpoint: (url: string) => void;
}

/** What a named emulator holds is not in the data directory: starting from nothing empties it here. */
async function createResources(
  assembly: Assembly,
  aws: AwsServer,
  { dynamoDb, sqs }: Services,
  fresh: boolean,
): Promise<Map<string, ResourceValues>> {
  const { template, stackName } = assembly;
  if (fresh) await dropTables(template, stackName, dynamoDb);
  const [tables, queues] = await Promise.all([
    createTables(template, stackName, dynamoDb),
    createQueues(template, stackName, sqs, aws.url),
  ]);
  if (fresh) await purgeQueues(queues, sqs);
  return new Map([...tables, ...queues, ...functionValues(assembly)]);
}

/** Integrations of the HTTP API: logical id → the function behind it. */
function integrationsOf({ template }: Assembly, values: ReadonlyMap<string, ResourceValues>): Map<string, string> {
  return new Map(
    resourcesOf(template, 'AWS::ApiGatewayV2::Integration').map(([id, raw]) => [
      id,
      String(resolveValue(raw['IntegrationUri'], template, values)),
    ]),
  );
}

function routesOf(
  { template }: Assembly,
  values: ReadonlyMap<string, ResourceValues>,
  { behindHttp: integrations, pools }: Functions,
  authorities: Authorities | undefined,
): GatewayRoute[] {
  const authorizers = authorities && authorizersOf(template, values, authorities);
  // A route's target is `integrations/<id>`; ids of integrations are their logical ids here.
  const withIntegrations = new Map([...values, ...[...integrations.keys()].map((id) => [id, { ref: id, attributes: {} }] as const)]);
  return resourcesOf(template, 'AWS::ApiGatewayV2::Route').map(([id, raw]) => {
    const target = String(resolveValue(raw['Target'], template, withIntegrations)).replace(/^integrations\//, '');
    const pool = [...pools.values()].find(({ fn }) => fn.arn === integrations.get(target));
    if (!pool) throw new StartProblem(`route ${id}: its integration ${target} leads to no function`);
    return {
      key: String(raw['RouteKey']),
      pool,
      permitted: isPermitted(template, values, pool.fn.logicalId, 'apigateway.amazonaws.com'),
      authorize: authorizers?.get(id),
    };
  });
}

function setApiEndpoint(assembly: Assembly, values: Map<string, ResourceValues>, gateway: Gateway): void {
  for (const [id] of resourcesOf(assembly.template, 'AWS::ApiGatewayV2::Api')) {
    values.set(id, { ref: 'local', attributes: { ApiEndpoint: gateway.url } });
  }
}
