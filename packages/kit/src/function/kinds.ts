import * as z from 'zod';
import type { FunctionDefinition } from './definition.ts';
import { consumerVariables, publishingVariables } from './variables.ts';

/** Memory in MB that a function has unless told otherwise: on half of it, its init takes twice as long. */
const usualMemoryMb = 512;

interface Sizes {
  /** Memory in MB; CPU grows with it. Default: 512. */
  readonly memoryMb?: number;
}

/**
 * The kinds of functions that there are, for the stages of one application. Each gives its functions the time limit of its kind from the stage's durations,
 * and the variables that deploy time gives to every function of it. `entry` is a source file,
 * relative to the project's root, that exports `handler`; `own` are the function's own variables.
 *
 * @example
 * const { api, consumer, publisher, relay } = functionKinds(['dev', 'prod']);
 * export const functions = { login: api('functions/login.ts', { USERS_TABLE: text }), audit: consumer('functions/audit.ts', { AUDIT_TABLE: text }) };
 */
export function functionKinds<const Stage extends string>(stages: readonly Stage[]) {
  const kind =
    <Given extends z.ZodRawShape>(timeoutSeconds: FunctionDefinition['timeoutSeconds'], given: Given) =>
    <Own extends z.ZodRawShape>(entry: string, own: Own, { memoryMb = usualMemoryMb }: Sizes = {}) => ({
      entry,
      memoryMb,
      timeoutSeconds,
      environment: z.object({ STAGE: z.enum(stages), ...given, ...own }),
    });
  return {
    /** Behind the HTTP API. */
    api: kind((d) => d.apiTimeoutSeconds, {}),
    /** Consumes a queue. It has the consumer's name. */
    consumer: kind((d) => d.consumerTimeoutSeconds, consumerVariables),
    /** Once a minute. */
    scheduled: kind((d) => d.scheduledTimeoutSeconds, {}),
    /** Publishes what the outbox's stream brings. */
    publisher: kind((d) => d.publisherTimeoutSeconds, publishingVariables),
    /** The outbox's, once a minute. */
    relay: kind((d) => d.scheduledTimeoutSeconds, publishingVariables),
  };
}
