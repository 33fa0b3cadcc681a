import type { Assembly } from './assembly.ts';
import { faultsFrom } from '@outbox-saga/kit/function/fault-settings';
import type { UsageMeter } from './aws/usage.ts';
import type { Iam } from './iam.ts';
import { issuerPath, type Identities } from './identities.ts';
import type { FaultBoard } from './faults.ts';
import type { FunctionPool } from './functions/pool.ts';
import type { LocalPages } from './gateway/server.ts';
import type { MetricCollector } from './metrics.ts';
import { localRegion, resolveValue, type ResourceValues } from './template.ts';

export interface PagesContext {
  readonly assembly: Assembly;
  readonly values: ReadonlyMap<string, ResourceValues>;
  /** Endpoint of DynamoDB and SQS. */
  readonly awsUrl: string;
  readonly usage: UsageMeter;
  readonly faults: FaultBoard;
  readonly iam: Iam;
  readonly identities: Identities;
  readonly pools: readonly FunctionPool[];
  readonly metrics: MetricCollector;
  /** Function → init times in ms. */
  readonly inits: ReadonlyMap<string, readonly number[]>;
}

/**
 * The runtime's own pages, for people, tests and the benchmark; loopback only.
 *
 *   GET  /_local/metrics            what functions reported, as CloudWatch would have it
 *   GET  /_local/resources          the stack's outputs and the AWS endpoint
 *   GET  /_local/usage              AWS calls and capacity by function, operation and table; DELETE starts over, PUT turns metering on
 *   GET  /_local/faults             the faults that are on, and how often each struck; PUT puts others in their place, DELETE none
 *   GET  /_local/iam                grants without which everything since the start would have gone the same way, and what was refused
 *   GET  /_local/issuer/…           with --auth: the local issuer's OpenID configuration and public key
 *   GET  /_local/functions          environments and invocations
 *   POST /_local/functions/{name}   invokes a function with the body as its event
 */
export function localPages(context: PagesContext): LocalPages {
  const { assembly, values, awsUrl, usage, faults, iam, identities, pools, metrics, inits } = context;
  const { issuer } = identities;
  const shownFaults = () => ({ status: 200, body: { faults: faults.all, struck: faults.counts } });
  return async (method, path, body) => {
    const name = /^\/_local\/functions\/([\w-]+)$/.exec(path)?.[1];
    if (name !== undefined && method === 'POST') {
      const pool = pools.find(({ fn }) => fn.name === name);
      if (!pool) return undefined;
      const event = json(body);
      if (event === undefined) return notJson;
      return { status: 200, body: await pool.invoke(event) };
    }
    switch (`${method} ${path}`) {
      case 'GET /_local/metrics':
        return { status: 200, body: { metrics: metrics.report() } };
      case 'GET /_local/resources':
        return { status: 200, body: { endpoint: awsUrl, region: localRegion, outputs: outputsOf(assembly, values) } };
      case 'GET /_local/usage':
        return { status: 200, body: Object.fromEntries(usage.all) };
      case 'DELETE /_local/usage':
        usage.all.clear();
        return { status: 200, body: {} };
      case 'PUT /_local/usage':
        usage.metering = true;
        return { status: 200, body: { metering: true } };
      case 'GET /_local/faults':
        return shownFaults();
      case 'DELETE /_local/faults':
        await faults.replace({});
        return shownFaults();
      case 'PUT /_local/faults': {
        const asked = json(body);
        if (asked === undefined) return notJson;
        try {
          await faults.replace(
            faultsFrom(
              asked,
              pools.map(({ fn }) => fn.name),
            ),
          );
        } catch (error) {
          return { status: 400, body: { message: (error as Error).message } };
        }
        return shownFaults();
      }
      case 'GET /_local/iam':
        return { status: 200, body: { unused: iam.grants().filter(({ used }) => !used), denied: iam.denials } };
      case `GET ${issuerPath}/.well-known/openid-configuration`:
        return issuer && { status: 200, body: { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks.json` } };
      case `GET ${issuerPath}/jwks.json`:
        return issuer && { status: 200, body: issuer.jwks };
      case 'GET /_local/functions':
        return {
          status: 200,
          body: Object.fromEntries(
            pools.map(({ fn, invocations, size, pids }) => [
              fn.name,
              { identity: fn.identity, invocations, environments: size, pids, initMs: inits.get(fn.name) ?? [] },
            ]),
          ),
        };
      default:
        return undefined;
    }
  };
}

const notJson = { status: 400, body: { message: 'the body is not JSON' } };

/** The JSON in a body, an empty object for none; undefined when it is not JSON. */
function json(body: string): unknown {
  try {
    return JSON.parse(body === '' ? '{}' : body);
  } catch {
    return undefined;
  }
}

function outputsOf({ template }: Assembly, values: ReadonlyMap<string, ResourceValues>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(template.Outputs ?? {}).map(([name, { Value }]) => [name, resolveValue(Value, template, values)]),
  );
}
