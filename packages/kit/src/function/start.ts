import type * as z from 'zod';
import { connectQueues } from '../aws/clients.ts';
import type { FunctionDefinition } from './definition.ts';
import { readEnvironment } from './environment.ts';
import { connect, type Connections, type QueueConnections } from './wiring.ts';

type EnvironmentOf<Definition extends FunctionDefinition> = z.infer<Definition['environment']> & { readonly STAGE: string };

/**
 * What a function's entry exports: its environment is read, it is connected to the real world, and its handler is created, once, while Lambda initialises it.
 *
 * @example
 * export const handler = start('login', functions.login, createHandler);
 * @throws Error that names every variable that is missing or malformed; Lambda then fails the init, not the first request
 */
export function start<Definition extends FunctionDefinition, Handler>(
  name: string,
  definition: Definition,
  createHandler: (environment: EnvironmentOf<Definition>, connections: Connections) => Handler,
): Handler {
  const environment = readEnvironment(name, definition) as EnvironmentOf<Definition>;
  return createHandler(environment, connect(name, environment));
}

/** As `start`, for functions that receive or send messages; apart from it, so that the bundles of all others do without the SQS client. */
export function startWithQueues<Definition extends FunctionDefinition, Handler>(
  name: string,
  definition: Definition,
  createHandler: (environment: EnvironmentOf<Definition>, connections: QueueConnections) => Handler,
): Handler {
  return start<Definition, Handler>(name, definition, (environment, connections) =>
    createHandler(environment, { ...connections, queues: connectQueues() }),
  );
}
