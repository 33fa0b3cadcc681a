import type * as z from 'zod';
import type { FunctionDefinition } from '../function/definition.ts';
import { startWithQueues } from '../function/start.ts';
import type { Durations } from '../messages/durations.ts';
import type { Topology } from '../messages/topology.ts';
import { createPublisher, createRelay, type PublishingEnvironment } from './handlers.ts';

/** What an application's outbox publishes, stage by stage. */
interface Published {
  readonly topology: Topology;
  /** By name of the stage. */
  readonly durations: Readonly<Record<string, Durations>>;
}

/** A function whose environment has what publishing needs. */
type PublishingFunction = FunctionDefinition<
  z.ZodObject<{ readonly [Name in keyof PublishingEnvironment]: z.ZodType<PublishingEnvironment[Name]> }>
>;

const publishing = ({ topology, durations }: Published, stage: string) => ({ topology, durations: durations[stage]! });

/**
 * What the publisher's entry exports.
 *
 * @example
 * export const handler = startPublisher(functions['outbox-publisher'], { topology, durations });
 */
export const startPublisher = (definition: PublishingFunction, published: Published) =>
  startWithQueues('outbox-publisher', definition, (environment, connections) =>
    createPublisher(environment, connections, publishing(published, environment.STAGE)),
  );

/** What the relay's entry exports. Pass a gauge to `createRelay` instead where more is to be reported once a minute. */
export const startRelay = (definition: PublishingFunction, published: Published) =>
  startWithQueues('outbox-relay', definition, (environment, connections) =>
    createRelay(environment, connections, publishing(published, environment.STAGE)),
  );
