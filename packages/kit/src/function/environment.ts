import type * as z from 'zod';
import { issuesOf } from '../messages/envelope.ts';
import type { FunctionDefinition } from './definition.ts';

/**
 * Reads a function's environment by the schema that deploy time filled it by.
 * An empty variable counts as absent: CloudFormation cannot leave one out conditionally.
 *
 * @throws Error that names every variable that is missing or malformed; Lambda then fails the init, not the first order
 */
export function readEnvironment<Definition extends FunctionDefinition>(
  name: string,
  definition: Definition,
  variables: NodeJS.ProcessEnv = process.env,
): z.infer<Definition['environment']> {
  const present = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const parsed = definition.environment.safeParse(present);
  if (!parsed.success) throw new Error(`environment of function ${name}: ${issuesOf(parsed.error)}`);
  return parsed.data as z.infer<Definition['environment']>;
}
