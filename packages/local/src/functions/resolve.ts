import type { Assembly } from '../assembly.ts';
import type { Identities } from '../identities.ts';
import { StartProblem } from '../problem.ts';
import { localAccount, localRegion, resourcesOf, resolveValue, type ResourceValues } from '../template.ts';
import type { LocalFunction } from './environment.ts';

interface FunctionProperties {
  readonly Code: { readonly S3Key?: unknown };
  readonly Handler: string;
  readonly MemorySize?: number;
  readonly Timeout?: number;
  readonly Environment?: { readonly Variables?: Record<string, unknown> };
}

/** What functions answer to Ref and GetAtt: known before anything else about them. */
export function functionValues(assembly: Assembly): Map<string, ResourceValues> {
  return new Map(
    resourcesOf(assembly.template, 'AWS::Lambda::Function').map(([id]) => [
      id,
      { ref: id, attributes: { Arn: `arn:aws:lambda:${localRegion}:${localAccount}:function:${id}` } },
    ]),
  );
}

/** Priority of functions that serve no HTTP request: nobody waits for them. AWS has a machine for each; here they share a few cores. */
const unhurried = 10;

/**
 * The template's functions with code, environment and limits resolved.
 *
 * @param behindHttp ARNs of those that answer requests: people wait for them
 */
export function resolveFunctions(
  assembly: Assembly,
  values: ReadonlyMap<string, ResourceValues>,
  identities: Identities,
  behindHttp: ReadonlySet<string>,
): LocalFunction[] {
  return resourcesOf(assembly.template, 'AWS::Lambda::Function').map(([logicalId, raw]) => {
    const properties = raw as unknown as FunctionProperties;
    const key = String(resolveValue(properties.Code.S3Key, assembly.template, values));
    const code = assembly.assets.get(key);
    if (code === undefined) throw new StartProblem(`function ${logicalId}: its code ${key} is not among the assembly's assets`);
    const variables = resolveValue(properties.Environment?.Variables ?? {}, assembly.template, values) as Record<string, string>;
    const arn = values.get(logicalId)!.attributes['Arn']!;
    const identity = `LOCAL${logicalId.toUpperCase()}`;
    return {
      name: variables['POWERTOOLS_SERVICE_NAME'] ?? logicalId,
      logicalId,
      arn,
      code,
      handler: properties.Handler,
      memoryMb: properties.MemorySize ?? 128,
      timeoutSeconds: properties.Timeout ?? 3,
      variables,
      identity,
      priority: behindHttp.has(arn) ? 0 : unhurried,
      secret: identities.secretOfFunction(identity),
    };
  });
}
